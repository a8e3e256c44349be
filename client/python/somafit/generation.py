"""What a Fitter's model does with given parameters."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, List, Mapping, Optional

from somafit import unit_table
from somafit.best import Best
from somafit.bounds import Bounds
from somafit.convert import scalar
from somafit.dataset import SPIKES
from somafit.errors import NotFittedError
from somafit.fit import Fit
from somafit.quantity import Quantity
from somafit.traces import Recording, spike_times
from somafit.unit_table import NONE


class Generation:
    """The part of Fitter that generates traces and spikes; of what it needs, Fitter
    says what it is."""

    output_var: List[str]
    parameter_names: Any
    _best: Optional[Best]
    _fit: Optional[Fit]
    _initial_values: Any
    _namespace: Any
    _choose_metrics: Any
    _spec: Any
    _with: Any
    client: Any
    equations: Any
    _dataset: Any

    def generate(self, output_var: Any = None,
                 params: Optional[Mapping[str, Any]] = None,
                 param_init: Optional[Mapping[str, Any]] = None,
                 iteration: float = 1e9, level: int = 0) -> Any:
        """What the model does on every trace with `params`, default the best.

        output_var: a variable, subexpression or parameter, "spikes", or a list of
            them; default the fitted outputs.
        param_init: initial values in place of those of the constructor.
        iteration: what the model calls so.
        Returns [traces x steps] of one name, a list of arrays of spike times of
        "spikes", or for several names a dict of those.
        """
        return self._generate(sys._getframe(1 + level), output_var, params,
                              param_init, iteration)

    def _generate(self, frame: Optional[FrameType], output_var: Any, params: Any,
                  param_init: Any, iteration: float) -> Any:
        single = isinstance(output_var, str) or (output_var is None
                                                 and len(self.output_var) == 1)
        names = (self.output_var if output_var is None else
                 [output_var] if isinstance(output_var, str) else list(output_var))
        initial = self._initial_values(param_init, "param_init")
        for name in initial:
            if name in self.parameter_names:
                raise ValueError(f"param_init: '{name}' is a parameter of the fit; "
                                 "give it in params")
        if params is not None and not isinstance(params, Mapping):
            raise TypeError(f"params must map each parameter to a value, not "
                            f"{params!r}")
        if params is None and self._best is None:
            raise NotFittedError("params: there are no best parameters yet; call "
                                 "fit first, or give params")
        fit = self._fit
        if fit is None:
            fit = self._register(frame, params)
        try:
            recording = fit.generate(
                names, self._best.parameters if params is None and self._best
                else params, initial, iteration)
        finally:
            if fit is not self._fit:
                fit.delete()
        dressed = {name: self._dressed(recording, name) for name in names}
        return dressed[names[0]] if single else dressed

    def _register(self, frame: Optional[FrameType], params: Any) -> Fit:
        """A fit that is there for its model alone; bounds do not matter to it."""
        for name in self.parameter_names:
            if name not in params:
                raise ValueError(f"params: the parameter '{name}' is missing")
        for name in params:
            if name not in self.parameter_names:
                raise ValueError(f"params: the model has no parameter '{name}'; it "
                                 f"has {', '.join(self.parameter_names)}")
        around = {}
        for name in self.parameter_names:
            dimension = self.equations.definitions[name].dimension or NONE
            value = scalar(params[name], dimension, f"params['{name}']", True)
            size = Quantity(abs(value) or 1.0, dimension)
            middle = Quantity(value, dimension)
            around[name] = Bounds(middle - size, middle + size)
        metrics = self._choose_metrics(None)
        spec = self._spec(self._namespace(frame, metrics), around, metrics, None, 0,
                          {}, None, None)
        spec.name = ""
        return self.client.submit(spec, self._dataset).wait()

    def _dressed(self, recording: Recording, name: str) -> Any:
        values = recording.values[name][0]
        if name == SPIKES:
            return [self._with(spike_times(trace, recording.dt), unit_table.SECOND)
                    for trace in values]
        return self._with(values, recording.dims[name])
