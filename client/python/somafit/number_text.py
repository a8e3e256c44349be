"""Numbers as text, the same bytes as the program somafit writes."""

from __future__ import annotations

import math


def shortest_text(value: float) -> str:
    """The shortest text that reads back as exactly `value`, in the form that is
    shorter, "0.001" or "1e-04", as C++'s std::to_chars has it (ISO C++ 2017,
    [charconv.to.chars])."""
    value = float(value)
    if value != value:
        return "nan"
    if math.isinf(value):
        return "-inf" if value < 0 else "inf"
    sign = "-" if math.copysign(1, value) < 0 else ""
    if value == 0:
        return sign + "0"
    # repr gives the same digits: the shortest, and of those the nearest.
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    power = int(exponent or 0) - len(fraction)
    stripped = digits.rstrip("0")
    power += len(digits) - len(stripped)
    digits = stripped
    least, most = -(len(digits) + 3), 5
    if len(digits) == 1:  # no decimal point in scientific notation
        least, most = least + 1, most - 1
    if least <= power <= most:
        if power >= 0:
            return sign + str(int(abs(value)))
        point = len(digits) + power
        if point > 0:
            return f"{sign}{digits[:point]}.{digits[point:]}"
        return f"{sign}0.{'0' * -point}{digits}"
    scientific = power + len(digits) - 1
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'-' if scientific < 0 else '+'}" \
           f"{abs(scientific):02d}"


def json_number(value: float) -> str:
    """"null" if it is not finite."""
    return shortest_text(value) if math.isfinite(value) else "null"
