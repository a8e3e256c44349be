"""A fit of a coordinator, by its name: whoever has the name can ask."""

from __future__ import annotations

import time
import uuid
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, \
    Sequence, Tuple, Union

import numpy as np

from somafit import errors, fit_spec, result_formats, samples, simulations, traces
from somafit.convert import as_text, scalar
from somafit.fit_units import FitUnits
from somafit.posterior import Posterior
from somafit.quantity import make
from somafit.samples import SampleTable
from somafit.watch import ENDED, Event, RoundEvent, state_text, watch
from somafit.v1 import fit_pb2, fit_service_pb2, model_pb2

Point = Mapping[str, Any]


class Evaluation(NamedTuple):
    """Errors at points of one's own. `table` has a row for each point."""

    stage: int
    table: SampleTable


def resource_name(name: Any) -> str:
    """"fits/NAME" of a Fit, "NAME" or "fits/NAME"."""
    if isinstance(name, Fit):
        return name.name
    if not isinstance(name, str) or not name:
        raise TypeError(f"name: {name!r} is not the name of a fit")
    return name if name.startswith("fits/") else f"fits/{name}"


class Fit:
    """Made by Client.submit, Client.fit and Client.reattach.

    What is read is read from the coordinator when it is asked for: state,
    best_params, results and so on are those of now. Parameters are given as
    quantities, texts or plain numbers, which are SI. With ``use_units`` (default
    True) results have units.
    """

    def __init__(self, client: Any, message: fit_pb2.Fit,
                 use_units: bool = True) -> None:
        self._client = client
        self._connection = client.connection
        self._message = message
        self.use_units = use_units
        self.units = FitUnits(message)

    # What it is.
    @property
    def name(self) -> str:
        """"fits/NAME"."""
        return self._message.name

    @property
    def message(self) -> fit_pb2.Fit:
        """All that the coordinator last said, as it said it."""
        return self._message

    @property
    def spec(self) -> fit_pb2.FitSpec:
        return self._message.spec

    def refresh(self) -> "Fit":
        return self._take(self._connection.call(
            "GetFit", fit_service_pb2.GetFitRequest(name=self.name)))

    def _take(self, message: fit_pb2.Fit) -> "Fit":
        self._message = message
        self.units = FitUnits(message)
        return self

    @property
    def state(self) -> str:
        """"RUNNING", "GATED", "PAUSED", "SUCCEEDED", "CANCELLED", "FAILED"."""
        return state_text(self.refresh()._message.state)

    @property
    def has_ended(self) -> bool:
        return self.refresh()._message.state in ENDED

    @property
    def parameter_names(self) -> List[str]:
        return list(self.units.parameters)

    @property
    def output_var(self) -> List[str]:
        return list(self.units.outputs)

    def __repr__(self) -> str:
        return f"<somafit.Fit {self.name}, {state_text(self._message.state)}>"

    # What it found.
    @property
    def best_params(self) -> Optional[Dict[str, Any]]:
        """Of the least error of the stage that optimizes; None before the first
        round, and while no sample has a number for an error."""
        message = self.refresh()._message
        if not message.HasField("best_sample"):
            return None
        return self.units.point(message.best_parameters, self.use_units)

    @property
    def best_error(self) -> Any:
        """The least total error, penalty included, normalized; None before."""
        message = self.refresh()._message
        if not message.HasField("best_sample"):
            return None
        return make(message.best_error, self.units.error_dim) \
            if self.use_units else message.best_error

    @property
    def rounds(self) -> int:
        """Complete rounds of the stage that optimizes."""
        return self.refresh()._message.rounds

    def pages(self, stage: Union[int, str, None] = None,
              limit: Optional[int] = None, **filters: Any
              ) -> Iterator[SampleTable]:
        """Samples page by page; see `samples`."""
        self.refresh()
        number = (self._message.stage if stage is None else
                  None if stage == "all" else fit_spec.whole(stage, "stage"))
        if limit is not None:
            limit = fit_spec.whole(limit, "limit")
        request = samples.list_request(self.name, number, **filters,
                                       dimensions=self.units.columns())
        return samples.pages(self._connection, request,
                             len(self.units.parameters), len(self.units.outputs),
                             limit)

    def samples(self, stage: Union[int, str, None] = None,
                limit: Optional[int] = None, **filters: Any) -> SampleTable:
        """Samples as columns in SI.

        stage: a number, or "all"; default: the stage that optimizes.
        limit: at most so many.
        filters: status ("ok", "nonfinite", "failed", "drawn", "cancelled", "abandoned", or
            several), ranges ({column: (least, greatest)}, quantities, texts or
            plain numbers, which are SI; None for no limit),
            order_by (a column, "total_error desc" for the largest first),
            trace_errors (True adds the errors of each trace). Columns are
            "sample", "round", parameters, "total_error", "<output>_error",
            "<output>_error_normalized", "penalty".
        """
        return samples.join(list(self.pages(stage, limit, **filters)))

    def results(self, format: str = "list", use_units: Optional[bool] = None,
                *, file: result_formats.Destination = None,
                stage: Union[int, str, None] = None, **filters: Any) -> Any:
        """All evaluations in order.

        format: "list" of dicts, "dict" of arrays, "dataframe" (SI, without
            units), "csv", "json" (text, or written to `file`: the bytes of
            ``somafit results``), "npz" (written to `file`).
        Others as of `samples`. ValueError for an unknown format.
        Of an inference: theta and x, see `simulations`; "npz" has these two.
        """
        result_formats.check_format(format)
        if self._message.spec.HasField("inference"):
            return simulations.results_in(format, self.simulations(stage), file)
        units = self.use_units if use_units is None else use_units
        return result_formats.results_in(format, self.pages(stage, **filters),
                                         self.units, self.name, units, file)

    def simulations(self, stage: Union[int, str, None] = None
                    ) -> simulations.Simulations:
        """Of an inference: parameters and features of what was simulated."""
        self.refresh()
        number = (self._message.stage if stage is None else
                  None if stage == "all" else fit_spec.whole(stage, "stage"))
        try:
            x = Posterior(self._client, self.name).features
        except errors.SomafitError:
            x = []  # not there yet
        return simulations.read(self._connection, self._message, number, x_names=x)

    @property
    def phase(self) -> str:
        """Of an inference: what is being done between rounds, "training"; empty
        while samples are simulated."""
        return self.refresh()._message.phase

    # What happens to it.
    def watch(self, after_seq: int = 0, timeout: Optional[float] = None
              ) -> Iterator[Event]:
        """RoundEvents and StateEvents behind `after_seq`, from the first one by
        default, until the fit has ended; over lost connections. DeadlineError
        after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        return watch(self._connection, self.name, self.units, after_seq, deadline,
                     self._client.on_problem)

    def wait(self, timeout: Optional[float] = None) -> "Fit":
        """Until the fit has ended."""
        for _ in self.watch(self._message.last_seq, timeout):
            pass
        return self.refresh()

    def _change(self, method: str, **fields: Any) -> "Fit":
        request = getattr(fit_service_pb2, f"{method}Request")(
            name=self.name, request_id=uuid.uuid4().hex, **fields)
        return self._take(self._connection.call(method, request))

    def pause(self) -> "Fit":
        return self._change("PauseFit")

    def resume(self) -> "Fit":
        return self._change("ResumeFit")

    def cancel(self) -> "Fit":
        """Ends it; its samples stay."""
        return self._change("CancelFit")

    def delete(self) -> None:
        """Removes it with its samples."""
        self._connection.call("DeleteFit", fit_service_pb2.DeleteFitRequest(
            name=self.name, request_id=uuid.uuid4().hex))

    def ack(self, event: RoundEvent, stop: bool = False) -> "Fit":
        """Answers a gated round: go on, or stop in this round."""
        decision = (fit_service_pb2.GATE_DECISION_STOP if stop else
                    fit_service_pb2.GATE_DECISION_CONTINUE)
        return self._change("AckRound", stage=event.stage, round=event.round,
                            decision=decision)

    def continue_(self, rounds: Optional[int] = None, *, restart: bool = False,
                  parameters: Optional[Mapping[str, Any]] = None,
                  metrics: Optional[Mapping[str, Any]] = None,
                  optimizer: Any = None, n_samples: int = 0,
                  penalty: Optional[str] = None,
                  start_iteration: Optional[int] = None,
                  gate: Optional[Mapping[str, Any]] = None,
                  stop: Optional[Mapping[str, Any]] = None,
                  inference: Union[None, fit_pb2.InferenceSpec,
                                   Mapping[str, Any]] = None) -> "Fit":
        """Goes on with a fit that has ended or is paused: so many more rounds (or
        another `stop`), the one that a paused fit is in among them. What is left
        out stays as it is. Only with `restart`, a stage that begins anew, may
        anything be changed; ChangedFitError if it is. Of an inference n_samples and
        the training may be changed always."""
        if stop is None:
            stop = {"rounds": 1 if rounds is None else rounds}
        elif rounds is not None:
            stop = {**stop, "rounds": rounds}
        dims = dict(zip(self.units.parameters, self.units.parameter_dims))
        fields: Dict[str, Any] = {
            "stop": fit_spec.stop(stop), "restart": restart,
            "n_samples": n_samples,
            "parameters": list(fit_spec.parameters(parameters or {}, dims)),
            "metrics": list(fit_spec.metrics(metrics or {}))}
        if optimizer is not None:
            fields["optimizer"] = fit_spec.optimizer(optimizer)
        if penalty is not None:
            fields["penalty"] = penalty
        if start_iteration is not None:
            fields["start_iteration"] = start_iteration
        if gate is not None:
            fields["gate"] = fit_pb2.GateSpec(**gate)
        if inference is not None:
            fields["inference"] = inference if isinstance(
                inference, fit_pb2.InferenceSpec) else fit_spec.inference(inference)
        try:
            return self._change("ContinueFit", **fields)
        except errors.InvalidFitError as error:
            if "restart" in str(error) and not restart:
                raise errors.ChangedFitError(str(error)) from None
            raise

    # What it computes on request.
    def columns_of(self, points: Union[Point, Sequence[Point]], what: str
                   ) -> Tuple[List[str], np.ndarray]:
        """Names and [points x parameters] in SI of one point, or several, by name.
        Fixed parameters may be left out. ValueError names what is missing or
        unknown."""
        several = [points] if isinstance(points, Mapping) else list(points)
        if not several:
            raise ValueError(f"{what} is empty; give at least one point")
        fixed = {each.name: each.lower for each in self._message.parameters
                 if each.lower == each.upper}
        rows = []
        for number, point in enumerate(several):
            where = what if len(several) == 1 else f"{what}[{number}]"
            if not isinstance(point, Mapping):
                raise TypeError(f"{where} must map each parameter to a value, not "
                                f"{point!r}")
            for name in point:
                if name not in self.units.parameters:
                    raise ValueError(
                        f"{where}: the fit has no parameter '{name}'; it has "
                        f"{', '.join(self.units.parameters)}")
            row = []
            for name, dim in zip(self.units.parameters, self.units.parameter_dims):
                if name not in point and name not in fixed:
                    raise ValueError(f"{where}: the parameter '{name}' is missing")
                row.append(fixed[name] if name not in point else scalar(
                    point[name], dim, f"{where}['{name}']", plain_is_si=True))
            rows.append(row)
        return list(self.units.parameters), np.array(rows)

    def evaluate(self, points: Union[Point, Sequence[Point]],
                 timeout: Optional[float] = None) -> Evaluation:
        """Simulates points, as a stage of their own of a fit that is not running,
        and waits for their errors. Bounds do not apply."""
        names, rows = self.columns_of(points, "points")
        before = self.refresh()._message.last_seq
        reply = self._connection.call(
            "EvaluatePoints", fit_service_pb2.EvaluatePointsRequest(
                name=self.name, parameters=names, points=rows.ravel(),
                request_id=uuid.uuid4().hex))
        for event in self.watch(before, timeout):
            if isinstance(event, RoundEvent) and event.stage == reply.stage:
                break
        self.refresh()
        return Evaluation(reply.stage, self.samples(reply.stage))

    def generate(self, outputs: Sequence[str],
                 points: Union[None, Point, Sequence[Point]] = None,
                 param_init: Optional[Mapping[str, Any]] = None,
                 iteration: Optional[float] = None) -> traces.Recording:
        """What variables of the model do on every trace of the dataset, at the
        points, default the best one so far. `param_init` has initial values in
        place of the model's own; `iteration` is what the model calls so, 1e9 by
        default. The fit may be in any state; nothing is stored."""
        request = fit_service_pb2.GenerateTracesRequest(name=self.name,
                                                        outputs=outputs)
        if points is None:
            request.best = True
        else:
            names, rows = self.columns_of(points, "params")
            request.parameters.extend(names)
            request.points.extend(rows.ravel())
        for name, value in (param_init or {}).items():
            request.initial_values.append(model_pb2.NamedText(
                name=name, text=as_text(value, f"param_init['{name}']")))
        if iteration is not None:
            request.iteration = fit_spec.whole(iteration, "iteration")
        return traces.generate(self._connection, request, self._client.on_problem)
