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

from somafit import errors, posterior_file
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

    def __init__(self, client: Any, name: str, round: Optional[int] = None,
                 parameters: Optional[Sequence[str]] = None) -> None:
        self._client, self.name, self.round = client, name, round
        self._named = parameters  # columns in another order than the coordinator's
        self._x: Optional[np.ndarray] = None
        # Why there is nothing to ask any more, shared with those of the same rounds.
        self._gone: List[str] = []
        self.sample_with, self.oversampling_factor = "direct", 0
        self.map_: Optional[np.ndarray] = None
        self.refresh()

    def refresh(self) -> "Posterior":
        """What there is of it now."""
        connection = self._client.connection
        self.message: inference_service_pb2.Posterior = connection.retry(
            lambda: connection.inference.GetPosterior(
                inference_service_pb2.GetPosteriorRequest(name=self.name),
                timeout=30.0, metadata=connection.metadata))
        there = [each.name for each in self.message.parameters]
        named = self._named if self._named is not None and sorted(
            self._named) == sorted(there) else there
        self._columns = [there.index(each) for each in named]
        self._parameters = [self.message.parameters[i] for i in self._columns]
        return self

    @property
    def parameter_names(self) -> List[str]:
        return [each.name for each in self._parameters]

    @property
    def units(self) -> Dict[str, Any]:
        """One SI unit of each parameter, 1 of a plain number."""
        return {each.name: make(1.0, _words(each.si_unit))
                for each in self._parameters}

    @property
    def bounds(self) -> np.ndarray:
        """[parameters x 2]: the prior's support."""
        return np.array([[each.lower, each.upper]
                         for each in self._parameters])

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
                for i, each in enumerate(self._parameters)}

    # Questions.
    def sample(self, shape: Union[int, Sequence[int]] = (1,), x: Any = None,
               seed: int = 0, max_sampling_time: Optional[float] = None,
               reject_outside_prior: bool = True, sample_with: Optional[str] = None,
               oversampling_factor: int = 0) -> np.ndarray:
        """Draws within the prior's support, of the shape (*shape, parameters). The
        same seed gives the same draws, and the first of more are the same. With
        `max_sampling_time`, in seconds, there may be fewer: DeadlineError says how
        many.

        `sample_with`: "direct", draws of the estimator; "rejection", draws of the
        prior that the posterior's density accepts; "importance", each picked from
        `oversampling_factor` (default 32) draws of the prior. None and 0:
        `sample_with` and `oversampling_factor` of this object, as a rule "direct"."""
        n = _count(shape)
        answer = self._ask(x, draw=self._draw(
            n, seed, max_sampling_time, reject_outside_prior, sample_with,
            oversampling_factor))
        draws = self._rows(answer.theta)
        if len(draws) < n:
            raise errors.DeadlineError(f"{self.name}: {len(draws)} of {n} draws; "
                                       f"{answer.incomplete}")
        return draws.reshape(*_shape(shape), -1)

    def sample_batched(self, shape: Union[int, Sequence[int]], x: Any, seed: int = 0,
                       max_sampling_time: Optional[float] = None,
                       reject_outside_prior: bool = True,
                       sample_with: Optional[str] = None,
                       oversampling_factor: int = 0) -> np.ndarray:
        """Draws at each row of `x` [observations x features], of the shape (*shape,
        observations, parameters). Those of a row depend on the seed, its number and
        its x alone; those of a single row are those of `sample`. Otherwise as
        `sample`."""
        rows = self._several(x)
        n = _count(shape)
        answer = self._ask(rows, draw=self._draw(
            n, seed, max_sampling_time, reject_outside_prior, sample_with,
            oversampling_factor))
        draws = self._rows(answer.theta)
        counts = list(answer.draws_of_x) if len(rows) > 1 else [len(draws)]
        if len(counts) != len(rows) or sum(counts) != len(draws):
            raise _mismatch("draws")
        if min(counts) < n:
            raise errors.DeadlineError(f"{self.name}: {len(draws)} of "
                                       f"{n * len(rows)} draws; {answer.incomplete}")
        draws = draws.reshape(len(rows), *_shape(shape), -1)
        return np.moveaxis(draws, 0, -2)

    def _draw(self, n: int, seed: int, max_sampling_time: Optional[float],
              reject_outside_prior: bool, sample_with: Optional[str],
              oversampling_factor: int) -> inference_service_pb2.DrawQuery:
        sampler = self.sample_with if sample_with is None else sample_with
        if sampler == "importance":  # of others it is no property
            oversampling_factor = oversampling_factor or self.oversampling_factor
        return inference_service_pb2.DrawQuery(
            n=n, seed=seed, keep_outside_prior=not reject_outside_prior,
            max_seconds=max_sampling_time or 0.0, sample_with=sampler,
            oversampling_factor=oversampling_factor)

    def log_prob(self, theta: Any, x: Any = None,
                 norm_posterior: bool = True) -> np.ndarray:
        """The log density in nats at points [n x parameters], or at {name: value}:
        normalized within the prior, unless `norm_posterior` is false; -inf
        outside."""
        points = self.points(theta, "theta")
        answer = self._ask(x, density=inference_service_pb2.DensityQuery(
            theta=self._sent(points), unnormalized=not norm_posterior))
        found = np.array(answer.log_density)
        if len(found) != len(points):
            raise _mismatch("densities")
        return found

    def log_prob_batched(self, theta: Any, x: Any,
                         norm_posterior: bool = True) -> np.ndarray:
        """Log densities [n x observations] at `theta` [n x observations x
        parameters], of each under its own row of `x` [observations x features]."""
        rows = self._several(x)
        points = np.asarray(theta, dtype=float)
        wanted = (len(rows), len(self.message.parameters))
        if points.ndim != 3 or points.shape[1:] != wanted:
            raise ValueError(f"theta has the shape {points.shape}; it must be [n x "
                             f"{wanted[0]} observations x {wanted[1]} parameters]")
        answer = self._ask(rows, density=inference_service_pb2.DensityQuery(
            theta=self._sent(np.moveaxis(points, 1, 0).reshape(-1, wanted[1])),
            unnormalized=not norm_posterior))
        found = np.array(answer.log_density)
        if len(found) != points.shape[0] * len(rows):
            raise _mismatch("densities")
        return found.reshape(len(rows), -1).T

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
            condition=self._sent(self._one(condition)[None]), resolution=resolution,
            subset=[self._columns[i] for i in chosen]))
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
            condition=self._sent(self.points(condition, "condition")),
            resolution=resolution, subset=[self._columns[i] for i in chosen],
            correlations=True))
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
        """What is known of it, and its estimators, in a zip file: posterior.json,
        estimator_<round>_<member>.bin, members being those of an ensemble, from 0, and
        posterior.bin, all that another coordinator needs, as `somafit save` writes
        it. Questions are answered by a coordinator, see `load`."""
        about = {"format": _FORMAT, "name": self.name,
                 "round": self.round, "x": self.observation.tolist(),
                 "parameters": [{"name": each.name, "unit": each.si_unit,
                                 "lower": each.lower, "upper": each.upper}
                                for each in self._parameters],
                 "features": self.features,
                 "best_validation_loss": [each.best_validation_loss
                                          for each in self.message.rounds]}
        fit = self._client.fit(self.name)
        members = fit.spec.inference.estimator.ensemble or 1
        estimators = {(number, member): self.export(number, member)
                      for number in range(len(self.message.rounds))
                      for member in range(members)}
        files = {f"estimator_{number}_{member}.bin": content
                 for (number, member), content in estimators.items()}
        files["posterior.bin"] = posterior_file.file_of(
            fit.message, self.message, estimators).SerializeToString()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("posterior.json", json.dumps(about, indent=1))
            for name, content in files.items():
                archive.writestr(name, content)

    @staticmethod
    def load(client: Any, file: "Union[str, os.PathLike[str]]",
             parameters: Optional[Sequence[str]] = None) -> "Posterior":
        """The posterior that `save`, or `somafit save`, wrote of. Where the
        coordinator has it no more, or another one of that name, it gets it as an
        inference of its own, which gives the same draws."""
        try:
            with zipfile.ZipFile(file) as archive:
                about = json.loads(archive.read("posterior.json"))
                content = (archive.read("posterior.bin")
                           if "posterior.bin" in archive.namelist() else b"")
            if about.get("format") != _FORMAT:
                raise ValueError
        except zipfile.BadZipFile:
            with open(file, "rb") as whole:
                found = posterior_file.parsed(whole.read(), file)
            return Posterior(client, posterior_file.begin(client, found).name,
                             parameters=parameters)
        except (KeyError, ValueError):
            raise ValueError(f"{file} is no posterior that somafit saved; pickles "
                             "are not read") from None
        posterior = Posterior._there(client, about, parameters)
        if posterior is None and not content:
            raise errors.NotFoundError(
                f"{file}: the coordinator has no {about['name']}, or another inference "
                "of that name, and the file is of an older somafit: it cannot be given "
                "back; keep the database: Client(database=\"fits.db\")")
        if posterior is None:
            fit = posterior_file.begin(client, posterior_file.parsed(content, file))
            posterior = Posterior(client, fit.name, about["round"], parameters)
        return posterior.set_default_x(about["x"]) if about["x"] else posterior

    @staticmethod
    def _there(client: Any, about: Mapping[str, Any],
               parameters: Optional[Sequence[str]]) -> "Optional[Posterior]":
        """The coordinator's own, if it has that one."""
        try:
            posterior = Posterior(client, about["name"], about["round"], parameters)
        except errors.NotFoundError:
            return None
        losses = [each.best_validation_loss for each in posterior.message.rounds]
        same = (sorted(posterior.parameter_names) == sorted(
                    each["name"] for each in about["parameters"])
                and posterior.features == about["features"]
                and losses[:len(about["best_validation_loss"])]
                == about["best_validation_loss"])
        return posterior if same else None

    # What goes there and comes back.
    def _ask(self, x: Any, **query: Any) -> inference_service_pb2.PosteriorAnswer:
        for why in self._gone:
            raise errors.WrongStateError(why)
        request = inference_service_pb2.AskPosteriorRequest(name=self.name, **query)
        if self.round is not None:
            request.round = self.round
        if isinstance(x, _Observations):
            given = x.ravel()
        else:
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
            raise ValueError(f"x has {len(values)} numbers, but there are {len(names)} "
                             f"features: {_few(names)}")
        if not np.all(np.isfinite(values)):
            raise ValueError("x has a number that is not finite")
        return values

    def _several(self, x: Any) -> "_Observations":
        values = np.asarray(si(x, "x")[0], dtype=float)
        names = self.features
        if values.ndim != 2 or values.shape[1] != len(names) or len(values) == 0:
            raise ValueError(f"x has the shape {values.shape}; it must be "
                             f"[observations x {len(names)}], for {_few(names)}")
        if not np.all(np.isfinite(values)):
            raise ValueError("x has a number that is not finite")
        return values.view(_Observations)

    def points(self, given: Any, what: str) -> np.ndarray:
        """[n x parameters] of points by name, or an array in SI."""
        if isinstance(given, Mapping):
            for name in given:
                if name not in self.parameter_names:
                    raise ValueError(f"{what}: there is no parameter '{name}'; there "
                                     f"are {', '.join(self.parameter_names)}")
            columns = []
            for each in self._parameters:
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
        if values.ndim != 2 or values.shape[1] != len(self._parameters):
            raise ValueError(f"{what} has the shape {np.shape(given)}; it must be [n x "
                             f"{len(self._parameters)}], for "
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
        return scalar(given, _words(self._parameters[index].si_unit), what,
                      plain_is_si=True)

    def _sent(self, points: np.ndarray) -> np.ndarray:
        """Rows as the coordinator has their columns, one behind the other."""
        return points[:, np.argsort(self._columns)].ravel()

    def _rows(self, theta: Any) -> np.ndarray:
        try:
            return np.array(theta, dtype=float).reshape(
                -1, len(self._parameters))[:, self._columns]
        except ValueError:
            raise _mismatch("draws") from None

    def __repr__(self) -> str:
        return (f"<somafit.Posterior of {self.name}: "
                f"{', '.join(self.parameter_names)}, {len(self.message.rounds)} "
                "rounds>")


class _Observations(np.ndarray):
    """[observations x features], checked."""


def _few(names: Sequence[str]) -> str:
    return ", ".join(names if len(names) <= 20 else [names[0], "...", names[-1]])


def _shape(shape: Union[int, Sequence[int]]) -> Tuple[int, ...]:
    return (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(shape)


def _count(shape: Union[int, Sequence[int]]) -> int:
    n = int(np.prod(_shape(shape)))
    if n < 1 or n > 1_000_000:
        raise ValueError(f"shape {shape} is {n} draws; 1 to 1 000 000 can be made at "
                         "once")
    return n


def _mismatch(what: str) -> errors.SomafitError:
    return errors.SomafitError(f"the trainer's {what} do not match what was asked for; "
                               "update somafit")
