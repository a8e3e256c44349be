"""Inferences with a simulator of one's own, as calls of the coordinator: propose,
append, train, round after round."""

from __future__ import annotations

import uuid
from typing import Any, Callable, Iterator, List, Optional, Sequence, Union

import numpy as np

from somafit import simulations
from somafit.errors import FitStoppedError, SomafitError
from somafit.fit import Fit
from somafit.joint_prior import JointPrior
from somafit.training_watch import told_while
from somafit.watch import RoundEvent, StateEvent
from somafit.v1 import fit_pb2, inference_pb2, inference_service_pb2

_MOST_ROWS = 50_000  # of one call
_MOST_NUMBERS = 4_000_000
_PIECE_NUMBERS = 64_000  # of one message, theta and x each
_MOST_PROPOSED = 50_000


class OwnInference:
    """Begun as it is made. `features`: the names of x's columns, or how many."""

    def __init__(self, client: Any, prior: JointPrior, algorithm: str,
                 estimator: inference_pb2.DensityEstimatorSpec,
                 features: Union[int, Sequence[str]], seed: int = 0,
                 name: str = "", label: str = "inference",
                 observation: Optional[np.ndarray] = None) -> None:
        spec = fit_pb2.FitSpec(name=name, label="" if name else label, seed=seed)
        spec.parameters.extend(prior.specs())
        spec.inference.algorithm = algorithm
        spec.inference.estimator.CopyFrom(estimator)
        if isinstance(features, int):
            spec.inference.simulator.n_features = features
        else:
            spec.inference.simulator.features.extend(features)
        self.n_features = features if isinstance(features, int) else len(features)
        if observation is not None:
            spec.inference.observation.extend(observation)
        self._client, self._connection = client, client.connection
        self.fit: Fit = client.submit(spec)
        self.names = prior.names
        self.observation = None if observation is None else np.array(observation)
        self.appended = 0  # to the present round
        self._proposed = 0

    @property
    def name(self) -> str:
        return self.fit.name

    @property
    def rounds(self) -> int:
        """Trained on, as far as is known here."""
        return self.fit.message.rounds

    def observe(self, x: np.ndarray) -> None:
        """What the posterior, and from now on its proposals, are conditioned on."""
        request = inference_service_pb2.SetObservationRequest(
            name=self.name, observation=x, request_id=uuid.uuid4().hex)
        self.fit._take(self._call("SetObservation", request))
        self.observation = np.array(x, dtype=float)

    def append(self, theta: np.ndarray, x: np.ndarray) -> None:
        """Simulations of the present round: [n x parameters] and [n x features]."""
        width = self.n_features + len(self.names)
        rows = max(1, min(_MOST_ROWS, _MOST_NUMBERS // width))
        for at in range(0, len(theta), rows):
            self._append(theta[at:at + rows], x[at:at + rows], width)

    def _append(self, theta: np.ndarray, x: np.ndarray, width: int) -> None:
        request_id, rows = uuid.uuid4().hex, max(1, _PIECE_NUMBERS // width)

        def messages() -> Iterator[Any]:
            for at in range(0, len(theta), rows):
                message = inference_service_pb2.AppendSimulationsRequest(
                    theta=theta[at:at + rows].ravel(), x=x[at:at + rows].ravel())
                if at == 0:
                    message.name, message.request_id = self.name, request_id
                    message.parameters.extend(self.names)
                    message.round = self.rounds
                yield message
        reply = self._connection.retry(
            lambda: self._connection.inference.AppendSimulations(
                messages(), metadata=self._connection.metadata))
        self.appended = reply.simulations

    def propose(self, n: int) -> np.ndarray:
        """[n x parameters] of the proposal of the present round, other ones in each
        call."""
        found = []
        while n > 0:
            request = inference_service_pb2.ProposeRequest(
                name=self.name, n=min(n, _MOST_PROPOSED), first=self._proposed)
            found.append(self._connection.retry(lambda: self._drawn(request)))
            n, self._proposed = n - request.n, self._proposed + request.n
        return np.concatenate(found)

    def _drawn(self, request: Any) -> np.ndarray:
        stream = self._connection.inference.Propose(
            request, metadata=self._connection.metadata)
        remove = self._client.on_problem(stream.cancel)
        theta: List[float] = []
        names: List[str] = []
        try:
            for part in stream:
                names.extend(part.parameters)
                theta.extend(part.theta)
        finally:
            remove()
            stream.cancel()
        if sorted(names) != sorted(self.names) or len(theta) != request.n * len(names):
            raise SomafitError("the coordinator's proposals do not match what was asked "
                               "for; update somafit")
        return np.array(theta).reshape(request.n, -1)[
            :, [names.index(name) for name in self.names]]

    def train(self, training: inference_pb2.TrainingSpec, final_round: bool = False,
              tell: Optional[Callable[[inference_pb2.EpochReport], None]] = None
              ) -> RoundEvent:
        """Learns from the present round, which ends it. FitStoppedError says why that
        failed; simulations stay, so that more can be appended, or it be trained
        otherwise. Ctrl-C leaves it so, too. `tell` is called with epochs as they come;
        some may not, or twice."""
        before = self.fit.refresh().message.last_seq
        self.fit._take(self._call("Train", inference_service_pb2.TrainRequest(
            name=self.name, request_id=uuid.uuid4().hex, training=training,
            final_round=final_round)))
        try:
            event = self._trained(before) if tell is None else told_while(
                lambda: self._trained(before), self._client, self.name, self.rounds,
                tell)
        except KeyboardInterrupt:
            try:
                self.fit.pause()
            except SomafitError:
                pass  # it has just been trained
            raise
        self.appended = self._proposed = 0
        self.fit.refresh()
        return event

    def _trained(self, before: int) -> RoundEvent:
        for event in self.fit.watch(before):
            if isinstance(event, RoundEvent) and event.training is not None:
                return event
            if isinstance(event, StateEvent) and event.state in (
                    "PAUSED", "CANCELLED", "FAILED"):
                reason = event.reason.replace("TRAINER: ", "", 1)
                raise FitStoppedError(f"training of {self.name} failed: {reason}"
                                      if event.reason.startswith("TRAINER")
                                      else f"{self.name} was {event.state.lower()} by "
                                      f"somebody else ({reason})")
        raise FitStoppedError(f"{self.name} has ended before it was trained")

    def simulations(self) -> simulations.Simulations:
        """All that was appended, theta in the order of `names`."""
        found = self.fit.simulations()
        order = [[each.name for each in self.fit.message.parameters].index(name)
                 for name in self.names]
        return found._replace(theta=found.theta[:, order], parameters=self.names)

    def _call(self, method: str, request: Any) -> Any:
        return self._connection.retry(
            lambda: getattr(self._connection.inference, method)(
                request, timeout=60.0, metadata=self._connection.metadata))
