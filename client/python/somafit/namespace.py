"""Constants that equations use and do not define: taken from the caller's variables,
and sent as an explicit map."""

from __future__ import annotations

import keyword
import numbers
from types import FrameType
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from somafit import unit_table
from somafit.convert import si, text
from somafit.fit_spec import timed_array
from somafit.unit_table import NONE, Dimension, same
from somafit.v1 import model_pb2

_KNOWN = {"exp", "expm1", "exprel", "sin", "cos", "tan", "sinh", "cosh", "tanh",
          "arcsin", "arccos", "arctan", "log", "log10", "log1p", "sqrt", "abs",
          "sign", "floor", "ceil", "clip", "int", "timestep", "rand", "randn",
          "poisson", "t", "dt", "t_in_timesteps", "i", "N", "lastspike",
          "not_refractory", "pi", "e", "inf", "iteration"}


class TimedArray:
    """A staircase that a model calls as a function of time, ``stimulus(t)``; with
    rows of several columns, ``stimulus(t, i)``.

    values: [steps] or [steps x columns], with units. dt: how long a value holds;
    the last one holds for ever.
    """

    def __init__(self, values: Any, dt: Any) -> None:
        from somafit.convert import scalar
        self.values, self.dim = si(values, "values")
        if np.ndim(self.values) not in (1, 2) or not np.size(self.values):
            raise ValueError("values must be [steps] or [steps x columns], not of "
                             f"the shape {np.shape(self.values)}")
        self.dt = scalar(dt, unit_table.SECOND, "dt")
        if not self.dt > 0:
            raise ValueError(f"dt is {self.dt} second; it must be above 0")


class Namespace(NamedTuple):
    """What names mean: constants as text in SI, and staircases; to be compared by
    value."""

    constants: Dict[str, str]
    timed_arrays: Dict[str, model_pb2.TimedArray]


def capture(names: Iterable[str], frame: Optional[FrameType],
            given: Optional[Mapping[str, Any]] = None) -> Namespace:
    """The meanings of `names`, from `given`, else from the frame's local and global
    variables. What is found nowhere is left out: the coordinator says where it
    stands. TypeError for an entry of `given` that is no constant."""
    found = Namespace({}, {})
    scopes: List[Mapping[str, Any]] = []
    if frame is not None:
        scopes = [frame.f_locals, frame.f_globals]
    for name in sorted(names):
        if (name in _KNOWN or name == "xi" or name.startswith(("_", "xi_"))
                or keyword.iskeyword(name)):
            continue
        if given is not None and name in given:
            value = given[name]
            if isinstance(value, str):
                found.constants[name] = text(*si(value, f"namespace['{name}']"))
            elif not _add(found, name, value):
                raise TypeError(f"namespace['{name}'] is no constant: "
                                f"{given[name]!r}")
            continue
        for scope in scopes:
            if name in scope:
                _add(found, name, scope[name])
                break
    for name in given or {}:
        if not isinstance(name, str):
            raise TypeError(f"namespace: {name!r} is no name")
    return found


def _add(found: Namespace, name: str, value: Any) -> bool:
    constant = _constant(value)
    if constant is not None:
        unit = unit_table.units().get(name)
        if unit is not None and unit[0] == constant[0] and same(unit[1],
                                                                constant[1]):
            return True  # an imported unit, which the model knows by itself
        found.constants[name] = text(*constant)
        return True
    if not isinstance(value, type) and hasattr(value, "values") and hasattr(
            value, "dt") and not hasattr(value, "columns"):
        found.timed_arrays[name] = timed_array(name, value)
        return True
    return False


def _constant(value: Any) -> Optional[Tuple[float, Dimension]]:
    """A single finite number with a dimension; None for anything else."""
    has_units = hasattr(value, "dim") or hasattr(value, "dimensionality")
    if isinstance(value, (bool, np.bool_)):
        return float(value), NONE
    if not has_units and not isinstance(value, (numbers.Real, np.number)):
        return None
    try:
        number, dimension = si(value, "constant")
    except (TypeError, ValueError):
        return None
    if np.ndim(number) or not np.isfinite(number):
        return None
    return float(number), dimension
