"""The epochs of trainings, told to trackers as they come."""

from __future__ import annotations

import math
import queue
import threading
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import grpc

from somafit.connection import code_of
from somafit.inference_run import epochs_of
from somafit.v1 import inference_pb2, inference_service_pb2

_PAUSE_SECONDS = 1.0
# No other try makes them go away.
_FINAL = (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.FAILED_PRECONDITION,
          grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAUTHENTICATED)


class EpochTeller:
    """Tells `tells`, which are like log_metric(name, value, step), of each epoch once.
    Steps go on from one training to the next."""

    def __init__(self, tells: Sequence[Callable[[str, float, int], Any]]) -> None:
        self._tells = list(tells)
        self._before = 0  # steps of trainings that there were
        self._told: Dict[int, Tuple[float, float]] = {}  # losses of this one, from 1
        self._ended = True
        # Epoch 1 of a training that came to no end, and is still streamed until
        # the next one has an epoch.
        self._stale: Optional[Tuple[float, float]] = None
        self._error: Optional[Exception] = None

    def __bool__(self) -> bool:
        return bool(self._tells)

    def begin(self) -> None:
        """Another training begins."""
        self._before += max(self._told, default=0)
        if not self._ended and 1 in self._told:
            self._stale = self._told[1]
        self._told, self._error, self._ended = {}, None, False

    def report(self, epoch: inference_pb2.EpochReport) -> None:
        """An epoch that has just been; as in summaries, of the first of several nets
        alone."""
        if epoch.member != 0:
            return
        losses = epoch.training_loss, epoch.validation_loss
        if self._stale is not None and (epoch.epoch != 1 or losses == self._stale):
            return
        self._stale = None
        self._epoch(epoch.epoch, *losses, epoch.seconds)

    def finish(self, round: int, summary: inference_pb2.TrainingSummary) -> None:
        """Of all epochs that were not reported, and of the whole. Raises what a tracker
        has raised since `begin`: nothing of the training depends on it."""
        self._ended, self._stale = True, None
        n, kept = epochs_of(summary), len(summary.validation_loss)
        stride = math.ceil(n / max(kept, 1))
        numbers = [i + 1 for i in range(n) if i % stride == 0 or i + 1 == n]
        if len(numbers) != kept:
            numbers = list(range(1, kept + 1))
        for values in zip(numbers, summary.training_loss, summary.validation_loss,
                          summary.epoch_seconds or [0.0] * kept):
            self._epoch(*values)
        self._tell("best_validation_loss", summary.best_validation_loss, round)
        self._tell("epochs_trained", n, round)
        if self._error is not None:
            raise self._error

    def _epoch(self, number: int, training: float, validation: float, seconds: float
               ) -> None:
        if number in self._told:
            return
        self._told[number] = training, validation
        step = self._before + number - 1
        for name, value in (("training_loss", training),
                            ("validation_loss", validation),
                            ("epoch_durations_sec", seconds)):
            self._tell(name, value, step)

    def _tell(self, name: str, value: float, step: int) -> None:
        for tell in self._tells:
            try:
                tell(name, value, step)
            except Exception as error:
                self._error = self._error or error


def told_while(wait: Callable[[], Any], client: Any, name: str, round: int,
               tell: Callable[[inference_pb2.EpochReport], None]) -> Any:
    """What `wait` returns or raises; meanwhile `tell` is called here, in this thread,
    with the epochs of the round's training."""
    news: "queue.SimpleQueue[Any]" = queue.SimpleQueue()
    stop, streams = threading.Event(), []  # type: ignore[var-annotated]

    def ended() -> None:
        try:
            news.put((True, wait()))
        except BaseException as error:  # handed to the thread that waits
            news.put((False, error))
    for work in (ended, lambda: _follow(client, name, round, news.put, stop, streams)):
        threading.Thread(target=work, name="somafit-training", daemon=True).start()
    try:
        while True:
            got = news.get()
            if not isinstance(got, tuple):
                tell(got)
            elif got[0]:
                return got[1]
            else:
                raise got[1]
    finally:
        stop.set()
        for stream in list(streams):
            stream.cancel()


def _follow(client: Any, name: str, round: int,
            take: Callable[[inference_pb2.EpochReport], None], stop: threading.Event,
            streams: List[Any]) -> None:
    """Until `stop`, or all have come; again and again where the line is lost, with
    epochs that have come already."""
    connection = client.connection
    while not stop.is_set() and not connection.broken():
        try:
            stream = connection.inference.WatchTraining(
                inference_service_pb2.WatchTrainingRequest(name=name),
                metadata=connection.metadata)
            streams[:] = [stream]
            if stop.is_set():  # before there was a stream to cancel
                stream.cancel()
            for progress in stream:
                for epoch in progress.epochs if progress.round == round else ():
                    take(epoch)
            return
        except (grpc.RpcError, ValueError) as error:  # or the channel is closed
            if isinstance(error, grpc.RpcError) and code_of(error) in _FINAL:
                return
        stop.wait(_PAUSE_SECONDS)
