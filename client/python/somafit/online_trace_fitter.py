"""Fits to traces without keeping any; which no fit does here."""

from __future__ import annotations

import sys
from typing import Any, Dict, Mapping, Optional, Tuple

from somafit.fitter import Fitter
from somafit.metrics import Metric, MSEMetric
from somafit.quantity import Quantity
from somafit.unit_table import SECOND


class OnlineTraceFitter(Fitter):
    """Fits a model to one trace variable by the mean of squared differences from
    `t_start` on. The error is that of MSEMetric(t_start): workers add errors up
    step by step with every metric. Other arguments are those of Fitter.
    """

    def __init__(self, dt: Any, model: Any, input: Any, output: Any,
                 input_var: Optional[str] = None, output_var: Any = None,
                 n_samples: int = 30, threshold: Optional[str] = None,
                 reset: Optional[str] = None, refractory: Any = False,
                 method: Optional[str] = None,
                 param_init: Optional[Mapping[str, Any]] = None,
                 penalty: Optional[str] = None, t_start: Any = 0,
                 **further: Any) -> None:
        self._error = MSEMetric(t_start)
        self.t_start = Quantity(self._error.t_start, SECOND)
        super().__init__(dt, model, input, output, input_var, output_var, n_samples,
                         threshold, reset, refractory, method, param_init, penalty,
                         **further)
        if len(self.output_var) != 1 or self.output_var == ["spikes"]:
            raise ValueError("output must be one variable of the model, not "
                             f"{', '.join(self.output_var)}; use TraceFitter")

    def _choose_metrics(self, metric: Any) -> Dict[str, Metric]:
        return {self.output_var[0]: self._error}

    def fit(self, optimizer: Any = None, n_rounds: int = 1, callback: Any = "text",
            restart: bool = False, start_iteration: Optional[int] = None,
            penalty: Optional[str] = None, level: int = 0,
            bounds: Optional[Mapping[str, Any]] = None, **params: Any
            ) -> Tuple[Optional[Dict[str, Any]], Any]:
        """As TraceFitter.fit, without a choice of metric. It can be continued."""
        return self._fit_rounds(sys._getframe(1 + level), optimizer, None, n_rounds,
                                callback, restart, start_iteration, penalty, bounds,
                                params)

    def generate_traces(self, params: Optional[Mapping[str, Any]] = None,
                        param_init: Optional[Mapping[str, Any]] = None,
                        level: int = 0) -> Any:
        """``generate`` of the fitted output."""
        return self._generate(sys._getframe(1 + level), None, params, param_init,
                              1e9)
