"""Units by name: ``from somafit.units import mV, ms, nS``.

Every name of the model language is here: the units metre, kilogram, gram,
second, amp, kelvin, mole, molar, candle, hertz, newton, pascal, joule, watt,
coulomb, volt, farad, ohm, siemens ... with the prefixes y z a f p n u m c d da
h k M G T P E Z Y (``usiemens``, ``Mohm``), their powers (``umetre2``,
``cm3``), and short names (``mV``, ``nA``, ``ms``, ``cm``). ``import *`` brings
the usual ones.
"""

from __future__ import annotations

from typing import Dict, List

from somafit import unit_table
from somafit.quantity import Quantity

__all__ = unit_table.common_names()

_made: Dict[str, Quantity] = {}


def __getattr__(name: str) -> Quantity:
    # Made when asked for: there are two thousand.
    if name in _made:
        return _made[name]
    found = unit_table.units().get(name)
    if found is None or name.startswith("__"):
        raise AttributeError(f"there is no unit \"{name}\"")
    return _made.setdefault(name, Quantity(found[0], found[1]))


def __dir__() -> List[str]:
    return sorted(unit_table.units())
