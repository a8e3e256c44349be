"""A posterior of a coordinator: draws, densities, maximum, conditionals. A trainer
answers; numpy arrays in SI, columns in the order of ``parameter_names``."""

from __future__ import annotations

import copy
import json
import os
import zipfile
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, \
    Union

import numpy as np

from somafit import errors
from somafit.convert import scalar, si
from somafit.fit_units import _words
from somafit.quantity import make
from somafit.simulations import trace_column_names
from somafit.unit_table import NONE, formula, same
from somafit.v1 import inference_pb2, inference_service_pb2

_FORMAT = "somafit posterior 1"


class Conditional(NamedTuple):
    """Densities along parameters with all others fixed, the largest 1."""

    parameters: List[str]
    grid: np.ndarray  # [subset x resolution], SI
    singles: np.ndarray  # [subset x resolution]
    # (i, j) -> [resolution x resolution], parameter j in rows, i in columns, i < j
    pairs: Dict[Tuple[int, int], np.ndarray]


class Posterior:
    """Made by ``Client.posterior(name)``; NotFoundError if there is no inference of
    that name, and WrongStateError when it is asked before its first round has been
    trained on. ``x`` is what it is conditioned on: where nothing else is said, the
    inference's own observation."""

    def __init__(self, client: Any, name: str, round: Optional[int] = None) -> None:
        self._client, self.name, self.round = client, name, round
        self._x: Optional[np.ndarray] = None
        self.map_: Optional[np.ndarray] = None
        self.refresh()

    def refresh(self) -> "Posterior":
        """What there is of it now."""
        connection = self._client.connection
        self.message: inference_service_pb2.Posterior = connection.retry(
            lambda: connection.inference.GetPosterior(
                inference_service_pb2.GetPosteriorRequest(name=self.name),
                timeout=30.0, metadata=connection.metadata))
        return self

    @property
    def parameter_names(self) -> List[str]:
        return [each.name for each in self.message.parameters]

    @property
    def units(self) -> Dict[str, Any]:
        """One SI unit of each parameter, 1 of a plain number."""
        return {each.name: make(1.0, _words(each.si_unit))
                for each in self.message.parameters}

    @property
    def bounds(self) -> np.ndarray:
        """[parameters x 2]: the prior's support."""
        return np.array([[each.lower, each.upper]
                         for each in self.message.parameters])

    @property
    def features(self) -> List[str]:
        """Names of x's columns; of raw traces "v[0][17]", step 17 of trace 0."""
        return list(self.message.features) + trace_column_names(
            self.message.trace_columns)

    @property
    def observation(self) -> np.ndarray:
        """What it is conditioned on, in the order of `features`."""
        return self._x if self._x is not None else np.array(self.message.observation)

    @property
    def summaries(self) -> List[inference_pb2.TrainingSummary]:
        """How the training of each round went."""
        return list(self.message.rounds)

    def set_default_x(self, x: Any) -> "Posterior":
        """The same posterior, conditioned on another observation."""
        other = copy.copy(self)
        other._x = self._observed(x)
        return other

    def named(self, theta: Any) -> Dict[str, Any]:
        """Name -> quantities, of an array of draws or one point."""
        values = np.asarray(theta, dtype=float)
        return {each.name: make(np.array(values[..., i]) if values.ndim > 1
                                else float(values[i]), _words(each.si_unit))
                for i, each in enumerate(self.message.parameters)}

    # Questions.
    def sample(self, shape: Union[int, Sequence[int]] = (1,), x: Any = None,
               seed: int = 0, max_sampling_time: Optional[float] = None,
               reject_outside_prior: bool = True) -> np.ndarray:
        """Draws within the prior's support, of the shape (*shape, parameters). The
        same seed gives the same draws, and the first of more are the same. With
        `max_sampling_time`, in seconds, there may be fewer: DeadlineError says how
        many."""
        wanted = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        n = int(np.prod(wanted))
        if n < 1 or n > 1_000_000:
            raise ValueError(f"shape {shape} is {n} draws; 1 to 1 000 000 can be "
                             "made at once")
        answer = self._ask(x, draw=inference_service_pb2.DrawQuery(
            n=n, seed=seed, keep_outside_prior=not reject_outside_prior,
            max_seconds=max_sampling_time or 0.0))
        draws = self._rows(answer.theta)
        if len(draws) < n:
            raise errors.DeadlineError(f"{self.name}: {len(draws)} of {n} draws; "
                                       f"{answer.incomplete}")
        return draws.reshape(*wanted, -1)

    def log_prob(self, theta: Any, x: Any = None,
                 norm_posterior: bool = True) -> np.ndarray:
        """The log density in nats at points [n x parameters], or at {name: value}:
        normalized within the prior, unless `norm_posterior` is false; -inf
        outside."""
        points = self.points(theta, "theta")
        answer = self._ask(x, density=inference_service_pb2.DensityQuery(
            theta=points.ravel(), unnormalized=not norm_posterior))
        found = np.array(answer.log_density)
        if len(found) != len(points):
            raise _mismatch("densities")
        return found

    def map(self, x: Any = None, num_init_samples: int = 1000,
            num_to_optimize: int = 100, seed: int = 0) -> np.ndarray:
        """The point of largest density."""
        answer = self._ask(x, map=inference_service_pb2.MapQuery(
            num_init_samples=num_init_samples, num_to_optimize=num_to_optimize,
            seed=seed))
        rows = self._rows(answer.theta)
        if len(rows) != 1:
            raise _mismatch("maximum")
        self.map_ = rows[0]
        return rows[0]

    def conditional(self, condition: Any, subset: Optional[Sequence[Any]] = None,
                    resolution: int = 50, x: Any = None) -> Conditional:
        """Densities along each parameter and each pair of `subset` (names or
        numbers), all others being where `condition` is."""
        chosen = self.subset(subset)
        answer = self._ask(x, conditional=inference_service_pb2.ConditionalQuery(
            condition=self._one(condition), resolution=resolution, subset=chosen))
        n, r = len(chosen), resolution
        try:
            pairs = np.array(answer.pairs).reshape(n * (n - 1) // 2, r, r)
            singles = np.array(answer.singles).reshape(n, r)
            grid = np.array([np.linspace(a, b, r) for a, b in
                             zip(answer.lower, answer.upper)]).reshape(n, r)
        except ValueError:
            raise _mismatch("conditional densities") from None
        numbers = [(i, j) for i in range(n) for j in range(i + 1, n)]
        return Conditional([self.parameter_names[i] for i in chosen], grid, singles,
                           dict(zip(numbers, pairs)))

    def corrcoeff(self, condition: Any, subset: Optional[Sequence[Any]] = None,
                  resolution: int = 50, x: Any = None) -> np.ndarray:
        """[subset x subset]: the correlation of each pair, all others being where
        `condition` is; averaged over its rows."""
        chosen = self.subset(subset)
        answer = self._ask(x, conditional=inference_service_pb2.ConditionalQuery(
            condition=self.points(condition, "condition").ravel(),
            resolution=resolution, subset=chosen, correlations=True))
        try:
            return np.array(answer.correlations).reshape(len(chosen), len(chosen))
        except ValueError:
            raise _mismatch("correlations") from None

    def export(self, round: Optional[int] = None, member: int = 0) -> bytes:
        """The trained estimator's file; its format is documented."""
        request = inference_service_pb2.ExportEstimatorRequest(
            name=self.name, member=member)
        number = self.round if round is None else round
        if number is not None:
            request.round = number
        connection = self._client.connection
        return connection.retry(lambda: b"".join(
            each.chunk for each in connection.inference.ExportEstimator(
                request, metadata=connection.metadata)))

    def save(self, file: "Union[str, os.PathLike[str]]") -> None:
        """What is known of it, and its estimators, in a zip file: posterior.json
        and estimator_<round>.bin. Questions are answered by the coordinator, which
        `load` finds it at again by its name."""
        about = {"format": _FORMAT, "name": self.name,
                 "round": self.round, "x": self.observation.tolist(),
                 "parameters": [{"name": each.name, "unit": each.si_unit,
                                 "lower": each.lower, "upper": each.upper}
                                for each in self.message.parameters],
                 "features": self.features,
                 "best_validation_loss": [each.best_validation_loss
                                          for each in self.message.rounds]}
        files = [self.export(number) for number in range(len(self.message.rounds))]
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("posterior.json", json.dumps(about, indent=1))
            for number, content in enumerate(files):
                archive.writestr(f"estimator_{number}.bin", content)

    @staticmethod
    def load(client: Any, file: "Union[str, os.PathLike[str]]") -> "Posterior":
        """The posterior that `save` wrote of, at its coordinator: NotFoundError if
        that has it no more, or another one of that name."""
        try:
            with zipfile.ZipFile(file) as archive:
                about = json.loads(archive.read("posterior.json"))
            if about.get("format") != _FORMAT:
                raise ValueError
        except (zipfile.BadZipFile, KeyError, ValueError):
            raise ValueError(f"{file} is no posterior that somafit saved; pickles "
                             "are not read") from None
        try:
            posterior = Posterior(client, about["name"], about["round"])
        except errors.NotFoundError:
            raise errors.NotFoundError(
                f"{file}: the coordinator has no {about['name']}; a file's estimators "
                "cannot be given back to a coordinator (yet), so keep its database: "
                "Client(database=\"fits.db\")") from None
        losses = [each.best_validation_loss for each in posterior.message.rounds]
        if (posterior.parameter_names != [each["name"] for each in
                                          about["parameters"]]
                or posterior.features != about["features"]
                or losses[:len(about["best_validation_loss"])]
                != about["best_validation_loss"]):
            raise errors.NotFoundError(f"{file}: the coordinator's {about['name']} is "
                                       "another inference")
        return posterior.set_default_x(about["x"])

    # What goes there and comes back.
    def _ask(self, x: Any, **query: Any) -> inference_service_pb2.PosteriorAnswer:
        request = inference_service_pb2.AskPosteriorRequest(name=self.name, **query)
        if self.round is not None:
            request.round = self.round
        given = self._observed(x) if x is not None else self._x
        if given is not None:
            request.x.extend(given)
        connection = self._client.connection

        def attempt() -> inference_service_pb2.PosteriorAnswer:
            # Nobody knows how long; keepalive finds out whether anybody is there.
            answer = inference_service_pb2.PosteriorAnswer()
            stream = connection.inference.AskPosterior(
                request, metadata=connection.metadata)
            remove = self._client.on_problem(stream.cancel)
            try:
                for part in stream:
                    answer.MergeFrom(part)
            finally:
                remove()
                stream.cancel()
            return answer

        answer = connection.retry(attempt)
        for message in answer.messages:
            from somafit.connection import log
            log.warning("%s: %s", self.name, message)
        return answer

    def _observed(self, x: Any) -> np.ndarray:
        values = np.ravel(np.asarray(si(x, "x")[0], dtype=float))
        names = self.features
        if len(values) != len(names):
            few = names if len(names) <= 20 else [names[0], "...", names[-1]]
            raise ValueError(f"x has {len(values)} numbers, but there are {len(names)} "
                             f"features: {', '.join(few)}")
        if not np.all(np.isfinite(values)):
            raise ValueError("x has a number that is not finite")
        return values

    def points(self, given: Any, what: str) -> np.ndarray:
        """[n x parameters] of points by name, or an array in SI."""
        if isinstance(given, Mapping):
            for name in given:
                if name not in self.parameter_names:
                    raise ValueError(f"{what}: there is no parameter '{name}'; there "
                                     f"are {', '.join(self.parameter_names)}")
            columns = []
            for each in self.message.parameters:
                if each.name not in given:
                    raise ValueError(f"{what}: the parameter '{each.name}' is missing")
                values, found = si(given[each.name], f"{what}['{each.name}']")
                wanted = _words(each.si_unit)
                if not same(found, NONE) and not same(found, wanted):
                    raise errors.DimensionMismatchError(
                        f"{what}['{each.name}'] must be in {formula(wanted)}, not in "
                        f"{formula(found)}")
                columns.append(np.atleast_1d(values))
            return np.column_stack(np.broadcast_arrays(*columns)).astype(float)
        values = np.atleast_2d(np.asarray(given, dtype=float))
        if values.ndim != 2 or values.shape[1] != len(self.message.parameters):
            raise ValueError(f"{what} has the shape {np.shape(given)}; it must be [n x "
                             f"{len(self.message.parameters)}], for "
                             f"{', '.join(self.parameter_names)}")
        return values

    def _one(self, condition: Any) -> np.ndarray:
        rows = self.points(condition, "condition")
        if len(rows) != 1:
            raise ValueError(f"condition has {len(rows)} rows; densities have one "
                             "condition, only correlations are averaged over several")
        return rows[0]

    def subset(self, given: Optional[Sequence[Any]]) -> List[int]:
        """Numbers of parameters, of their names or numbers; all of None."""
        names = self.parameter_names
        if given is None:
            return list(range(len(names)))
        chosen = []
        for each in given:
            if each in names:
                chosen.append(names.index(each))
            elif isinstance(each, (int, np.integer)) and 0 <= each < len(names):
                chosen.append(int(each))
            else:
                raise ValueError(f"subset: there is no parameter {each!r}; there are "
                                 f"{', '.join(names)}")
        return chosen

    def value(self, name: str, given: Any, what: str) -> float:
        """One value of a parameter in SI."""
        index = self.subset([name])[0]
        return scalar(given, _words(self.message.parameters[index].si_unit), what,
                      plain_is_si=True)

    def _rows(self, theta: Any) -> np.ndarray:
        try:
            return np.array(theta, dtype=float).reshape(
                -1, len(self.message.parameters))
        except ValueError:
            raise _mismatch("draws") from None

    def __repr__(self) -> str:
        return (f"<somafit.Posterior of {self.name}: "
                f"{', '.join(self.parameter_names)}, {len(self.message.rounds)} "
                "rounds>")


def _mismatch(what: str) -> errors.SomafitError:
    return errors.SomafitError(f"the trainer's {what} do not match what was asked for; "
                               "update somafit")
