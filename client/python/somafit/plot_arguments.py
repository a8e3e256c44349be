"""What plots of a posterior are given by parameter, checked."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional

import numpy as np

from somafit.inference_run import by_name
from somafit.posterior import Posterior
from somafit.unit_table import NONE, formula


def points_of(posterior: Posterior, points: Any, chosen: List[int]) -> np.ndarray:
    """[points x chosen] of one mapping or array, or several."""
    if points is None:
        return np.zeros((0, len(chosen)))
    several = [points] if isinstance(points, Mapping) else list(points)
    names = [posterior.parameter_names[i] for i in chosen]
    rows = []
    for point in several:
        if isinstance(point, Mapping):
            given = by_name(point, posterior.parameter_names, "points", False)
            by_name({name: 0 for name in given if name in names}, names, "points")
            rows.append([posterior.value(name, given[name], f"points['{name}']")
                         for name in names])
        else:
            rows.append(posterior.points(point, "points")[0][chosen])
    return np.array(rows)


def limits_of(posterior: Posterior, limits: Any, chosen: List[int],
              otherwise: Any) -> Any:
    """(low, high) of each; `otherwise` of what is not named."""
    if limits is None:
        return otherwise
    names = [posterior.parameter_names[i] for i in chosen]
    given = by_name(limits, posterior.parameter_names, "limits", False)
    shown = []
    for name, other in zip(names, otherwise):
        if name not in given:
            shown.append(tuple(other))
            continue
        try:
            low, high = given[name]
        except (TypeError, ValueError):
            raise ValueError(f"limits['{name}'] must be two values, (low, high), "
                             f"not {given[name]!r}") from None
        shown.append((posterior.value(name, low, f"limits['{name}']"),
                      posterior.value(name, high, f"limits['{name}']")))
    return shown


def labels_of(posterior: Posterior, labels: Any, chosen: List[int]) -> List[str]:
    """Of what is not named, the name with its unit."""
    names = [posterior.parameter_names[i] for i in chosen]
    given = {} if labels is None else by_name(
        labels, posterior.parameter_names, "labels", False)
    units = posterior.units

    def plain(name: str) -> str:
        dimension = getattr(units[name], "dim", NONE)
        return name if dimension == NONE else f"{name} [{formula(dimension)}]"
    return [str(given.get(name, plain(name))) for name in names]


def ticks_of(posterior: Posterior, ticks: Any, chosen: List[int]
             ) -> Optional[List[Any]]:
    """Ticks of each, None of what is not named."""
    if ticks is None:
        return None
    given = by_name(ticks, posterior.parameter_names, "ticks", False)
    return [None if name not in given else [
        posterior.value(name, each, f"ticks['{name}']") for each in given[name]]
        for name in (posterior.parameter_names[i] for i in chosen)]
