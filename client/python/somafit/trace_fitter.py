"""Fits to recorded traces."""

from __future__ import annotations

import sys
from typing import Any, Dict, Mapping, Optional, Tuple

from somafit.fitter import Fitter


class TraceFitter(Fitter):
    """Fits a model to traces: ``output={"v": v}``, [traces x steps] with units, of
    the input's shape; several variables at once, and "spikes" (a list of arrays of
    spike times) beside them. Missing points are NaN. Arguments are those of
    Fitter.
    """

    def __init__(self, dt: Any, model: Any, input: Any, output: Any,
                 input_var: Optional[str] = None, output_var: Any = None,
                 n_samples: int = 60, threshold: Optional[str] = None,
                 reset: Optional[str] = None, refractory: Any = False,
                 method: Optional[str] = None,
                 param_init: Optional[Mapping[str, Any]] = None,
                 penalty: Optional[str] = None, use_units: bool = True,
                 **further: Any) -> None:
        super().__init__(dt, model, input, output, input_var, output_var, n_samples,
                         threshold, reset, refractory, method, param_init, penalty,
                         use_units, **further)

    def fit(self, optimizer: Any = None, metric: Any = None, n_rounds: int = 1,
            callback: Any = "text", restart: bool = False,
            start_iteration: Optional[int] = None, penalty: Optional[str] = None,
            level: int = 0, bounds: Optional[Mapping[str, Any]] = None,
            **params: Any) -> Tuple[Optional[Dict[str, Any]], Any]:
        """Simulates `n_rounds` rounds and returns (best_params, best_error).

        optimizer: default differential evolution; of a fit that goes on, its own.
        metric: a TraceMetric for all outputs, or {output: metric}; default the mean
            of squared differences; of a fit that goes on, its own.
        callback: "text", "progressbar", None, or what is called after each round
            with (params, errors, best_params, best_error, index, additional_info);
            True stops the fit in that round.
        restart: begin anew, perhaps with other bounds, metric and optimizer;
            without it a call goes on where the last one ended, and changing them
            is a ChangedFitError.
        start_iteration: what the model calls `iteration` in the first round.
        penalty: as in the constructor, and in place of it until a restart.
        level: how many frames above the caller's the constants are.
        params: ``name=[low, high]`` for each parameter, as pairs of quantities,
            texts, plain SI numbers, or Bounds; in `bounds` where a name is taken.

        Interrupted by Ctrl-C, or by an exception of the callback, the fit is ended
        behind a round or paused, what was simulated stays, and another call goes
        on; the round that was under way is then the first of its rounds.
        """
        return self._fit_rounds(sys._getframe(1 + level), optimizer, metric,
                                n_rounds, callback, restart, start_iteration,
                                penalty, bounds, params)

    def generate_traces(self, params: Optional[Mapping[str, Any]] = None,
                        param_init: Optional[Mapping[str, Any]] = None,
                        iteration: float = 1e9, level: int = 0) -> Any:
        """``generate`` of the fitted outputs."""
        return self._generate(sys._getframe(1 + level), None, params, param_init,
                              iteration)
