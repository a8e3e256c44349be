"""As much of a model's text as Python needs: which names it defines, and which it
uses. The coordinator reads it properly, and says what is wrong with it."""

from __future__ import annotations

import re
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional

from somafit.convert import parse_quantity
from somafit.quantity import split
from somafit.unit_table import NONE, Dimension, formula

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_DIFFERENTIAL = re.compile(rf"\s*d({_NAME})\s*/\s*dt\s*=(?!=)(.*)", re.DOTALL)
_SUBEXPRESSION = re.compile(rf"\s*({_NAME})\s*=(?!=)(.*)", re.DOTALL)
_PARAMETER = re.compile(rf"\s*({_NAME})\s*")
_UNIT = re.compile(r"([^()]*)(?:\(([^()]*)\))?\s*")
# Not the "e3" of 1e3, nor what follows a dot.
_IDENTIFIER = re.compile(rf"(?<![\w.])({_NAME})")


class Definition(NamedTuple):
    """`kind` is "differential", "subexpression" or "parameter"; `dimension` is
    None where the unit cannot be read."""

    name: str
    kind: str
    expression: str
    dimension: Optional[Dimension]


def identifiers(text: str) -> FrozenSet[str]:
    """All names in an expression or code."""
    bare = re.sub(r"#[^\n]*", "", text)
    return frozenset(_IDENTIFIER.findall(bare))


def _dimension(unit: str) -> Optional[Dimension]:
    unit = unit.strip()
    if unit in ("1", "boolean", "integer"):
        return NONE
    try:
        return split(parse_quantity(unit))[1]
    except ValueError:
        return None


def _text_of_brian(model: Any) -> str:
    """The text of Brian's Equations, a mapping of names to what has type, varname,
    expr, dim, var_type and flags. Its own str() has units that it does not read."""
    lines = []
    for each in model.values():
        dim = each.dim
        unit = each.var_type if each.var_type != "float" else formula(tuple(
            float(dim.get_dimension(name)) for name in (
                "length", "mass", "time", "current", "temperature", "substance",
                "luminosity")))  # type: ignore[arg-type]
        left = each.varname if each.expr is None else (
            f"d{each.varname}/dt = {each.expr.code}" if each.type.startswith(
                "differential") else f"{each.varname} = {each.expr.code}")
        flags = f" ({', '.join(each.flags)})" if each.flags else ""
        lines.append(f"{left} : {unit}{flags}\n")
    return "".join(lines)


class Equations:
    """``Equations(text)``, or of Brian's object of that name."""

    def __init__(self, model: Any) -> None:
        is_brian = hasattr(model, "diff_eq_names") and hasattr(model, "values")
        if not isinstance(model, str) and not is_brian:
            raise TypeError(f"model must be equations as text, not {model!r}")
        self.text = _text_of_brian(model) if is_brian else model
        self.definitions: Dict[str, Definition] = {}
        pending = ""
        for line in self.text.splitlines():
            line = line.split("#")[0]
            left, colon, right = line.partition(":")
            pending += left + "\n"
            if colon:
                self._define(pending, right)
                pending = ""

    def _define(self, left: str, right: str) -> None:
        found = _UNIT.fullmatch(right)
        dimension = _dimension(found.group(1)) if found else None
        for kind, pattern in (("differential", _DIFFERENTIAL),
                              ("subexpression", _SUBEXPRESSION),
                              ("parameter", _PARAMETER)):
            match = pattern.fullmatch(left)
            if match:
                expression = match.group(2).strip() if kind != "parameter" else ""
                name = match.group(1)
                self.definitions.setdefault(
                    name, Definition(name, kind, expression, dimension))
                return

    def names(self, kind: str) -> List[str]:
        """In the order of the text."""
        return [each.name for each in self.definitions.values()
                if each.kind == kind]

    @property
    def used(self) -> FrozenSet[str]:
        """Names in right-hand sides."""
        return frozenset().union(*(identifiers(each.expression) for each in
                                   self.definitions.values()))
