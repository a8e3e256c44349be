"""What a Fitter is given as input and output, checked, by name."""

from __future__ import annotations

import warnings
from typing import Any, Dict, List, Mapping, Optional

from somafit.convert import si
from somafit.dataset import SPIKES
from somafit.equations import Equations, identifiers
from somafit.errors import DimensionMismatchError
from somafit.unit_table import formula, same


def input_by_name(given: Any, input_var: Optional[str], equations: Equations,
                  texts: List[str]) -> Dict[str, Any]:
    """{name: array} of `input`, a mapping, or an array with `input_var`. `texts`
    are further places where an input may be used."""
    if input_var is not None:
        warnings.warn("input_var is deprecated; give input={name: array}",
                      DeprecationWarning, stacklevel=4)
        if not isinstance(input_var, str):
            raise TypeError(f"input_var must be a name, not {input_var!r}")
        if isinstance(given, Mapping):
            if input_var not in given:
                raise ValueError(f"input_var is '{input_var}', but input has "
                                 f"{_list(given)}; leave input_var out")
            if len(given) > 1:
                raise ValueError(f"input_var is '{input_var}', but input has also "
                                 f"{_list(set(given) - {input_var})}; leave "
                                 "input_var out")
        else:
            given = {input_var: given}
    if not isinstance(given, Mapping):
        raise TypeError("input must be a mapping, {name: array}, not "
                        f"{type(given).__name__}; name the variable that the "
                        "equations call the input by")
    if not given:
        raise ValueError("input is empty; give {name: array}")
    used = equations.used.union(*map(identifiers, texts))
    for name in given:
        if name not in used:
            raise NameError(f"input: '{name}' is not used in the equations; use it, "
                            f"e.g. as '+ {name}' in a membrane equation, or name "
                            "the input as they do")
        if name in equations.definitions:
            raise NameError(f"input: '{name}' is defined in the equations; remove "
                            "its definition, the data take its place")
    return dict(given)


def _list(names: Any) -> str:
    return ", ".join(f"'{name}'" for name in names) or "nothing"


def output_by_name(given: Any, output_var: Any, equations: Equations
                   ) -> Dict[str, Any]:
    """{name: target} of `output`, a mapping, or a list or array with `output_var`,
    which may be a list of names. Pairs are made by name, never by order."""
    if output_var is not None:
        warnings.warn("output_var is deprecated; give output={name: target}",
                      DeprecationWarning, stacklevel=4)
        names = [output_var] if isinstance(output_var, str) else list(output_var)
        if isinstance(given, Mapping):
            if set(names) != set(given):
                raise ValueError(f"output_var has {_list(names)}, but output has "
                                 f"{_list(given)}; leave output_var out")
        else:
            targets = given if isinstance(given, list) and names != [SPIKES] \
                else [given]
            if len(names) == 1 and len(targets) != 1:
                targets = [given]  # an array that is written as a list
            if len(names) != len(targets):
                raise ValueError(f"output_var has {len(names)} names, but output has "
                                 f"{len(targets)} targets; give output={{name: "
                                 "target}")
            given = dict(zip(names, targets))
    if not isinstance(given, Mapping):
        raise TypeError("output must be a mapping, {name: target}, not "
                        f"{type(given).__name__}; name the variable of the model "
                        "that was measured")
    if not given:
        raise ValueError("output is empty; give {name: target}")
    for name in given:
        if name != SPIKES and name not in equations.definitions:
            raise NameError(f"output: '{name}' is not defined in the equations; they "
                            f"define {_list(equations.definitions)}")
    return dict(given)


def check_targets(outputs: Mapping[str, Any], equations: Equations,
                  input_shape: Any) -> Dict[str, Any]:
    """Targets of traces in SI with their dimensions checked: a (values, dimension)
    for each. All have the input's shape."""
    found: Dict[str, Any] = {}
    for name, value in outputs.items():
        if name == SPIKES:
            continue
        values, dimension = si(value, f"output '{name}'")
        wanted = equations.definitions[name].dimension
        if wanted is not None and not same(wanted, dimension):
            raise DimensionMismatchError(
                f"output '{name}' is in {formula(dimension)}, but the model's "
                f"variable is in {formula(wanted)}; give the target with its "
                "unit")
        shape = getattr(values, "shape", ())
        if input_shape is not None and shape != input_shape:
            raise ValueError(f"output '{name}' has the shape {shape}, but input has "
                             f"{input_shape}; give [traces x steps] of both")
        found[name] = (values, dimension)
    return found
