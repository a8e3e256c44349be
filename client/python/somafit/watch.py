"""The events of one fit, each once and in order, over as many connections as it
takes."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Iterator, NamedTuple, Optional, Union

import grpc

from somafit import errors
from somafit.connection import Connection, code_of, is_lost, log
from somafit.fit_units import FitUnits
from somafit.samples import SampleTable, table_of
from somafit.v1 import fit_pb2, fit_service_pb2, inference_pb2

ENDED = (fit_pb2.FIT_STATE_SUCCEEDED, fit_pb2.FIT_STATE_CANCELLED,
         fit_pb2.FIT_STATE_FAILED)


class RoundEvent(NamedTuple):
    """A round is complete. SI."""

    seq: int
    time: float  # Unix time [s]
    stage: int
    round: int
    samples: SampleTable
    best_sample: Optional[int]  # of the stage; None: none has a number yet
    best_parameters: Optional[Dict[str, float]]
    best_error: Optional[float]
    gated: bool  # the fit waits for ack of this round
    # Of an inference: what was learned from the round.
    training: Optional[inference_pb2.TrainingSummary] = None


class StateEvent(NamedTuple):
    """The fit's state changed: "RUNNING", "GATED", "PAUSED", "SUCCEEDED",
    "CANCELLED" or "FAILED"."""

    seq: int
    time: float
    state: str
    reason: str


Event = Union[RoundEvent, StateEvent]


def state_text(state: int) -> str:
    """"RUNNING" for FIT_STATE_RUNNING."""
    try:
        name = fit_pb2.FitState.Name(state)  # type: ignore[arg-type]
    except ValueError:
        return f"STATE {state}"  # of a newer server
    return name[len("FIT_STATE_"):]


def event_of(message: fit_pb2.FitEvent, units: FitUnits) -> Optional[Event]:
    """None for a kind of event that this version does not know."""
    seconds = message.time_us * 1e-6
    if message.HasField("state"):
        return StateEvent(message.seq, seconds, state_text(message.state.state),
                          message.state.reason)
    if not message.HasField("round"):
        return None
    event = message.round
    best = event.best_sample >= 0
    return RoundEvent(
        message.seq, seconds, event.stage, event.round,
        table_of(event.samples, len(units.parameters), len(units.outputs)),
        event.best_sample if best else None,
        dict(zip(units.parameters, event.best_parameters)) if best else None,
        event.best_error if best else None, event.gated,
        event.training if event.HasField("training") else None)


def watch(connection: Connection, name: str, units: FitUnits, after_seq: int,
          deadline: Optional[float] = None,
          on_problem: Callable[[Callable[[], None]], Callable[[], None]] = (
              lambda cancel: lambda: None)) -> Iterator[Event]:
    """Yields events behind `after_seq` until the fit has ended and all have come.

    While the coordinator is away it tries again without end, or until `deadline`
    (of time.monotonic); that is said once in the log "somafit". Raises
    DeadlineError at the deadline, SomafitError for what is final. `on_problem`
    takes what ends a stream early when an embedded program fails.
    """
    seq, pause, away = after_seq, 0.1, False
    while True:
        before = seq
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise errors.DeadlineError(f"{name} has not ended in time; watch it "
                                       "again")
        lost: Optional[errors.SomafitError] = None
        stream: Any = None
        remove = lambda: None
        try:
            stream = connection.stub.WatchFit(
                fit_service_pb2.WatchFitRequest(name=name, after_seq=seq),
                timeout=left, metadata=connection.metadata)
            remove = on_problem(stream.cancel)
            for message in stream:
                if away:
                    away = False
                    log.warning("the coordinator is back")
                if message.seq <= seq:
                    continue
                if message.seq != seq + 1:
                    raise errors.SomafitError(
                        f"events {seq + 1} to {message.seq - 1} of {name} are "
                        "missing; watch it again from 0")
                seq = message.seq
                event = event_of(message, units)
                if event is not None:
                    yield event
            fit = connection.call("GetFit", fit_service_pb2.GetFitRequest(name=name))
            if fit.state in ENDED and seq >= fit.last_seq:
                return
        except grpc.RpcError as error:
            explained = connection.explain(error)
            if code_of(error) == grpc.StatusCode.DEADLINE_EXCEEDED:
                continue  # said above
            moved = connection.refresh()
            if not (is_lost(error) or (moved and isinstance(
                    explained, errors.AccessError))) or connection.broken():
                raise explained from None
            lost = explained
        except errors.ConnectionLostError as error:
            if connection.broken() or isinstance(error, errors.DeadlineError) and (
                    deadline is not None and time.monotonic() >= deadline):
                raise
            lost = error
        except KeyboardInterrupt:
            connection.leave_channel()
            raise
        finally:
            remove()
            if stream is not None:
                stream.cancel()
        if lost is not None and not away:
            away = True
            log.warning("%s; trying again", lost)
        if seq != before:
            pause = 0.1
        time.sleep(pause)
        pause = min(2 * pause, 2.0)
