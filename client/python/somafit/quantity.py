"""Numbers and arrays with SI dimensions.

A light class of our own, so that nothing else need be installed: ``10*mV``,
``trace/nA``, ``voltage.mean()``. Values are float64 in SI. Arithmetic follows
the units; where they cancel, the result is a plain number or array.
"""

from __future__ import annotations

import operator
from typing import Any, Callable, Dict, Iterator, Optional, Tuple, Union

import numpy as np

from somafit import unit_table
from somafit.errors import DimensionMismatchError
from somafit.unit_table import NONE, Dimension, formula, same, times

Number = Union[float, np.ndarray]


def _mismatch(what: str, a: Dimension, b: Dimension) -> DimensionMismatchError:
    return DimensionMismatchError(
        f"cannot {what} quantities of different units: {formula(a)} and "
        f"{formula(b)}" + ("; give the plain number a unit, such as 10*mV"
                           if same(a, NONE) or same(b, NONE) else ""))


def split(value: Any) -> Tuple[Number, Dimension]:
    """SI values and dimension of a Quantity, a number, or an array or list of
    either; a list's members must agree."""
    if isinstance(value, Quantity):
        return value.value, value.dim
    if isinstance(value, np.ndarray) and type(value) is not np.ndarray:
        if is_foreign(value):
            from somafit.convert import si
            return si(value, "quantity")
        if isinstance(value, np.ma.MaskedArray):
            value = value.astype(float).filled(np.nan)
    if isinstance(value, (list, tuple)) and any(
            isinstance(each, (Quantity, list, tuple)) for each in value):
        parts = [split(each) for each in value]
        for _, dimension in parts[1:]:
            if not same(dimension, parts[0][1]):
                raise _mismatch("join", parts[0][1], dimension)
        return np.array([number for number, _ in parts]), parts[0][1]
    number = np.asarray(value)
    if number.dtype == bool or np.issubdtype(number.dtype, np.integer):
        number = number.astype(float)
    if not np.issubdtype(number.dtype, np.floating):
        raise TypeError(f"{value!r} is neither a number nor a quantity")
    return (float(number) if number.ndim == 0 else
            number.astype(np.float64, copy=False)), NONE


def is_foreign(value: Any) -> bool:
    """Whether it is a quantity of Brian 2 or of the package `quantities`."""
    return (hasattr(getattr(value, "dim", None), "get_dimension")
            or hasattr(value, "dimensionality") and hasattr(value, "simplified"))


def make(value: Any, dimension: Dimension) -> Any:
    """A Quantity, or a plain number or array where there is no dimension."""
    if same(dimension, NONE):
        return value if isinstance(value, np.ndarray) else float(value)
    # The constructor's checks take longer than most arithmetic.
    made = Quantity.__new__(Quantity)
    made.value = value if isinstance(value, np.ndarray) else float(value)
    made.dim = dimension
    return made


class Quantity:
    """``Quantity(number_or_array, unit)``: `unit` is a Quantity, a text such as
    "mV", or exponents of (m, kg, s, A, K, mol, cd); without one, a quantity or
    a text such as "10*mV" is taken as it is.

    Properties: ``value`` (SI, float or array), ``dim`` (the exponents), and what
    arrays have: shape, ndim, size, T.
    """

    __slots__ = ("value", "dim")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: Any, unit: Any = None) -> None:
        dimension: Dimension
        if isinstance(value, str):
            from somafit.convert import parse_quantity
            value = parse_quantity(value)
        if isinstance(unit, str):
            from somafit.convert import parse_quantity
            unit = parse_quantity(unit)
        number, dimension = split(value)
        if isinstance(unit, tuple) and len(unit) == 7:
            dimension = times(dimension, tuple(map(float, unit)))  # type: ignore
        elif unit is not None:
            scale, of_unit = split(unit)
            number, dimension = number * scale, times(dimension, of_unit)
        self.value: Number = number
        self.dim: Dimension = dimension

    # What arrays have.
    @property
    def shape(self) -> Tuple[int, ...]:
        return np.shape(self.value)

    @property
    def ndim(self) -> int:
        return np.ndim(self.value)

    @property
    def size(self) -> int:
        return int(np.size(self.value))

    @property
    def T(self) -> "Quantity":
        return Quantity(np.transpose(self.value), self.dim)

    @property
    def dimensions(self) -> Dimension:
        return self.dim

    @property
    def is_dimensionless(self) -> bool:
        return same(self.dim, NONE)

    def has_same_dimensions(self, other: Any) -> bool:
        return same(self.dim, split(other)[1])

    def __len__(self) -> int:
        if not isinstance(self.value, np.ndarray):
            raise TypeError("a single quantity has no length")
        return len(self.value)

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(self.value, np.ndarray):
            raise TypeError("a single quantity cannot be indexed")
        part = self.value[index]
        return make(part if np.ndim(part) else float(part), self.dim)

    def __setitem__(self, index: Any, value: Any) -> None:
        number, dimension = split(value)
        if not same(dimension, self.dim):
            raise _mismatch("assign", self.dim, dimension)
        if not isinstance(self.value, np.ndarray):
            raise TypeError("a single quantity cannot be indexed")
        self.value[index] = number

    def __iter__(self) -> Iterator[Any]:
        for index in range(len(self)):
            yield self[index]

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        """SI values: what plotting and data frames see."""
        values = np.asarray(self.value, dtype=dtype)
        return values.copy() if copy else values

    def __float__(self) -> float:
        if not self.is_dimensionless:
            raise DimensionMismatchError(
                f"{self} has a unit and is no plain number; divide by the unit "
                f"that you want it in, like quantity/{formula(self.dim)}")
        return float(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __copy__(self) -> "Quantity":
        return Quantity(np.array(self.value) if self.ndim else self.value,
                        self.dim)

    copy = __copy__

    def __reduce__(self) -> Any:
        return Quantity, (self.value, self.dim)

    # Arithmetic.
    def _sum(self, other: Any, what: str, apply: Callable[[Any, Any], Any],
             swapped: bool = False) -> Any:
        if not _is_number(other):
            return NotImplemented
        number, dimension = split(other)
        if not same(dimension, self.dim):
            raise _mismatch(what, self.dim, dimension)
        a, b = (number, self.value) if swapped else (self.value, number)
        return make(apply(a, b), self.dim)

    def __add__(self, other: Any) -> Any:
        return self._sum(other, "add", operator.add)

    def __radd__(self, other: Any) -> Any:
        if isinstance(other, int) and other == 0:  # what sum() begins with
            return self
        return self._sum(other, "add", operator.add, True)

    def __sub__(self, other: Any) -> Any:
        return self._sum(other, "subtract", operator.sub)

    def __rsub__(self, other: Any) -> Any:
        return self._sum(other, "subtract", operator.sub, True)

    def __mod__(self, other: Any) -> Any:
        return self._sum(other, "take remainders of", operator.mod)

    def __mul__(self, other: Any) -> Any:
        if not _is_number(other):
            return NotImplemented
        number, dimension = split(other)
        return make(self.value * number, times(self.dim, dimension))

    def __rmul__(self, other: Any) -> Any:
        if not _is_number(other):
            return NotImplemented
        number, dimension = split(other)
        return make(number * self.value, times(dimension, self.dim))

    def __truediv__(self, other: Any) -> Any:
        if not _is_number(other):
            return NotImplemented
        number, dimension = split(other)
        return make(np.true_divide(self.value, number),
                    times(self.dim, dimension, -1))

    def __rtruediv__(self, other: Any) -> Any:
        if not _is_number(other):
            return NotImplemented
        number, dimension = split(other)
        return make(np.true_divide(number, self.value),
                    times(dimension, self.dim, -1))

    def __floordiv__(self, other: Any) -> Any:
        number, dimension = split(other)
        if not same(dimension, self.dim):
            raise _mismatch("divide into whole parts", self.dim, dimension)
        return make(np.floor_divide(self.value, number), NONE)

    def __pow__(self, power: Any) -> Any:
        number, dimension = split(power)
        if not same(dimension, NONE) or np.ndim(number):
            raise DimensionMismatchError(
                "the exponent of a quantity must be one plain number")
        return make(self.value ** float(number),
                    times(NONE, self.dim, float(number)))

    def __neg__(self) -> "Quantity":
        return Quantity(-self.value, self.dim)

    def __pos__(self) -> "Quantity":
        return self

    def __abs__(self) -> "Quantity":
        return Quantity(np.abs(self.value), self.dim)

    def _compare(self, other: Any, apply: Callable[[Any, Any], Any]) -> Any:
        if not _is_number(other):
            return NotImplemented
        number, dimension = split(other)
        # 0 and infinities compare with anything.
        free = np.ndim(number) == 0 and (number == 0 or np.isinf(number))
        if not same(dimension, self.dim) and not free:
            if apply is operator.eq:
                return False
            if apply is operator.ne:
                return True
            raise _mismatch("compare", self.dim, dimension)
        return apply(self.value, number)

    def __eq__(self, other: Any) -> Any:
        return self._compare(other, operator.eq)

    def __ne__(self, other: Any) -> Any:
        return self._compare(other, operator.ne)

    def __lt__(self, other: Any) -> Any:
        return self._compare(other, operator.lt)

    def __le__(self, other: Any) -> Any:
        return self._compare(other, operator.le)

    def __gt__(self, other: Any) -> Any:
        return self._compare(other, operator.gt)

    def __ge__(self, other: Any) -> Any:
        return self._compare(other, operator.ge)

    # numpy's functions.
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any,
                        **options: Any) -> Any:
        if method != "__call__" or options.get("out") is not None:
            raise TypeError(f"numpy.{ufunc.__name__}.{method} is not defined "
                            "for quantities; divide by a unit first")
        rule = _UFUNCS.get(ufunc.__name__)
        if rule is not None:
            return rule(*inputs)
        numbers = []
        for each in inputs:
            number, dimension = split(each)
            if not same(dimension, NONE):
                raise DimensionMismatchError(
                    f"numpy.{ufunc.__name__} takes plain numbers, not "
                    f"{formula(dimension)}; divide by a unit first")
            numbers.append(number)
        return getattr(ufunc, method)(*numbers, **options)

    def _reduce(self, name: str, power: float = 1, **options: Any) -> Any:
        options = {key: each for key, each in options.items()
                   if each is not None and key != "out"}
        result = getattr(np, name)(np.asarray(self.value), **options)
        return make(result if np.ndim(result) else float(result),
                    times(NONE, self.dim, power))

    def mean(self, axis: Any = None, **options: Any) -> Any:
        return self._reduce("mean", axis=axis, **options)

    def sum(self, axis: Any = None, **options: Any) -> Any:
        return self._reduce("sum", axis=axis, **options)

    def std(self, axis: Any = None, **options: Any) -> Any:
        return self._reduce("std", axis=axis, **options)

    def var(self, axis: Any = None, **options: Any) -> Any:
        return self._reduce("var", 2, axis=axis, **options)

    def min(self, axis: Any = None, **options: Any) -> Any:
        return self._reduce("min", axis=axis, **options)

    def max(self, axis: Any = None, **options: Any) -> Any:
        return self._reduce("max", axis=axis, **options)

    def argmin(self, axis: Any = None, **_: Any) -> Any:
        return np.argmin(self.value, axis=axis)

    def argmax(self, axis: Any = None, **_: Any) -> Any:
        return np.argmax(self.value, axis=axis)

    def reshape(self, *shape: Any) -> "Quantity":
        return Quantity(np.reshape(self.value, *shape), self.dim)

    def flatten(self) -> "Quantity":
        return Quantity(np.ravel(self.value).copy(), self.dim)

    def tolist(self) -> Any:
        return [each for each in self] if self.ndim else self

    # For people.
    def in_unit(self, unit: Any, precision: Optional[int] = None) -> str:
        """As text in a unit of your own: ``(0.02*volt).in_unit("mV")`` is
        "20. mV". `unit` as in the constructor, one of the same dimension."""
        name = unit if isinstance(unit, str) else None
        wanted = Quantity(1.0, unit)
        if not same(wanted.dim, self.dim):
            raise _mismatch("show in another unit", self.dim, wanted.dim)
        if name is None:
            name, scale = unit_table.display_unit(self.dim, float(wanted.value))
            if scale != wanted.value:
                name = formula(self.dim)
                wanted = Quantity(1.0, self.dim)
        return f"{_digits(self.value / wanted.value, precision)} {name}".strip()

    def in_best_unit(self, precision: Optional[int] = None) -> str:
        """As text in a unit in which the number (of an array, the largest) is
        from 1 on: "10. nS"; `precision` is the number of decimals."""
        finite = np.abs(np.asarray(self.value))
        finite = finite[np.isfinite(finite)]
        largest = float(finite.max()) if finite.size else 0.0
        name, scale = unit_table.display_unit(self.dim, largest)
        return f"{_digits(np.divide(self.value, scale), precision)} {name}".strip()

    def __repr__(self) -> str:
        return self.in_best_unit(precision=15 if self.ndim == 0 else 8)

    def __str__(self) -> str:
        return self.in_best_unit()

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        name, scale = unit_table.display_unit(self.dim, float(np.max(np.abs(
            self.value))))
        return f"{format(self.value / scale, spec)} {name}".strip()


def _digits(value: Any, precision: Optional[int]) -> str:
    return np.array2string(np.asarray(value), precision=precision,
                           suppress_small=True)


def _is_number(value: Any) -> bool:
    return isinstance(value, (Quantity, bool, int, float, np.ndarray,
                              np.generic, list, tuple))


def _pair(apply: Callable[[Any, Any], Any], what: str) -> Callable[..., Any]:
    def rule(a: Any, b: Any) -> Any:
        (x, of_a), (y, of_b) = split(a), split(b)
        if not same(of_a, of_b):
            raise _mismatch(what, of_a, of_b)
        return make(apply(x, y), of_a)
    return rule


def _test(apply: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda a: apply(split(a)[0])


def _keep(apply: Callable[[Any], Any], power: float = 1) -> Callable[..., Any]:
    def rule(a: Any) -> Any:
        number, dimension = split(a)
        return make(apply(number), times(NONE, dimension, power))
    return rule


def _product(a: Any, b: Any) -> Any:
    (x, of_a), (y, of_b) = split(a), split(b)
    return make(np.multiply(x, y), times(of_a, of_b))


def _ratio(a: Any, b: Any) -> Any:
    (x, of_a), (y, of_b) = split(a), split(b)
    return make(np.true_divide(x, y), times(of_a, of_b, -1))


def _comparison(apply: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda a, b: Quantity(a)._compare(b, apply)


_UFUNCS: Dict[str, Callable[..., Any]] = {
    "add": _pair(np.add, "add"), "subtract": _pair(np.subtract, "subtract"),
    "maximum": _pair(np.maximum, "compare"),
    "minimum": _pair(np.minimum, "compare"),
    "multiply": _product, "true_divide": _ratio, "divide": _ratio,
    "power": lambda a, b: Quantity(a) ** b,
    "negative": _keep(np.negative), "absolute": _keep(np.abs),
    "sqrt": _keep(np.sqrt, 0.5), "square": _keep(np.square, 2),
    "isnan": _test(np.isnan), "isfinite": _test(np.isfinite),
    "isinf": _test(np.isinf), "sign": _test(np.sign),
    "equal": _comparison(operator.eq), "not_equal": _comparison(operator.ne),
    "less": _comparison(operator.lt), "less_equal": _comparison(operator.le),
    "greater": _comparison(operator.gt),
    "greater_equal": _comparison(operator.ge),
}
