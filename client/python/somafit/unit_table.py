"""The units of the model language, by name: the same table as the coordinator's
(worker/core/units), so that a text means the same on both sides."""

from __future__ import annotations

import functools
from typing import Dict, List, NamedTuple, Optional, Tuple

# Exponents of metre, kilogram, second, amp, kelvin, mole, candle.
Dimension = Tuple[float, float, float, float, float, float, float]


def _dimension(*exponents: float) -> Dimension:
    m, kg, s, a, k, mol, cd = (*exponents, 0, 0, 0, 0, 0, 0, 0)[:7]
    return (float(m), float(kg), float(s), float(a), float(k), float(mol),
            float(cd))


NONE = _dimension()
METRE = _dimension(1)
KILOGRAM = _dimension(0, 1)
SECOND = _dimension(0, 0, 1)
AMP = _dimension(0, 0, 0, 1)
KELVIN = _dimension(0, 0, 0, 0, 1)
MOLE = _dimension(0, 0, 0, 0, 0, 1)
CANDLE = _dimension(0, 0, 0, 0, 0, 0, 1)
VOLT = _dimension(2, 1, -3, -1)
FARAD = _dimension(-2, -1, 4, 2)
OHM = _dimension(2, 1, -3, -2)
SIEMENS = _dimension(-2, -1, 3, 2)
COULOMB = _dimension(0, 0, 1, 1)
HERTZ = _dimension(0, 0, -1)
NEWTON = _dimension(1, 1, -2)
PASCAL = _dimension(-1, 1, -2)
JOULE = _dimension(2, 1, -2)
WATT = _dimension(2, 1, -3)
WEBER = _dimension(2, 1, -2, -1)
TESLA = _dimension(0, 1, -2, -1)
HENRY = _dimension(2, 1, -2, -2)
LUX = _dimension(-2, 0, 0, 0, 0, 0, 1)
GRAY = _dimension(2, 0, -2)
KATAL = _dimension(0, 0, -1, 0, 0, 1)
MOLAR = _dimension(-3, 0, 0, 0, 0, 1)
VOLUME = _dimension(3)


class _Base(NamedTuple):
    name: str
    dimension: Dimension
    scale: int = 0  # power of ten
    prefixes: bool = True
    powers: bool = True


_BASES = [
    _Base("metre", METRE), _Base("meter", METRE),
    _Base("kilogram", KILOGRAM, prefixes=False),
    _Base("kilogramme", KILOGRAM, prefixes=False),
    _Base("gram", KILOGRAM, -3), _Base("gramme", KILOGRAM, -3),
    _Base("second", SECOND), _Base("amp", AMP), _Base("ampere", AMP),
    _Base("kelvin", KELVIN, prefixes=False), _Base("mole", MOLE),
    _Base("mol", MOLE), _Base("molar", MOLAR, 3), _Base("candle", CANDLE),
    _Base("radian", NONE), _Base("steradian", NONE), _Base("hertz", HERTZ),
    _Base("becquerel", HERTZ), _Base("newton", NEWTON),
    _Base("pascal", PASCAL), _Base("joule", JOULE), _Base("watt", WATT),
    _Base("coulomb", COULOMB), _Base("volt", VOLT), _Base("farad", FARAD),
    _Base("ohm", OHM), _Base("siemens", SIEMENS), _Base("weber", WEBER),
    _Base("tesla", TESLA), _Base("henry", HENRY), _Base("lumen", CANDLE),
    _Base("lux", LUX), _Base("gray", GRAY), _Base("sievert", GRAY),
    _Base("katal", KATAL),
    _Base("liter", VOLUME, -3, powers=False),
    _Base("litre", VOLUME, -3, powers=False),
]

_PREFIXES = {"": 0, "y": -24, "z": -21, "a": -18, "f": -15, "p": -12, "n": -9,
             "u": -6, "m": -3, "c": -2, "d": -1, "da": 1, "h": 2, "k": 3,
             "M": 6, "G": 9, "T": 12, "P": 15, "E": 18, "Z": 21, "Y": 24}

_SHORT = {"mV": "mvolt", "mA": "mamp", "uA": "uamp", "nA": "namp",
          "pA": "pamp", "pF": "pfarad", "uF": "ufarad", "nF": "nfarad",
          "nS": "nsiemens", "uS": "usiemens", "mS": "msiemens",
          "ms": "msecond", "us": "usecond", "Hz": "hertz", "kHz": "khertz",
          "MHz": "Mhertz", "cm": "cmetre", "cm2": "cmetre2", "cm3": "cmetre3",
          "mm": "mmetre", "mm2": "mmetre2", "mm3": "mmetre3", "um": "umetre",
          "um2": "umetre2", "um3": "umetre3", "mM": "mmolar", "uM": "umolar",
          "nM": "nmolar"}


def power_of_ten(exponent: int) -> float:
    """The double nearest to 10^exponent, which products of powers may miss."""
    return float(f"1e{exponent}")


@functools.lru_cache(maxsize=None)
def units() -> Dict[str, Tuple[float, Dimension]]:
    """Name -> (value in SI, dimension), of all that there are."""
    table: Dict[str, Tuple[float, Dimension]] = {}
    for base in _BASES:
        for prefix, exponent in _PREFIXES.items():
            if prefix and not base.prefixes:
                continue
            for power in (1, 2, 3) if base.powers else (1,):
                name = prefix + base.name + (str(power) if power > 1 else "")
                scale = power_of_ten((exponent + base.scale) * power)
                dimension = times(NONE, base.dimension, power)
                table.setdefault(name, (scale, dimension))
    for name, of in _SHORT.items():
        table[name] = table[of]
    return table


def common_names() -> List[str]:
    """What ``from somafit.units import *`` brings."""
    prefixed = [prefix + unit for unit in
                ("volt", "amp", "siemens", "farad", "ohm", "second", "metre",
                 "hertz") for prefix in ("p", "n", "u", "m", "k", "M")]
    # "min" and the like are nobody's to take; "mm" and "us" are known as units.
    return sorted({*_SHORT, *(base.name for base in _BASES), *prefixed})


def times(a: Dimension, b: Dimension, power: float = 1) -> Dimension:
    """The dimension of a * b**power."""
    m, kg, s, amp, k, mol, cd = (x + y * power + 0.0 for x, y in zip(a, b))
    return (m, kg, s, amp, k, mol, cd)


def same(a: Dimension, b: Dimension) -> bool:
    """Whether two dimensions agree but for rounding of fractional exponents."""
    return all(abs(x - y) < 1e-9 for x, y in zip(a, b))


class _Named(NamedTuple):
    name: str
    symbol: str
    dimension: Dimension
    least: int = -24
    greatest: int = 24


# Units that people read dimensions in; those that they read most come first.
_NAMED = [
    _Named("volt", "V", VOLT), _Named("amp", "A", AMP),
    _Named("siemens", "S", SIEMENS), _Named("farad", "F", FARAD),
    _Named("ohm", "ohm", OHM), _Named("coulomb", "C", COULOMB),
    _Named("metre", "m", METRE), _Named("second", "s", SECOND, -24, 0),
    _Named("kilogram", "kg", KILOGRAM, 0, 0), _Named("kelvin", "K", KELVIN, 0, 0),
    _Named("mole", "mol", MOLE), _Named("candle", "cd", CANDLE),
    _Named("hertz", "Hz", HERTZ), _Named("newton", "N", NEWTON),
    _Named("pascal", "Pa", PASCAL), _Named("joule", "J", JOULE),
    _Named("watt", "W", WATT), _Named("weber", "Wb", WEBER),
    _Named("tesla", "T", TESLA), _Named("henry", "H", HENRY),
    _Named("lux", "lx", LUX), _Named("gray", "Gy", GRAY),
    _Named("katal", "kat", KATAL),
]
_BASE_NAMES = ("metre", "kilogram", "second", "amp", "kelvin", "mole", "candle")
_BASE_SYMBOLS = ("m", "kg", "s", "A", "K", "mol", "cd")


class _Quotient(NamedTuple):
    top: _Named
    power: float
    bottom: Optional[_Named] = None
    bottom_power: int = 1


def _find_quotient(dimension: Dimension) -> Optional[_Quotient]:
    for power in (1.0, 2.0, 3.0, -1.0, -2.0, 0.5):
        for unit in _NAMED:
            if same(times(NONE, unit.dimension, power), dimension):
                return _Quotient(unit, power)
    for top in _NAMED:
        for bottom in (_NAMED[6], _NAMED[7]):  # metre, second
            for n in (1, 2, 3):
                if same(times(top.dimension, bottom.dimension, -n), dimension):
                    return _Quotient(top, 1, bottom, n)
    return None


def _power(name: str, power: float, mark: str) -> str:
    return name if power == 1 else f"{name}{mark}{power:g}"


def formula(dimension: Dimension) -> str:
    """The SI unit as text of the model language: "siemens/metre**2"; "1"."""
    if same(dimension, NONE):
        return "1"
    found = _find_quotient(dimension)
    if found:
        text = _power(found.top.name, found.power, "**")
        if found.bottom:
            text += "/" + _power(found.bottom.name, found.bottom_power, "**")
        return text
    return "*".join(_power(name, exponent, "**") for name, exponent in
                    zip(_BASE_NAMES, dimension) if abs(exponent) >= 1e-9)


def display_unit(dimension: Dimension, magnitude: float) -> Tuple[str, float]:
    """A unit, in symbols, in which a number of this SI magnitude reads well,
    and its value in SI: the least number from 1 on, else the greatest below."""
    if same(dimension, NONE):
        return "", 1.0
    found = _find_quotient(dimension)
    if found is None:
        text = " ".join(_power(symbol, exponent, "^") for symbol, exponent in
                        zip(_BASE_SYMBOLS, dimension) if abs(exponent) >= 1e-9)
        return text, 1.0
    top, power = found.top, found.power
    size = abs(magnitude)
    prefix, scale = "", 1.0
    if power == int(power) and 0 < size < float("inf"):
        best = size
        for name, exponent in _PREFIXES.items():
            if exponent % 3 or not top.least <= exponent <= top.greatest:
                continue
            candidate = power_of_ten(exponent * int(power))
            if candidate == 0 or candidate == float("inf"):
                continue
            number = size / candidate
            one = 1 - 1e-12
            if (number > best) if best < one else one <= number < best:
                best, scale, prefix = number, candidate, name
    text = _power(prefix + top.symbol, power, "^")
    if found.bottom:
        text += "/" + _power(found.bottom.symbol, found.bottom_power, "^")
    return text, scale


def dimension_of_words(text: str) -> Dimension:
    """Reads how the coordinator writes a dimension: "volt^2", "siemens/metre^2",
    "kg m^2", "1" or nothing. ValueError for anything else."""
    result = NONE
    known = {**{unit.name: unit.dimension for unit in _NAMED},
             **{unit.symbol: unit.dimension for unit in _NAMED}}
    for place, factor in enumerate(text.strip().split("/")):
        for word in factor.split():
            name, _, exponent = word.partition("^")
            if name == "1":
                continue
            if name not in known:
                raise ValueError(f"\"{text}\" is not a unit that this version "
                                 "of somafit knows; update it")
            result = times(result, known[name],
                           (1 if place == 0 else -1) * float(exponent or 1))
    return result
