"""The units of what a fit's numbers mean."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

from somafit import unit_table
from somafit.convert import parse_quantity
from somafit.errors import SomafitError
from somafit.quantity import make, split
from somafit.samples import column_names
from somafit.unit_table import NONE, Dimension, dimension_of_words, formula, \
    times
from somafit.v1 import fit_pb2

_SQUARE = ("mse", "huber")
_SAME = ("rmse", "mae", "max", "min", "mean", "median", "std", "quantile",
         "expression")
_TIME = ("spike_latency", "isi_mean")
_RATE = ("spike_rate",)
_PLAIN = ("correlation", "cosine", "kurtosis", "gamma_factor", "van_rossum",
          "victor_purpura", "spike_count", "isi_cv", "fc_correlation", "fc_rmse",
          "fcd_correlation", "fcd_ks", "fcd_wasserstein")


def _words(text: str) -> Dimension:
    try:
        return dimension_of_words(text)
    except ValueError as error:
        raise SomafitError(str(error)) from None


class FitUnits:
    """Names and dimensions of a fit's parameters, outputs (terms of its error) and
    errors, as the coordinator states them."""

    def __init__(self, fit: fit_pb2.Fit) -> None:
        self.parameters: List[str] = [each.name for each in fit.parameters]
        self.parameter_dims = [_words(each.si_unit) for each in fit.parameters]
        self.outputs: List[str] = [each.name for each in fit.outputs]
        self.output_dims = [_words(each.si_unit) for each in fit.outputs]
        self.error_dim = _words(fit.total_error.si_unit)
        metrics = {each.output: each for each in fit.spec.metrics}
        self.raw_dims = [
            self._raw(metrics.get(name), name, dimension)
            for name, dimension in zip(self.outputs, self.output_dims)]

        self.has_penalty = bool(fit.spec.penalty)
        # Whether the metric of an output was given a normalization.
        self.normalized = [
            name in metrics and any(option.name == "normalization"
                                    for option in metrics[name].options)
            for name in self.outputs]
        # As text, for files.
        self.words = ([each.si_unit for each in fit.parameters]
                      + [fit.total_error.si_unit]
                      + [self._error_words(each.si_unit, raw, dimension)
                         for each, raw, dimension in
                         zip(fit.outputs, self.raw_dims, self.output_dims)])

    @staticmethod
    def _error_words(of: str, raw: Dimension, output: Dimension) -> str:
        if raw == NONE:
            return ""
        if raw == output:
            return of
        if raw == times(NONE, output, 2):
            return f"{of}^2"
        return {unit_table.SECOND: "s", unit_table.HERTZ: "Hz"}.get(
            raw, formula(raw).replace("**", "^"))

    def _raw(self, metric: Any, output: str, dimension: Dimension) -> Dimension:
        """The dimension of an output's error before normalization."""
        name = metric.metric if metric is not None else ""
        name = name or ("gamma_factor" if output == "spikes" else "mse")
        if name in _SQUARE:
            return times(NONE, dimension, 2)
        if name in _SAME:
            return dimension
        if name in _TIME:
            return unit_table.SECOND
        if name in _RATE:
            return unit_table.HERTZ
        if name in _PLAIN:
            return NONE
        # A metric of a newer server: without a unit that normalizes it, it is
        # the total's.
        for option in metric.options if metric is not None else ():
            if option.name == "normalization" and split(
                    parse_quantity(option.text))[1] != NONE:
                return NONE
        return self.error_dim

    def columns(self) -> Dict[str, Dimension]:
        """Dimensions by the names that columns have in ranges."""
        names = column_names(self.parameters, self.outputs)
        return {"total_error": self.error_dim, "penalty": self.error_dim,
                **dict(zip(names["parameters"], self.parameter_dims)),
                **dict(zip(names["errors"], self.raw_dims)),
                **{each: self.error_dim for each in names["normalized"]}}

    def point(self, si: Sequence[float], units: bool) -> Dict[str, Any]:
        """A point's parameters by name, with or without units."""
        return {name: make(float(value), dimension) if units else float(value)
                for name, value, dimension in
                zip(self.parameters, si, self.parameter_dims)}
