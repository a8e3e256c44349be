"""Where a parameter may lie, and how the search begins there."""

from __future__ import annotations

import math
from typing import Any, List, Optional, Sequence

import numpy as np

from somafit.convert import as_text, scalar
from somafit.priors import Prior
from somafit.unit_table import NONE, Dimension, same
from somafit.v1 import fit_pb2


class Bounds:
    """``Bounds(1*nS, 100*nS, scale="log", start=10*nS)`` in place of the pair
    ``[1*nS, 100*nS]``.

    low, high: quantities, texts, or plain numbers, which are SI.
    scale: "linear", or "log" to move evenly in the logarithm (bounds above 0).
    start: one value or several within the bounds; sample k of the first round has
        the k-th of them.
    fixed: a value in place of bounds: the parameter is not searched for.
    prior: of an inference, a Prior: how likely values are. Bounds truncate it, and
        may be left out.
    """

    def __init__(self, low: Any = None, high: Any = None, scale: str = "linear",
                 start: Any = None, fixed: Any = None,
                 prior: Optional[Prior] = None) -> None:
        if scale not in ("linear", "log"):
            raise ValueError(f"scale: \"{scale}\" is none; \"linear\" and \"log\" "
                             "are")
        if prior is not None and not isinstance(prior, Prior):
            raise TypeError("prior must be a Prior, such as Prior(\"normal\", "
                            f"mean=10*nS, sigma=1*nS), not {prior!r}")
        if fixed is None and (low is None or high is None) and not (
                prior is not None and low is None and high is None):
            raise ValueError("low and high: give both, or a fixed value")
        if fixed is not None and (low is not None or high is not None
                                  or start is not None):
            raise ValueError("fixed is given beside bounds or start values; a "
                             "fixed parameter is not searched for")
        self.low, self.high, self.scale, self.fixed = low, high, scale, fixed
        self.prior = prior
        several = isinstance(start, (list, tuple)) or (
            not isinstance(start, str) and np.ndim(start) == 1)
        self.start: List[Any] = ([] if start is None else
                                 list(start) if several else [start])

    def __repr__(self) -> str:
        if self.fixed is not None:
            return f"Bounds(fixed={self.fixed})"
        return f"Bounds({self.low}, {self.high}, {self.scale!r})"

    @staticmethod
    def of(value: Any, name: str) -> "Bounds":
        """`value` as Bounds: it is one already, a pair, an array of two, or the
        text "[low, high]". ValueError or TypeError names the parameter."""
        if isinstance(value, Bounds):
            return value
        if isinstance(value, Prior):
            return Bounds(prior=value)
        if isinstance(value, str):
            inner = value.strip()
            if inner.startswith("[") and inner.endswith("]"):
                parts = [part.strip() for part in inner[1:-1].split(",")]
                if len(parts) == 2:
                    return Bounds(*parts)
            raise ValueError(f"bounds of '{name}': \"{value}\" is no pair; write "
                             "\"[1*nS, 20*nS]\"")
        try:
            pair = None if isinstance(value, (dict, set)) else list(value)
        except TypeError:
            pair = None
        if pair is None:
            raise TypeError(f"bounds of '{name}' must be a pair [low, high], not "
                            f"{value!r}; a parameter that is known is "
                            f"Bounds(fixed={value!r})")
        if len(pair) != 2:
            raise ValueError(f"bounds of '{name}' must be two values, [low, high], "
                             f"not {len(pair)}")
        return Bounds(*pair)

    def spec(self, name: str, dimension: Optional[Dimension]
             ) -> fit_pb2.ParameterSpec:
        """What goes to the coordinator; `dimension`, where known, is the
        parameter's: what plain numbers are in, and what all is checked by."""
        def written(value: Any, what: str) -> str:
            if dimension is None:
                return as_text(value, what)
            if isinstance(value, str):
                try:
                    scalar(value, dimension, what, plain_is_si=same(
                        dimension, NONE))
                except ValueError as error:
                    # What only the coordinator can read, like functions, it
                    # judges; a wrong unit shows here.
                    if "is no quantity" not in str(error):
                        raise
                return value
            return as_text(scalar(value, dimension, what, plain_is_si=True), what,
                           dimension)

        what = f"bounds of '{name}'"
        spec = fit_pb2.ParameterSpec(name=name)
        if self.fixed is not None:
            spec.fixed = written(self.fixed, f"fixed value of '{name}'")
            return spec
        if self.prior is not None:
            spec.prior.CopyFrom(self.prior.spec(name, dimension))
            if self.low is None:
                return spec
        spec.bounds = f"[{written(self.low, what)}, {written(self.high, what)}]"
        self._check_order(name, dimension)
        if self.scale != "linear":
            spec.scale = self.scale
        spec.start.extend(written(each, f"start of '{name}'")
                          for each in self.start)
        return spec

    def _check_order(self, name: str, dimension: Optional[Dimension]) -> None:
        if dimension is None or isinstance(self.low, str) or isinstance(
                self.high, str):
            return  # the coordinator does
        low, high = (scalar(each, dimension, f"bounds of '{name}'", True)
                     for each in (self.low, self.high))
        if not low < high:
            raise ValueError(
                f"bounds of '{name}': the lower one, {low:g}, is not below the "
                f"upper one, {high:g} (SI)"
                + (f"; a parameter that is known is Bounds(fixed={self.low})"
                   if low == high else "; write the smaller one first"))
        if self.scale == "log" and not (low > 0 and math.isfinite(math.log(low))):
            raise ValueError(f"bounds of '{name}': the logarithm needs bounds "
                             f"above 0, not {low:g}")


def calc_bounds(parameter_names: Sequence[str], **params: Any) -> List[Any]:
    """Bounds in the order of the names; TypeError names the first parameter that
    has none."""
    for name in parameter_names:
        if name not in params:
            raise TypeError(f"bounds of '{name}' are missing; give "
                            f"{name}=[low, high]")
    return [params[name] for name in parameter_names]
