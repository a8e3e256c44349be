"""Features: numbers that are made of an output on each trace, by the workers.

    from somafit import features
    Inferencer(..., features={"v": [features.max(t_start=5*ms), features.mean()],
                              "spikes": [features.spike_count()]})

`t_start` and `t_end` cut a window out of a trace; other options are those of
``Client().describe("features")``, such as q of a quantile, and empty: what stands
for a number that too few spikes have not. A plain name, ``"max"``, is a feature
without options. Functions of your own cannot be: traces stay with the workers.

``features.trace(t_start=5*ms, every=10)`` is the trace itself, of which one of every
10 steps is a column of x, and stands beside no other feature: a net then finds
features by itself. Without any features all traces are taken so.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence

from somafit.dataset import SPIKES
from somafit.errors import NotAvailableError
from somafit.fit_spec import named_texts
from somafit.v1 import fit_pb2

OF_TRACES = ("max", "min", "mean", "median", "std", "quantile", "kurtosis",
             "rms", "last", "trace")
OF_SPIKES = ("spike_count", "spike_rate", "spike_latency", "isi_mean", "isi_cv")
KNOWN = OF_TRACES + OF_SPIKES


class Feature:
    """``Feature("max", t_start=5*ms)``; `label` is how results call it."""

    def __init__(self, name: str, label: str = "", **options: Any) -> None:
        if not isinstance(name, str) or not name:
            raise TypeError(f"name: {name!r} is not the name of a feature")
        self.name, self.label = name, label
        self.options: Dict[str, Any] = {key: value for key, value in options.items()
                                        if value is not None}

    def spec(self, output: str) -> fit_pb2.FeatureSpec:
        """What goes to the coordinator."""
        what = f"features of '{output}', {self.name}"
        return fit_pb2.FeatureSpec(
            output=output, feature=self.name, name=self.label,
            options=named_texts(self.options, what))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Feature) and self.spec("") == other.spec("")

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        options = "".join(f", {k}={v!r}" for k, v in self.options.items())
        return f"Feature({self.name!r}{options})"


def _maker(name: str, what: str) -> Any:
    def make(t_start: Any = None, t_end: Any = None, label: str = "",
             **options: Any) -> Feature:
        return Feature(name, label, t_start=t_start, t_end=t_end, **options)
    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"{what}; within [t_start, t_end), where given."
    return make


max = _maker("max", "The largest value")
min = _maker("min", "The least value")
mean = _maker("mean", "The mean over steps")
median = _maker("median", "The median over steps")
std = _maker("std", "The standard deviation over steps")
quantile = _maker("quantile", "The value below which a share of the steps lies")
kurtosis = _maker("kurtosis",
                  "m4 / m2^2 - 3 over steps; with pearson=True without the - 3")
rms = _maker("rms", "The root of the mean square")
last = _maker("last", "The last value")
trace = _maker("trace", "The trace itself, one of `every` steps")
spike_count = _maker("spike_count", "The number of spikes")
spike_rate = _maker("spike_rate", "Spikes per time")
spike_latency = _maker("spike_latency", "The time of the first spike")
isi_mean = _maker("isi_mean", "The mean interval between spikes")
isi_cv = _maker("isi_cv", "The coefficient of variation of these intervals")


def _of(value: Any, output: str) -> Feature:
    if isinstance(value, Feature):
        return value
    if isinstance(value, str):
        return Feature(value)
    if isinstance(value, Mapping):
        for key in value:
            if key not in ("feature", "options", "name"):
                raise ValueError(f"features of '{output}': \"{key}\" is not known; a "
                                 "mapping has feature, options and name")
        return Feature(value.get("feature", ""), value.get("name", ""),
                       **(value.get("options") or {}))
    if callable(value):
        if value in (globals().get(name) for name in KNOWN):
            return value()  # features.max, without parentheses
        name = getattr(value, "__name__", repr(value))
        raise NotAvailableError(
            f"features of '{output}': {name} is a function of Python, but features "
            "are computed by the workers, where the traces are, and they run no "
            f"Python; there are {', '.join(KNOWN)}, as somafit.features.max(t_start="
            "...) or \"max\"; an expression can be a line of the model's equations, "
            "as an output of its own")
    raise TypeError(f"features of '{output}': {value!r} is none; give "
                    "somafit.features.max() and the like, or their names")


def traces_of(outputs: Sequence[str]) -> Dict[str, List[Feature]]:
    """What is taken where no features are given."""
    if SPIKES in outputs:
        raise ValueError("features: there are none, but spikes have no raw trace to "
                         "infer from; give {output: [somafit.features.spike_count(), "
                         "...]} for each output")
    return {output: [Feature("trace")] for output in outputs}


def feature_specs(given: Mapping[str, Any]) -> List[fit_pb2.FeatureSpec]:
    """Of {output: [feature, ...]}, in the order given."""
    if not isinstance(given, Mapping):
        raise TypeError("features must be a mapping, {output: [feature, ...]}, not "
                        f"{given!r}")
    specs = []
    for output, several in given.items():
        if isinstance(several, (str, Feature)) or not isinstance(several, Sequence):
            several = [several]
        if not several:
            raise ValueError(f"features of '{output}' are empty; give at least one")
        specs += [_of(each, output).spec(output) for each in several]
    return specs
