"""How an output is compared with its target. A metric is a member of the
coordinator's catalogue with options; workers compute it. ``normalization`` is a
size in the output's unit, by which differences are divided: it takes the unit out
of the error, so that errors of several outputs can be added up.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import numpy as np

from somafit import unit_table
from somafit.convert import as_text, scalar, si, text
from somafit.errors import NotAvailableError
from somafit.unit_table import NONE, same
from somafit.v1 import fit_pb2, model_pb2


class Metric:
    """Base of all metrics. `name` is that of the catalogue; a class of your own
    has none, and is refused by ``fit``: errors that Python computes need an
    exchange of traces that does not exist yet.

    t_start: time from which on the error counts.
    normalization: size that the error is divided by, default 1.
    Two metrics with the same name and options are equal: a fit is continued with
    either.
    """

    name = ""
    # The dimension of `normalization`: None is that of the output.
    _normalization_dim: Any = NONE

    def __init__(self, t_start: Any = None, normalization: Any = 1,
                 **options: Any) -> None:
        self.t_start = time_of(0 if t_start is None else t_start, "t_start")
        if self.t_start < 0:
            raise ValueError(f"t_start is {self.t_start} second; it must be 0 or "
                             "more")
        number, dimension = si(normalization, "normalization")
        if np.ndim(number) or not (np.isfinite(number) and number > 0):
            raise ValueError(f"normalization is {normalization}; it must be one "
                             "finite size above 0")
        wanted = self._normalization_dim
        if wanted is not None and not same(dimension, NONE):
            scalar(normalization, wanted, "normalization")
        self._normalization = text(number, dimension)
        # As the original has it: what traces are multiplied by.
        self.normalization = 1 / number if same(dimension, NONE) else \
            1 / (np.float64(number) * _unit(dimension))
        self.t_weights: Optional[np.ndarray] = None
        self._options = {key: value for key, value in options.items()
                         if value is not None}

    def options(self) -> Dict[str, str]:
        """Options of the catalogue that are not its defaults, as text."""
        options = dict(self._options)
        if self.t_start != 0:
            options["t_start"] = text(self.t_start, unit_table.SECOND)
        if self._normalization != "1.0":
            options["normalization"] = self._normalization
        return options

    def spec(self, output: str) -> fit_pb2.MetricSpec:
        """What goes to the coordinator."""
        refuse_own(self)
        return fit_pb2.MetricSpec(
            output=output, metric=self.name,
            options=[model_pb2.NamedText(name=key, text=value)
                     for key, value in self.options().items()],
            t_weights=() if self.t_weights is None else self.t_weights)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Metric) or not (self.name and other.name):
            return self is other
        return self.spec("") == other.spec("")

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        shown = ", ".join(f"{k}={v}" for k, v in self.options().items())
        return f"{type(self).__name__}({shown})"


class TraceMetric(Metric):
    """Base of metrics of traces.

    t_weights: non-negative numbers, one for each step, in place of t_start; they
        count by their ratios.
    """

    _normalization_dim: Any = None

    def __init__(self, t_start: Any = None, t_weights: Any = None,
                 normalization: Any = 1, **options: Any) -> None:
        super().__init__(t_start, normalization, **options)
        if t_weights is None:
            return
        if self.t_start != 0:
            raise ValueError("t_weights is given beside t_start; give one of them")
        weights, dimension = si(t_weights, "t_weights")
        if np.ndim(weights) != 1 or not same(dimension, NONE):
            raise ValueError("t_weights must be a one-dimensional array of plain "
                             "numbers, one for each step")
        normalize_weights(weights)
        self.t_weights = np.asarray(weights)


class SpikeMetric(Metric):
    """Base of metrics of spike trains, for the output ``spikes``. Spikes after
    t_start count."""


class MSEMetric(TraceMetric):
    """Mean of squared differences, over steps and then traces."""

    name = "mse"


class RMSEMetric(TraceMetric):
    """Root of the mean squared difference, in the mean over traces."""

    name = "rmse"


class MAEMetric(TraceMetric):
    """Mean absolute difference."""

    name = "mae"


class HuberMetric(TraceMetric):
    """Squares of differences up to `delta` (in the output's unit), sizes of larger
    ones (P. J. Huber, Annals of Mathematical Statistics 35, 1964)."""

    name = "huber"

    def __init__(self, delta: Any, t_start: Any = None, t_weights: Any = None,
                 normalization: Any = 1) -> None:
        super().__init__(t_start, t_weights, normalization,
                         delta=as_text(delta, "delta"))


class CorrelationMetric(TraceMetric):
    """1 minus the correlation of output and target."""

    name = "correlation"
    _normalization_dim = NONE


class CosineMetric(TraceMetric):
    """1 minus the cosine of the angle between output and target."""

    name = "cosine"
    _normalization_dim = NONE


class MaxMetric(TraceMetric):
    """Difference of the largest values."""

    name = "max"


class MinMetric(TraceMetric):
    """Difference of the smallest values."""

    name = "min"


class MeanMetric(TraceMetric):
    """Difference of the means."""

    name = "mean"


class MedianMetric(TraceMetric):
    """Difference of the medians."""

    name = "median"


class StdMetric(TraceMetric):
    """Difference of the standard deviations."""

    name = "std"


class KurtosisMetric(TraceMetric):
    """Difference of the kurtoses."""

    name = "kurtosis"
    _normalization_dim = NONE


class QuantileMetric(TraceMetric):
    """Difference of the q-quantiles, `q` from 0 to 1."""

    name = "quantile"

    def __init__(self, q: float = 0.5, t_start: Any = None, t_weights: Any = None,
                 normalization: Any = 1) -> None:
        if not 0 <= q <= 1:
            raise ValueError(f"q is {q}; it must lie within 0 and 1")
        super().__init__(t_start, t_weights, normalization, q=repr(float(q)))


class GammaFactor(SpikeMetric):
    """Coincidences of spikes beyond those by chance, and their rate (R. Jolivet et
    al., Journal of Neuroscience Methods 169, 2008).

    delta: time within which two spikes coincide.
    time: time that rates are relative to; default: what counts of the trace.
    rate_correction: whether a wrong rate is an error by itself.
    Unlike the original, the error is divided by `normalization` once.
    """

    name = "gamma_factor"

    def __init__(self, delta: Any, time: Any = None, t_start: Any = None,
                 normalization: Any = 1, rate_correction: bool = True) -> None:
        self.delta = above_0(time_of(delta, "delta"), "delta")
        self.time = None if time is None else above_0(time_of(time, "time"), "time")
        self.rate_correction = bool(rate_correction)
        super().__init__(
            t_start, normalization, delta=text(self.delta, unit_table.SECOND),
            time=None if self.time is None else text(self.time, unit_table.SECOND),
            rate_correction=None if rate_correction else "false")


class VanRossumMetric(SpikeMetric):
    """Distance of trains filtered with an exponential of time constant `tau`
    (M. C. W. van Rossum, Neural Computation 13, 2001)."""

    name = "van_rossum"

    def __init__(self, tau: Any = None, t_start: Any = None,
                 normalization: Any = 1) -> None:
        super().__init__(t_start, normalization, tau=None if tau is None else text(
            above_0(time_of(tau, "tau"), "tau"), unit_table.SECOND))


class VictorPurpuraMetric(SpikeMetric):
    """Least cost of turning one train into the other; shifting a spike costs
    `cost` (a rate) times the shift (J. D. Victor, K. P. Purpura, Journal of
    Neurophysiology 76, 1996)."""

    name = "victor_purpura"

    def __init__(self, cost: Any = None, t_start: Any = None,
                 normalization: Any = 1) -> None:
        super().__init__(t_start, normalization, cost=None if cost is None else
                         text(scalar(cost, unit_table.HERTZ, "cost"),
                              unit_table.HERTZ))


class SpikeCountMetric(SpikeMetric):
    """Difference of the numbers of spikes."""

    name = "spike_count"


class SpikeRateMetric(SpikeMetric):
    """Difference of the firing rates."""

    name = "spike_rate"
    _normalization_dim = unit_table.HERTZ


class SpikeLatencyMetric(SpikeMetric):
    """Difference of the times of the first spike."""

    name = "spike_latency"
    _normalization_dim = unit_table.SECOND


class ISIMeanMetric(SpikeMetric):
    """Difference of the mean times between spikes."""

    name = "isi_mean"
    _normalization_dim = unit_table.SECOND


class ISICVMetric(SpikeMetric):
    """Difference of the coefficients of variation of times between spikes."""

    name = "isi_cv"


class FeatureMetric(TraceMetric):
    """Not available yet: raises NotAvailableError."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise NotAvailableError(
            "FeatureMetric: features of eFEL are not available yet; of spikes "
            "there are SpikeCountMetric, SpikeLatencyMetric, SpikeRateMetric, "
            "ISIMeanMetric, of traces MeanMetric, MaxMetric and others")


def refuse_own(metric: Metric) -> None:
    """NotAvailableError for a metric that Python would have to compute."""
    own = type(metric)
    if own.__module__.partition(".")[0] == "somafit" and own.name:
        return
    raise NotAvailableError(
        f"metric: {own.__name__} is computed in Python; such metrics need traces "
        "to be sent here each round (ask and tell), which is not available yet; "
        "use one of somafit's")


def time_of(value: Any, what: str) -> float:
    """A time in seconds; of plain numbers, 0 alone is one."""
    if isinstance(value, (int, float)) and value == 0:
        return 0.0
    return scalar(value, unit_table.SECOND, what)


def above_0(seconds: float, what: str) -> float:
    if not seconds > 0:
        raise ValueError(f"{what} is {seconds} second; it must be above 0")
    return seconds


def _unit(dimension: Any) -> Any:
    from somafit.quantity import Quantity
    return Quantity(1.0, dimension)


def normalize_weights(weights: Any) -> np.ndarray:
    """Weights divided by their mean; ValueError if any is negative, or all are 0."""
    weights = np.asarray(weights, dtype=float)
    if not np.all(np.isfinite(weights)) or np.any(weights < 0):
        raise ValueError("t_weights must be finite and not negative")
    if weights.size == 0 or weights.mean() == 0:
        raise ValueError("t_weights are all 0: nothing would count")
    return weights / weights.mean()


def firing_rate(spikes: Any) -> float:
    """(n - 1)/(last - first) of spike times in order [Hz, where they are plain
    seconds]; NaN for fewer than two."""
    times, _ = si(spikes, "spikes")
    if np.size(times) < 2:
        return float("nan")
    return float((np.size(times) - 1) / (times[-1] - times[0]))


def catalogue() -> Dict[str, type]:
    """The classes of this package by their names in the catalogue."""
    found: Dict[str, type] = {}
    waiting: List[type] = [Metric]
    while waiting:
        each = waiting.pop()
        waiting.extend(each.__subclasses__())
        if getattr(each, "name", "") and each.__module__.startswith("somafit."):
            found[each.name] = each  # type: ignore[attr-defined]
    return found
