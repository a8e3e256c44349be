"""The rounds of one call of ``fit``, watched until the fit has ended."""

from __future__ import annotations

import sys
from typing import Any, Callable, Optional

from somafit.connection import log
from somafit.errors import FitStoppedError, SomafitError, WrongStateError
from somafit.fit import Fit
from somafit.watch import RoundEvent, StateEvent

_DRAIN_SECONDS = 30.0  # for events that came before an interruption

# What a round is told to: it, and its number within this call, None where no
# callback is to be called. Whether the fit is to stop.
Tell = Callable[[RoundEvent, Optional[int]], bool]


def run_rounds(fit: Fit, after: int, tell: Tell) -> None:
    """Tells of each round behind the event `after`. Whatever ends it early, Ctrl-C
    or an exception of the callback, ends or pauses the fit too."""
    index, seq, stop, stage = 0, after, False, fit.message.stage
    waiting: Optional[RoundEvent] = None
    try:
        for event in fit.watch(after):
            seq = event.seq
            if isinstance(event, StateEvent):
                _look_at(event, stop)
                continue
            if event.stage != stage:
                continue  # points that somebody evaluated meanwhile
            waiting = event if event.gated else None
            stop = tell(event, index)
            if event.gated:
                _answer(fit, event, stop)
            index, waiting = index + 1, None
    except BaseException as error:
        state = _end_early(fit, waiting, seq, tell)
        if isinstance(error, KeyboardInterrupt):
            print(f"Interrupted after {index} rounds; what was simulated is kept. "
                  + (f"{fit.name} could not be paused, and may go on by itself."
                     if state in ("", "RUNNING", "GATED") else
                     "fit() goes on from there."), file=sys.stderr)
        raise


def _look_at(event: StateEvent, stopped: bool) -> None:
    if event.state in ("FAILED", "PAUSED") and event.reason.startswith("TRAINER: "):
        raise FitStoppedError(f"the inference {event.state.lower()}: "
                              + event.reason[len("TRAINER: "):])
    if event.state == "FAILED" or event.reason == "BREAKER":
        raise FitStoppedError(
            f"the fit {event.state.lower()} ({event.reason}): "
            + ("its samples could not be simulated, workers were lost over them"
               if event.reason == "BREAKER" else "see the coordinator's log"))
    if event.state == "PAUSED":
        log.warning("the fit is paused (%s); it goes on once it is resumed, and ends "
                    "with Ctrl-C", event.reason)
    if event.state == "CANCELLED" and not stopped:
        raise FitStoppedError("the fit was cancelled by somebody else")


def _answer(fit: Fit, event: RoundEvent, stop: bool) -> None:
    """Through the gate; or, where the fit was paused since the callback took too
    long or somebody asked for it, as that is gone on from."""
    try:
        fit.ack(event, stop)
    except WrongStateError:
        if fit.state != "PAUSED":
            raise
        if stop:
            fit.cancel()
        else:
            fit.resume()


def _end_early(fit: Fit, waiting: Optional[RoundEvent], seq: int, tell: Tell) -> str:
    """Nothing goes on behind the back of who was interrupted. Stops behind a round,
    or pauses, where no round waits to be answered, or it takes too long (Ctrl-C
    again): either way the fit can be continued. The fit's state, "" if unknown."""
    stage = fit.message.stage
    try:
        state = fit.state
        if waiting is not None and state == "GATED":
            fit.ack(waiting, stop=True)
        elif fit.spec.gate.enabled and state in ("RUNNING", "GATED"):
            for event in fit.watch(seq):
                seq = event.seq
                if isinstance(event, RoundEvent) and event.stage == stage:
                    tell(event, None)
                    if event.gated:
                        fit.ack(event, stop=True)
        elif state == "RUNNING":
            fit.pause()
    except KeyboardInterrupt:
        _pause(fit)
    except SomafitError:
        pass  # the coordinator is away, or the fit has ended meanwhile
    try:
        # Rounds that were complete by then.
        last = fit.refresh().message.last_seq
        for event in fit.watch(seq, _DRAIN_SECONDS) if seq < last else ():
            if isinstance(event, RoundEvent) and event.stage == stage:
                tell(event, None)
            if event.seq >= last:
                break
        return fit.state
    except SomafitError:
        return ""


def _pause(fit: Any) -> None:
    try:
        fit.pause()
    except SomafitError:
        pass
