"""Fits to the times of spikes."""

from __future__ import annotations

import sys
from typing import Any, Dict, Mapping, Optional, Tuple

from somafit.dataset import SPIKES
from somafit.fitter import Fitter


class SpikeFitter(Fitter):
    """Fits a model to spike trains: `output` is a list with one array of spike
    times (quantities, or seconds) for each trace, or {"spikes": that list}.
    `threshold` and `reset` are required; `method` is exponential_euler by default.
    An input that is no mapping is called `input_var`. Other arguments are those of
    Fitter.
    """

    _default_method = "exponential_euler"

    def __init__(self, dt: Any, model: Any, input: Any, output: Any,
                 input_var: str = "I", n_samples: int = 30,
                 threshold: Optional[str] = None, reset: Optional[str] = None,
                 refractory: Any = False, method: Optional[str] = None,
                 param_init: Optional[Mapping[str, Any]] = None,
                 penalty: Optional[str] = None, use_units: bool = True,
                 **further: Any) -> None:
        for name, value in (("threshold", threshold), ("reset", reset)):
            if value is None:
                raise TypeError(f"{name} is missing: a fit to spikes needs the "
                                "condition of a spike, and what follows it")
        if not isinstance(output, Mapping):
            output = {SPIKES: output}
        if list(output) != [SPIKES]:
            raise ValueError("output must be spike times, {\"spikes\": [times, ...]}; "
                             "TraceFitter takes traces, and spikes beside them")
        if not isinstance(input, Mapping):
            input = {input_var: input}
        elif input_var != "I" and input_var not in input:
            raise ValueError(f"input_var is '{input_var}', but input has "
                             f"{', '.join(map(repr, input))}; leave it out")
        super().__init__(dt, model, input, output, None, None, n_samples, threshold,
                         reset, refractory, method, param_init, penalty, use_units,
                         **further)

    def fit(self, optimizer: Any = None, metric: Any = None, n_rounds: int = 1,
            callback: Any = "text", restart: bool = False,
            start_iteration: Optional[int] = None, penalty: Optional[str] = None,
            level: int = 0, bounds: Optional[Mapping[str, Any]] = None,
            **params: Any) -> Tuple[Optional[Dict[str, Any]], Any]:
        """As TraceFitter.fit, with a SpikeMetric; default GammaFactor(2*ms, the
        trace's duration)."""
        return self._fit_rounds(sys._getframe(1 + level), optimizer, metric,
                                n_rounds, callback, restart, start_iteration,
                                penalty, bounds, params)

    def generate_spikes(self, params: Optional[Mapping[str, Any]] = None,
                        param_init: Optional[Mapping[str, Any]] = None,
                        iteration: float = 1e9, level: int = 0) -> Any:
        """``generate`` of "spikes": a list of arrays of times."""
        return self._generate(sys._getframe(1 + level), SPIKES, params, param_init,
                              iteration)
