"""How likely a parameter is before anything was observed."""

from __future__ import annotations

from typing import Any, Mapping, Optional

from somafit.convert import as_text
from somafit.errors import DimensionMismatchError
from somafit.unit_table import NONE, Dimension, formula, same
from somafit.v1 import inference_pb2, model_pb2

# Options that are in the unit of the parameter.
_OF_PARAMETER = ("mean", "sigma", "median")


class Prior:
    """``Prior("normal", mean=10*nS, sigma=1*nS)``: a member of the coordinator's
    catalogue (``Client.describe("priors")``: uniform, log_uniform, normal,
    log_normal; improper, evenly likely everywhere) with its options, in the place of a
    pair of bounds or, as ``Bounds(low, high, prior=...)``, truncated by them."""

    def __init__(self, name: str, **options: Any) -> None:
        if not isinstance(name, str) or not name:
            raise TypeError(f"name: {name!r} is not the name of a prior")
        self.name = name
        self.options = options

    @staticmethod
    def of(value: Any) -> "Optional[Prior]":
        """Of a Prior, a name, {name, options} or None."""
        if value is None or isinstance(value, Prior):
            return value
        if isinstance(value, str):
            return Prior(value)
        if isinstance(value, Mapping) and set(value) <= {"name", "options"}:
            return Prior(value.get("name", ""), **value.get("options", {}))
        raise TypeError("prior must be a Prior, a name or {name, options}, not "
                        f"{value!r}")

    def spec(self, parameter: str, dimension: Optional[Dimension]
             ) -> inference_pb2.PriorSpec:
        """What goes to the coordinator; plain numbers of quantities are SI."""
        spec = inference_pb2.PriorSpec(name=self.name)
        for key, value in self.options.items():
            what = f"prior of '{parameter}': {key}"
            own = dimension if key in _OF_PARAMETER and dimension else NONE
            if key in _OF_PARAMETER and dimension is not None and not isinstance(
                    value, str):
                from somafit.convert import si
                found = si(value, what)[1]
                if not same(found, dimension) and not same(found, NONE):
                    raise DimensionMismatchError(
                        f"{what} must be in {formula(dimension)}, not in "
                        f"{formula(found)}")
            spec.options.append(model_pb2.NamedText(
                name=key, text=as_text(value, what, own)))
        return spec

    def __eq__(self, other: object) -> bool:
        return (isinstance(other, Prior) and self.name == other.name
                and repr(self.options) == repr(other.options))

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        options = "".join(f", {k}={v!r}" for k, v in self.options.items())
        return f"Prior({self.name!r}{options})"
