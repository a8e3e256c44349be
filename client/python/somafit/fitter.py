"""What TraceFitter, SpikeFitter and OnlineTraceFitter have in common: a model,
recordings, and a fit of a coordinator that goes on from call to call."""

from __future__ import annotations

import warnings
from types import FrameType
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from somafit import fit_spec, metric_choice, recordings, unit_table
from somafit.best import Best, best_after
from somafit.bounds import Bounds
from somafit.callbacks import ProgressBar, callback_setup, needs_gate
from somafit.client import Client
from somafit.convert import as_text, scalar, si
from somafit.dataset import SPIKES, Dataset
from somafit.equations import Equations, identifiers
from somafit.errors import ChangedFitError, NotAvailableError, NotFittedError, \
    SomafitWarning
from somafit.fit import Fit
from somafit.generation import Generation
from somafit.metrics import Metric
from somafit.namespace import Namespace, capture
from somafit.optimizers import Optimizer
from somafit.quantity import Quantity, make
from somafit.result_formats import check_format
from somafit.rounds import run_rounds
from somafit.term_metrics import ExpressionMetric
from somafit.unit_table import formula
from somafit.watch import RoundEvent

# How long a round waits for a callback before the fit is paused, so that the fit
# of a process that died does not wait for ever [s].
GATE_SECONDS = 3600.0


class Fitter(Generation):
    """Base class; use TraceFitter, SpikeFitter or OnlineTraceFitter.

    dt: time between samples, and the step of simulation.
    model: equations as text. What is declared without a formula, such as
        ``g : siemens (constant)``, is fitted.
    input: {name: [traces x steps]} with units.
    output: {name: target} as the kind of Fitter says.
    n_samples: parameter sets a round, taken as it is.
    threshold, reset, refractory, method: as in the model language; without a method
        the first of exact, euler and heun that applies is taken.
    param_init: {variable: number, quantity or expression}, initial values; what is
        not named begins at 0. A parameter that is named is not fitted.
    penalty: variable whose value at the end is added to the error.
    use_units: whether what is returned has units.

    Beyond the original, by keyword:
    seed: the same seed gives the same samples and errors; default 0.
    client: a Client; default one made as ``Client()`` when it is needed.
    name: of the fit at the coordinator; default chosen there.
    namespace: constants of the equations; what it lacks is taken from the caller's
        variables when ``fit`` begins.
    trace_weights: each trace's share in the mean over traces.
    """

    _default_method: Optional[str] = None

    def __init__(self, dt: Any, model: Any, input: Any, output: Any,
                 input_var: Optional[str] = None, output_var: Any = None,
                 n_samples: int = 60, threshold: Optional[str] = None,
                 reset: Optional[str] = None, refractory: Any = None,
                 method: Optional[str] = None,
                 param_init: Optional[Mapping[str, Any]] = None,
                 penalty: Optional[str] = None, use_units: bool = True, *,
                 seed: int = 0, client: Optional[Client] = None,
                 name: Optional[str] = None,
                 namespace: Optional[Mapping[str, Any]] = None,
                 trace_weights: Any = None) -> None:
        if type(self) is Fitter:
            raise TypeError("Fitter is a base class; use TraceFitter, SpikeFitter or "
                            "OnlineTraceFitter")
        self._dt = scalar(dt, unit_table.SECOND, "dt")
        if not self._dt > 0:
            raise ValueError(f"dt is {self._dt} second; it must be above 0")
        self.dt = Quantity(self._dt, unit_table.SECOND)
        self._dt_text = as_text(dt, "dt") if isinstance(dt, str) else None
        self.equations = Equations(model)
        self.model = self.equations.text
        self.threshold = _text_or_none(threshold, "threshold")
        self.reset = _text_or_none(reset, "reset")
        self.refractory = refractory
        self._refractory = self._refractory_text(refractory)
        self.method = _text_or_none(method, "method") or self._default_method
        self.penalty = _penalty(penalty)
        self.n_samples = fit_spec.whole(n_samples, "n_samples", 1)
        self.seed = fit_spec.whole(seed, "seed")
        self.use_units = bool(use_units)
        self.param_init = self._initial_values(param_init, "param_init")
        self.input = recordings.input_by_name(input, input_var, self.equations,
                                              self._code())
        self._read(output, output_var, trace_weights)
        self._name, self._given_namespace = name, namespace
        if namespace is not None and not isinstance(namespace, Mapping):
            raise TypeError(f"namespace must be a mapping, not {namespace!r}")
        if client is not None and not isinstance(client, Client):
            raise TypeError(f"client must be a somafit.Client, not {client!r}")
        self._client = client
        self._fit: Optional[Fit] = None
        self._best: Optional[Best] = None
        self._sent: Optional[Namespace] = None
        self._bounds: Dict[str, Any] = {}
        self._watching = False
        self.iteration = 0
        self.simulator = None
        self.optimizer: Optional[Optimizer] = None
        self.metric: Optional[List[Metric]] = None

    def _read(self, output: Any, output_var: Any, trace_weights: Any) -> None:
        first = next(iter(self.input))
        values, _ = si(self.input[first], f"input '{first}'")
        shape = np.shape(values)
        targets = recordings.output_by_name(output, output_var, self.equations)
        checked = recordings.check_targets(targets, self.equations, None if len(
            shape) != 2 else shape)
        self._dataset = Dataset(
            self.dt, {name: value for name, value in self.input.items()},
            {name: make(*checked[name]) if name in checked else value
             for name, value in targets.items()}, trace_weights)
        self.input_traces = self._dataset.inputs[0].values
        self.output_var = list(targets)
        self.n_traces, self._n_steps = self._dataset.n_traces, self._dataset.n_steps
        self.duration = Quantity(self._dt * self._n_steps, unit_table.SECOND)
        self.output_: List[Any] = []
        self.output: List[Any] = []
        self.output_dim: List[Any] = []
        for channel in self._dataset.outputs:
            if channel.name == SPIKES:
                trains: Any = self._dataset.spike_times
                self.output_.append(trains)
                self.output.append([Quantity(each, unit_table.SECOND)
                                    for each in trains])
            else:
                self.output_.append(channel.values)
                self.output.append(make(channel.values, channel.dimension))
            self.output_dim.append(channel.dimension)

    def _refractory_text(self, refractory: Any) -> str:
        if refractory is None or refractory is False:
            return ""
        if refractory is True:
            raise TypeError("refractory: True is no condition; give a time, or a "
                            "condition as text")
        if isinstance(refractory, str):
            return refractory
        try:
            seconds = scalar(refractory, unit_table.SECOND, "refractory")
        except ValueError as error:
            raise TypeError(str(error)) from None
        return as_text(Quantity(seconds, unit_table.SECOND), "refractory")

    def _initial_values(self, given: Optional[Mapping[str, Any]], what: str
                        ) -> Dict[str, Any]:
        if given is not None and not isinstance(given, Mapping):
            raise TypeError(f"{what} must be a mapping, {{variable: value}}, not "
                            f"{given!r}")
        for name in given or {}:
            definition = self.equations.definitions.get(name)
            if definition is None or definition.kind == "subexpression":
                raise ValueError(
                    f"{what}: '{name}' is not a differential variable or a "
                    "parameter of the model; it has "
                    + ", ".join(self.equations.names("differential")
                                + self.equations.names("parameter")))
            as_text((given or {})[name], f"{what}['{name}']")
        return dict(given or {})

    def _code(self) -> List[str]:
        texts = [self.threshold, self.reset, self._refractory,
                 *(each for each in self.param_init.values()
                   if isinstance(each, str))]
        return [text for text in texts if text]

    @property
    def parameter_names(self) -> List[str]:
        """What is fitted, in the order of the equations."""
        return [name for name in self.equations.names("parameter")
                if name not in self.param_init]

    @property
    def n_neurons(self) -> int:
        return self.n_traces * self.n_samples

    @property
    def client(self) -> Client:
        """The coordinator, started when it is first needed."""
        if self._client is None:
            self._client = Client()
        return self._client

    @property
    def server_fit(self) -> Fit:
        """The fit at the coordinator: its name is what Client.reattach takes."""
        if self._fit is None:
            raise NotFittedError("there is no fit yet; call fit first (n_rounds=0 "
                                 "registers it)")
        return self._fit

    # Best so far.
    @property
    def best_params(self) -> Optional[Dict[str, Any]]:
        """Name -> value of the least error; None before the first round."""
        if self._best is None or self._fit is None:
            return None
        return self._fit.units.point(list(self._best.parameters.values()),
                                     self.use_units)

    @property
    def best_error(self) -> Any:
        """The least total error, normalized, with the penalty; None before."""
        if self._best is None or self._fit is None:
            return None
        return self._with(self._best.error, self._fit.units.error_dim)

    @property
    def best_objective_errors(self) -> Optional[Dict[str, Any]]:
        """Output -> error of the best sample, not normalized."""
        if self._best is None or self._fit is None:
            return None
        return self._best.objective_errors(self._fit.units, self.use_units)

    @property
    def best_objective_errors_normalized(self) -> Optional[Dict[str, Any]]:
        """Output -> normalized error of the best sample."""
        if self._best is None or self._fit is None:
            return None
        return self._best.normalized_errors(self._fit.units, self.use_units)

    def _with(self, value: Any, dimension: Any) -> Any:
        return make(value, dimension) if self.use_units else value

    # Fitting. `_fit_rounds` is called by the public `fit`, at whose caller `frame`
    # is.
    def _fit_rounds(self, frame: Optional[FrameType], optimizer: Any, metric: Any,
                    n_rounds: int, callback: Any, restart: bool,
                    start_iteration: Optional[int], penalty: Optional[str],
                    bounds: Optional[Mapping[str, Any]], params: Mapping[str, Any]
                    ) -> Tuple[Optional[Dict[str, Any]], Any]:
        begins = self._fit is None or restart
        chosen = self._choose_metrics(metric) if begins or metric is not None \
            else None
        for each in (chosen or {}).values():
            metric_choice.check_weights(each, self._n_steps)
        if optimizer is not None and not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer must be an Optimizer, such as "
                            f"NevergradOptimizer(\"DE\"), not {optimizer!r}")
        n_rounds = fit_spec.whole(n_rounds, "n_rounds")
        if start_iteration is not None:
            start_iteration = fit_spec.whole(start_iteration, "start_iteration")
        # As metric and optimizer: the fit keeps its own until it begins anew.
        penalty = _penalty(penalty) or (self.penalty if begins else None)
        searched = self._check_bounds(bounds, params, begins)
        names = self._namespace(frame, chosen or {})
        called = callback_setup(callback, n_rounds)
        gate = {"enabled": needs_gate(called), "timeout_seconds": GATE_SECONDS}
        # Other constants are another model, hence another fit.
        new = self._fit is None or (restart and names != self._sent)
        try:
            after: Optional[int] = 0
            if new:
                self._fit = self.client.submit(self._spec(
                    names, searched, chosen or {}, optimizer, n_rounds, gate,
                    penalty, start_iteration), self._dataset, self.use_units)
                self._sent = names
            else:
                after = self._continue(names, restart, searched, chosen, optimizer,
                                       n_rounds, gate, penalty, start_iteration)
        except BaseException:
            _close(called)
            raise
        assert self._fit is not None
        if begins:
            self._best, self.iteration = None, 0
        if begins or searched:
            self._bounds = {**self._bounds, **searched}
        if start_iteration is not None:
            self.iteration = start_iteration
        if chosen:
            self.metric = list(chosen.values())
        if begins or optimizer is not None:
            self.optimizer = optimizer or Optimizer("de")
        if after is None:
            _close(called)
        else:
            self._run(self._fit, after, called)
        return self.best_params, self.best_error

    def _choose_metrics(self, metric: Any) -> Dict[str, Metric]:
        return metric_choice.by_output(metric, self.output_var, self._family,
                                       self.duration)

    def _family(self, output: str) -> type:
        """The family of metrics that an output may have."""
        return metric_choice.family_of(output)

    def _check_bounds(self, bounds: Optional[Mapping[str, Any]],
                      params: Mapping[str, Any], begins: bool) -> Dict[str, Bounds]:
        """All bounds by name. To a fit that goes on, any may be left out: the
        coordinator compares those that are given."""
        if bounds is not None and not isinstance(bounds, Mapping):
            raise TypeError(f"bounds must be a mapping, {{parameter: [low, high]}}, "
                            f"not {bounds!r}")
        given = {**(bounds or {}), **params}
        twice = set(bounds or {}) & set(params)
        if twice:
            raise ValueError(f"bounds of '{min(twice)}' are given twice")
        for name in given:
            if name in self.param_init:
                raise ValueError(
                    f"'{name}' has an initial value in param_init, which would "
                    "overwrite what is searched for; leave out one of the two")
            if name not in self.parameter_names:
                raise ValueError(
                    f"'{name}' is neither a parameter of the model nor an argument "
                    f"of fit; the parameters are {', '.join(self.parameter_names)}")
        # A restart may leave them out, too: they stay.
        known = self._bounds if self._fit is not None else {}
        for name in self.parameter_names:
            if name not in given and name not in known:
                raise TypeError(f"bounds of '{name}' are missing; give {name}=[low, "
                                "high]")
        if not given and self._fit is not None and not begins:
            return {}
        merged = {**known, **given}
        checked = {name: Bounds.of(merged[name], name)
                   for name in self.parameter_names}
        for name, each in checked.items():
            each.spec(name, self.equations.definitions[name].dimension)
        return checked

    def _namespace(self, frame: Optional[FrameType],
                   metrics: Mapping[str, Metric]) -> Namespace:
        texts = [*self._code(), *(each.expression for each in metrics.values()
                                  if isinstance(each, ExpressionMetric))]
        names = self.equations.used.union(*map(identifiers, texts))
        own = {*self.equations.definitions, *self.input,
               *(f"{name}_target" for name in self.output_var)}
        found = capture(names - own, frame, self._given_namespace)
        if self._sent is None:
            return found
        # Where a call comes from elsewhere, what is not there stays.
        return Namespace({**self._sent.constants, **found.constants},
                         {**self._sent.timed_arrays, **found.timed_arrays})

    def _model(self, names: Namespace) -> Dict[str, Any]:
        model: Dict[str, Any] = {
            "equations": self.model, "constants": names.constants,
            "timed_arrays": names.timed_arrays, "method": self.method or "",
            "initial_values": self.param_init, "refractory": self._refractory,
            "threshold": self.threshold or ""}
        if self.reset is not None:
            model["reset"] = self.reset
        return model

    def _spec(self, names: Namespace, bounds: Mapping[str, Bounds],
              metrics: Mapping[str, Metric], optimizer: Optional[Optimizer],
              n_rounds: int, gate: Mapping[str, Any], penalty: Optional[str],
              start_iteration: Optional[int]) -> Any:
        dims = {name: each.dimension for name, each in
                self.equations.definitions.items() if each.dimension is not None}
        description: Dict[str, Any] = {
            "model": self._model(names), "metrics": metrics,
            "dt": self._dt_text or f"{self._dt!r}*second",
            "n_samples": self.n_samples, "seed": self.seed,
            "stop": {"rounds": n_rounds}, "gate": gate}
        if self._name:  # of the first one; others are called alike
            description["label" if self._fit else "name"] = self._name
        if optimizer is not None:
            description["optimizer"] = optimizer
        if penalty:
            description["penalty"] = penalty
        if start_iteration:
            description["start_iteration"] = start_iteration
        spec = fit_spec.fit_spec(description)
        spec.parameters.extend(fit_spec.parameters(bounds, dims))
        return spec

    def _continue(self, names: Namespace, restart: bool,
                  bounds: Mapping[str, Bounds],
                  metrics: Optional[Mapping[str, Metric]],
                  optimizer: Optional[Optimizer], n_rounds: int,
                  gate: Mapping[str, Any], penalty: Optional[str],
                  start_iteration: Optional[int]) -> Optional[int]:
        """The number of the event that it goes on behind; None: nothing to do."""
        assert self._fit is not None and self._sent is not None
        if names != self._sent:
            changed = [name for name in {**names.constants, **names.timed_arrays}
                       if names.constants.get(name) != self._sent.constants.get(name)
                       or names.timed_arrays.get(name)
                       != self._sent.timed_arrays.get(name)]
            raise ChangedFitError(
                f"the constant '{changed[0]}' is not what it was when the fit began; "
                "give restart=True to begin anew with it")
        state = self._fit.state
        if state in ("RUNNING", "GATED") and not self._watching:
            # Left so by a call that lost the coordinator.
            state = self._fit.pause().state
        if state == "PAUSED" and n_rounds == 0 and not restart:
            return None  # not even what is left of a round
        after = self._fit.refresh().message.last_seq
        if restart:
            optimizer, penalty = optimizer or Optimizer("de"), penalty or ""
        self._fit.continue_(
            n_rounds, restart=restart, parameters=bounds, metrics=metrics,
            optimizer=optimizer, n_samples=self.n_samples, penalty=penalty,
            start_iteration=start_iteration, gate=gate)
        return after

    def _run(self, fit: Fit, after: int, callback: Any) -> None:
        def tell(event: RoundEvent, index: Optional[int]) -> bool:
            self.iteration = fit.spec.start_iteration + event.round + 1
            self._best = best_after(event, fit, self._best)
            if index is None:
                return False
            return callback(*self._told(fit, event, index)) is True

        self._watching = True
        try:
            run_rounds(fit, after, tell)
        finally:
            self._watching = False
            _close(callback)
        fit.refresh()

    def _told(self, fit: Fit, event: RoundEvent, index: int) -> Tuple[Any, ...]:
        """What a callback is called with."""
        params = [fit.units.point(row, self.use_units)
                  for row in event.samples.parameters]
        errors = self._with(event.samples.total_error, fit.units.error_dim)
        info: Dict[str, Any] = {"output_var": list(fit.units.outputs)}
        raw, normalized = (self.best_objective_errors,
                           self.best_objective_errors_normalized)
        if raw is not None and normalized is not None:
            info["objective_errors"] = tuple(raw.values())
            info["objective_errors_normalized"] = tuple(normalized.values())
        return (params, errors, self.best_params, self.best_error, index, info)

    # Results.
    def results(self, format: str = "list", use_units: Optional[bool] = None,
                **options: Any) -> Any:
        """All evaluations since the fit began, or began anew, in order; see
        Fit.results for formats ("list", "dict", "dataframe", "csv", "json", "npz")
        and options (file, stage, status, ranges, order_by, trace_errors)."""
        check_format(format)
        if self._fit is None:
            raise NotFittedError("there are no results yet; call fit first")
        if format == "dataframe" and use_units:
            warnings.warn("use_units: a dataframe has plain numbers, in SI",
                          SomafitWarning, stacklevel=2)
        return self._fit.results(
            format, self.use_units if use_units is None else use_units, **options)

    def refine(self, *_: Any, **__: Any) -> Any:
        """Not available yet: raises NotAvailableError."""
        raise NotAvailableError("refine: local refinement is not available yet; go "
                                "on with fit, within narrower bounds and "
                                "restart=True")

    def __repr__(self) -> str:
        outputs = ", ".join(f"{name} [{formula(dim)}]" for name, dim in
                            zip(self.output_var, self.output_dim))
        return (f"<{type(self).__name__} of {', '.join(self.parameter_names)} to "
                f"{outputs}, {self.n_traces} traces>")


def _text_or_none(value: Any, what: str) -> Optional[str]:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{what} must be text, not {value!r}")
    return value


def _penalty(value: Any) -> Optional[str]:
    if value is not None and not isinstance(value, str):
        raise TypeError("penalty must be the name of a variable of the model, not "
                        f"{value!r}")
    return value


def _close(callback: Any) -> None:
    if isinstance(callback, ProgressBar):
        callback.close()
