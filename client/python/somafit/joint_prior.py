"""Priors of several parameters, which can be drawn from here: what a loop with a
simulator of one's own begins with."""

from __future__ import annotations

import math
import statistics
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Union

import numpy as np

from somafit.bounds import Bounds
from somafit.convert import si
from somafit.errors import DimensionMismatchError, NotAvailableError
from somafit.priors import Prior
from somafit.unit_table import NONE, Dimension, formula, same
from somafit.v1 import fit_pb2

_NORMAL = statistics.NormalDist()
_KINDS = ("uniform", "log_uniform", "normal", "log_normal")
_IMPROPER = "improper"
_NO_PRIOR = ("there is no prior that could be drawn from: give one to go on in rounds, "
             "such as BoxUniform(low, high)")


def array_of(value: Any, what: str) -> np.ndarray:
    """float64, of whatever holds numbers: arrays, lists, quantities, and tensors
    wherever they are, with or without gradients. TypeError names what does not."""
    for name in ("detach", "cpu"):
        if callable(getattr(value, name, None)):
            value = getattr(value, name)()
    try:
        if callable(getattr(value, "numpy", None)):  # a tensor
            return np.asarray(value.numpy(), dtype=float)
        return np.asarray(si(value, what)[0], dtype=float)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what}: " + str(error).replace(f"{what}: ", "")
                          ) from None


class _Marginal(NamedTuple):
    """One parameter's. SI; of the logarithm where `log`."""

    log: bool
    lower: float
    upper: float
    # Of a normal distribution, which the bounds cut off; sigma 0: uniform.
    mean: float = 0.0
    sigma: float = 0.0
    improper: bool = False  # the density is 1 everywhere

    def _cut(self) -> Any:
        """Its ends in standard deviations, so that the nearer tail is the lower
        one, where numbers are exact; whether that is mirrored; their mass."""
        a, b = ((end - self.mean) / self.sigma for end in (self.lower, self.upper))
        mirrored = a > 0
        if mirrored:
            a, b = -b, -a
        low, high = (0.5 * math.erfc(-z / math.sqrt(2)) for z in (a, b))
        return mirrored, low, high

    def quantile(self, u: np.ndarray) -> np.ndarray:
        if self.sigma == 0:
            values = self.lower + (self.upper - self.lower) * u
        else:
            mirrored, low, high = self._cut()
            tiny = np.nextafter(0, 1)
            z = np.array([_NORMAL.inv_cdf(min(max(p, tiny), 1 - 2**-53))
                          for p in low + (high - low) * (1 - u if mirrored else u)])
            values = self.mean + self.sigma * (-z if mirrored else z)
        values = np.clip(values, self.lower, self.upper)
        ends = self.support()
        found = np.exp(values) if self.log else values
        return np.clip(found, ends[0], np.nextafter(ends[1], -math.inf))

    def support(self) -> np.ndarray:
        ends = np.array([self.lower, self.upper])
        return np.exp(ends) if self.log else ends

    def log_prob(self, values: np.ndarray) -> np.ndarray:
        if self.improper:
            return np.where(np.isfinite(values), 0.0, -math.inf)
        low, high = self.support()
        inside = (values >= low) & (values <= high)
        with np.errstate(all="ignore"):
            z = np.log(values) if self.log else values
        if self.sigma == 0:
            density = np.full(values.shape, -math.log(self.upper - self.lower))
        else:
            _, below, above = self._cut()
            density = (-0.5 * ((z - self.mean) / self.sigma)**2 - math.log(
                self.sigma * math.sqrt(2 * math.pi)) - math.log(above - below))
        return np.where(inside, density - z if self.log else density, -math.inf)


def _number(value: Any, name: str, dimension: Optional[Dimension]) -> float:
    number, found = si(value, f"prior of '{name}'")
    if np.ndim(number) or math.isnan(number):
        raise ValueError(f"prior of '{name}': {value!r} is not one number")
    if dimension is not None and not same(found, NONE) and not same(found, dimension):
        raise DimensionMismatchError(f"prior of '{name}' must be in "
                                     f"{formula(dimension)}, not in {formula(found)}")
    return float(number)


def _marginal(bounds: Bounds, name: str, dimension: Optional[Dimension]) -> _Marginal:
    options = dict(bounds.prior.options) if bounds.prior else {}
    kind = bounds.prior.name if bounds.prior else (
        "log_uniform" if bounds.scale == "log" else "uniform")
    if kind == _IMPROPER:
        if options or bounds.low is not None:
            raise ValueError(f"prior of '{name}': {kind} has no bounds and no "
                             "options")
        return _Marginal(False, -math.inf, math.inf, improper=True)
    if kind not in _KINDS:
        raise ValueError(f"prior of '{name}': there is no \"{kind}\"; there are "
                         f"{', '.join(_KINDS)}")
    centre, spread = {"normal": ("mean", "sigma"), "log_normal": (
        "median", "sigma_log")}.get(kind, ("", ""))
    for key in options:
        if key not in ("lower", "upper", centre, spread):
            raise ValueError(f"prior of '{name}': {kind} has no option \"{key}\"")
    log = kind.startswith("log")
    low = options.get("lower") if bounds.low is None else bounds.low
    high = options.get("upper") if bounds.high is None else bounds.high
    for missing, value in (("low", low), ("high", high)):
        if value is None and not centre:
            raise ValueError(f"prior of '{name}': {missing} is missing; give "
                             f"[low, high]")
    lower = (0.0 if log else -math.inf) if low is None else _number(low, name, dimension)
    upper = math.inf if high is None else _number(high, name, dimension)
    if not lower < upper:
        raise ValueError(f"prior of '{name}': the lower bound, {lower:g}, is not below "
                         f"the upper one, {upper:g} (SI)")
    if log and lower < 0 or kind == "log_uniform" and not lower > 0:
        raise ValueError(f"prior of '{name}': the logarithm needs bounds above 0, not "
                         f"{lower:g}")
    if log:
        lower, upper = (-math.inf if lower == 0 else math.log(lower),
                        math.inf if math.isinf(upper) else math.log(upper))
    if not centre:
        return _Marginal(log, lower, upper)
    for key in (centre, spread):
        if key not in options:
            raise ValueError(f"prior of '{name}': {kind} needs {key}")
    mean = _number(options[centre], name, dimension)
    sigma = _number(options[spread], name, None if log else dimension)
    if not sigma > 0 or log and not mean > 0:
        raise ValueError(f"prior of '{name}': {spread if mean > 0 or not log else centre}"
                         " must be above 0")
    return _Marginal(log, lower, upper, math.log(mean) if log else mean, sigma)


class JointPrior:
    """``JointPrior({"g": [1*nS, 100*nS], "k": Prior("normal", mean=0, sigma=1)})``:
    independent parameters, each with what Bounds.of and Prior understand. Arrays are
    in SI, columns in the order of ``names``.

    seed: the same seed gives the same draws from the first call of sample on.
    """

    def __init__(self, parameters: Mapping[str, Any],
                 dims: Optional[Mapping[str, Dimension]] = None, seed: int = 0) -> None:
        if not isinstance(parameters, Mapping) or not parameters:
            raise TypeError("prior must map each parameter to [low, high] or a "
                            f"somafit.Prior, not {parameters!r}")
        self.names: List[str] = list(parameters)
        self._dims = dict(dims or {})
        self.bounds: Dict[str, Bounds] = {}
        for name, value in parameters.items():
            if not isinstance(name, str) or not name.isidentifier():
                raise ValueError(f"prior: {name!r} cannot be the name of a parameter")
            bounds = Bounds.of(value, name)
            if bounds.fixed is not None or bounds.start:
                raise ValueError(f"prior of '{name}': fixed and start values are not "
                                 "inferred; leave them out")
            self.bounds[name] = bounds
        self._marginals = [_marginal(each, name, self._dims.get(name))
                           for name, each in self.bounds.items()]
        self._random = np.random.default_rng([seed, 0x5072696F])

    @staticmethod
    def of(value: Any, seed: int = 0) -> "JointPrior":
        """`value` as one: it is one already, a mapping, None, or a box of uniform
        distributions of elsewhere, told by its name and bounds."""
        if isinstance(value, JointPrior):
            return value
        if isinstance(value, Mapping):
            return JointPrior(value, seed=seed)
        if value is None:
            return NoPrior()
        box = getattr(value, "base_dist", value)
        # Others have bounds, too, such as truncated ones and transformed ones.
        kind = type(box).__name__
        if ("Uniform" in kind and "Log" not in kind and hasattr(box, "low")
                and hasattr(box, "high") and not any(
                    hasattr(each, "transforms") for each in (value, box))):
            return BoxUniform(box.low, box.high, seed=seed)
        raise NotAvailableError(
            f"prior: {type(value).__name__} is a distribution of Python, but the trainer "
            "runs no Python; give {name: [low, high]}, {name: somafit.Prior(\"normal\", "
            "mean=..., sigma=...)} or somafit.BoxUniform(low, high)")

    @property
    def improper(self) -> bool:
        """Whether it is none that could be drawn from."""
        return any(each.improper for each in self._marginals)

    def check_proper(self, what: str) -> None:
        """ValueError where it is improper."""
        if self.improper:
            raise ValueError(f"{what}: {_NO_PRIOR}")

    @property
    def support(self) -> np.ndarray:
        """[parameters x 2]."""
        return np.array([each.support() for each in self._marginals])

    def specs(self) -> List[fit_pb2.ParameterSpec]:
        """What goes to the coordinator."""
        return [bounds.spec(name, self._dims.get(name))
                for name, bounds in self.bounds.items()]

    def sample(self, sample_shape: Union[int, Sequence[int]] = (),
               seed: Optional[int] = None) -> np.ndarray:
        """Draws of the shape (*sample_shape, parameters); others in each call, unless
        there is a seed."""
        self.check_proper("prior")
        shape = (sample_shape,) if isinstance(sample_shape, (int, np.integer)) else \
            tuple(int(each) for each in sample_shape)
        random = self._random if seed is None else np.random.default_rng(seed)
        u = random.random((int(np.prod(shape)), len(self.names)))
        return np.column_stack([each.quantile(u[:, i]) for i, each in enumerate(
            self._marginals)]).reshape(*shape, -1)

    def log_prob(self, theta: Any) -> np.ndarray:
        """The log density in nats at [... x parameters]; -inf outside."""
        points = array_of(theta, "theta")
        if points.ndim == 0 or points.shape[-1] != len(self.names):
            raise ValueError(f"theta has the shape {points.shape}; its last axis must be "
                             f"the {len(self.names)} parameters {', '.join(self.names)}")
        return sum(each.log_prob(points[..., i])
                   for i, each in enumerate(self._marginals))

    def __eq__(self, other: object) -> bool:
        return (isinstance(other, JointPrior) and self.names == other.names
                and self._marginals == other._marginals)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<somafit.{type(self).__name__} of {', '.join(self.names)}>"


class BoxUniform(JointPrior):
    """``BoxUniform(low=[0, 0], high=[1, 2])``: each parameter evenly between its
    bounds; arrays, lists or tensors. `names`: default theta0, theta1, and so on.
    reinterpreted_batch_ndims and device are taken, and mean nothing here."""

    def __init__(self, low: Any, high: Any, reinterpreted_batch_ndims: int = 1,
                 device: Any = None, *, names: Optional[Sequence[str]] = None,
                 seed: int = 0) -> None:
        self.low, self.high = (np.atleast_1d(array_of(low, "low")),
                               np.atleast_1d(array_of(high, "high")))
        if self.low.ndim != 1 or self.low.shape != self.high.shape or not len(self.low):
            raise ValueError(f"low has the shape {self.low.shape} and high "
                             f"{self.high.shape}; both must have one number a parameter")
        called = [f"theta{i}" for i in range(len(self.low))] if names is None else list(
            names)
        if len(set(called)) != len(self.low):
            raise ValueError(f"names: there are {len(set(called))} different ones for "
                             f"{len(self.low)} parameters")
        super().__init__({name: [float(a), float(b)] for name, a, b in zip(
            called, self.low, self.high)}, seed=seed)


class NoPrior(JointPrior):
    """What stands for a prior where None is given: improper ones of `n` parameters,
    theta0, theta1, and so on; 0: nobody knows yet how many."""

    improper = True

    def __init__(self, n: int = 0) -> None:
        self.names: List[str] = []
        self.bounds: Dict[str, Bounds] = {}
        self._marginals: List[_Marginal] = []
        if n:
            super().__init__({f"theta{i}": Prior(_IMPROPER) for i in range(n)})
