"""Whatever people have their numbers in, as SI and as text of the model language:
our quantities, text, `quantities`' and Brian's arrays (told by what they look
like; neither is imported), pandas' columns, plain numbers."""

from __future__ import annotations

import ast
import math
import operator
from typing import Any, Tuple

import numpy as np

from somafit import unit_table
from somafit.errors import DimensionMismatchError
from somafit.quantity import Quantity, make, split
from somafit.unit_table import NONE, Dimension, formula, same

_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub,
              ast.Mult: operator.mul, ast.Div: operator.truediv,
              ast.Pow: operator.pow}
_LONGEST_TEXT = 1000


def parse_quantity(text: str) -> Any:
    """Reads "0.01*ms", "20000*umetre**2", "-(65 + 3)*mV": numbers, units, ``+ -
    * / **`` and parentheses. ValueError names what is wrong with it."""
    try:
        if len(text) > _LONGEST_TEXT:
            raise ValueError("is too long")
        # As the model language has it, "^" is no power and "1e-3" a number.
        return _evaluate(ast.parse(text.strip(), mode="eval").body)
    except DimensionMismatchError as error:
        raise DimensionMismatchError(f"\"{text[:80]}\": {error}") from None
    except (SyntaxError, ValueError, ArithmeticError, RecursionError,
            MemoryError) as error:
        why = error.args[0] if isinstance(error, ValueError) and error.args \
            else "cannot be read"
        raise ValueError(f"\"{text[:80]}\" is no quantity ({why}); write one "
                         "like 10*mV") from None


def _evaluate(node: ast.AST) -> Any:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return float(node.value)
    if isinstance(node, ast.Name):
        unit = unit_table.units().get(node.id)
        if unit is not None:
            return make(*unit)
        if node.id in ("pi", "inf"):
            return math.pi if node.id == "pi" else math.inf
        raise ValueError(f"there is no unit {node.id}")
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        value = _evaluate(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_evaluate(node.left),
                                         _evaluate(node.right))
    raise ValueError("only numbers, units, + - * / ** and parentheses are read")


def _of_brian(value: Any) -> Tuple[Any, Dimension]:
    names = ("length", "mass", "time", "current", "temperature", "substance",
             "luminosity")
    exponents = tuple(float(value.dim.get_dimension(name)) for name in names)
    return np.asarray(value, dtype=float), exponents  # type: ignore


def _of_quantities(value: Any) -> Tuple[Any, Dimension]:
    base = value.simplified
    dimension = NONE
    symbols = {"m": 0, "kg": 1, "s": 2, "A": 3, "K": 4, "mol": 5, "cd": 6}
    for unit, power in base.dimensionality.items():
        if unit.symbol in ("rad", "sr", "dimensionless"):
            continue
        if unit.symbol not in symbols:
            raise TypeError(f"the unit {unit} is not one that models have")
        exponents = [0.0] * 7
        exponents[symbols[unit.symbol]] = float(power)
        dimension = unit_table.times(dimension, tuple(exponents))  # type: ignore
    return np.asarray(base.magnitude, dtype=float), dimension


def si(value: Any, what: str) -> Tuple[Any, Dimension]:
    """(SI number or float64 array, dimension) of `value`; `what` names the
    argument in the TypeError, ValueError or DimensionMismatchError that anything
    else gets. A pair of an array and a unit's text, ``(array, "nA")``, is one
    too."""
    try:
        if isinstance(value, str):
            return split(parse_quantity(value))
        if isinstance(value, tuple) and len(value) == 2 and isinstance(
                value[1], str):
            number, dimension = si(value[0], what)
            return split(Quantity(Quantity(number, dimension), value[1]))
        if isinstance(value, Quantity):
            return value.value, value.dim
        if hasattr(value, "dim") and hasattr(value.dim, "get_dimension"):
            number, dimension = _of_brian(value)
        elif hasattr(value, "dimensionality") and hasattr(value, "simplified"):
            number, dimension = _of_quantities(value)
        elif isinstance(value, (list, tuple)) and any(
                not isinstance(each, (int, float, np.ndarray, np.generic))
                or hasattr(each, "dim") or hasattr(each, "dimensionality")
                for each in value):
            parts = [si(each, what) for each in value]
            number, dimension = split([make(*part) for part in parts])
        elif hasattr(value, "to_numpy"):  # pandas
            number, dimension = split(value.to_numpy(dtype=float))
        else:
            number, dimension = split(value)
    except DimensionMismatchError as error:
        raise DimensionMismatchError(f"{what}: {error}") from None
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what}: {error}") from None
    return (float(number) if np.ndim(number) == 0 else
            np.asarray(number, dtype=np.float64)), dimension


def quantity(value: Any, what: str) -> Any:
    """`value` as ours: a Quantity, or a plain number or array."""
    return make(*si(value, what))


def scalar(value: Any, dimension: Dimension, what: str,
           plain_is_si: bool = False) -> float:
    """One finite number, in SI, of a quantity of this dimension. With
    `plain_is_si` a plain number counts as SI."""
    number, found = si(value, what)
    if np.ndim(number) != 0:
        raise TypeError(f"{what} must be one number, not an array of shape "
                        f"{np.shape(number)}")
    if not same(found, dimension) and not (plain_is_si and same(found, NONE)):
        raise DimensionMismatchError(
            f"{what} must be a quantity in {formula(dimension)}, such as "
            f"1*{formula(dimension)}, not in {formula(found)}")
    if not math.isfinite(number):
        raise ValueError(f"{what} is {number}, which is not a finite number")
    return float(number)


def text(number: float, dimension: Dimension) -> str:
    """Text of the model language that reads back as exactly this."""
    if math.isinf(number) or math.isnan(number):
        raise ValueError(f"{number} cannot be written in a model")
    unit = formula(dimension)
    return repr(float(number)) if unit == "1" else f"{float(number)!r}*{unit}"


def as_text(value: Any, what: str, dimension: Dimension = NONE) -> str:
    """A number or quantity as text; text as it is. A plain number is one of
    `dimension` in SI."""
    if isinstance(value, str):
        return value
    number, found = si(value, what)
    if np.ndim(number) != 0:
        raise TypeError(f"{what} must be one number, not an array")
    try:
        return text(number, dimension if same(found, NONE) else found)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None


def get_dimensions(value: Any) -> Dimension:
    """Exponents of (m, kg, s, A, K, mol, cd) of anything with a unit."""
    return si(value, "value")[1]
