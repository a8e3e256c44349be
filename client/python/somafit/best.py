"""The best sample of a fit's stage, as rounds tell of it."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Optional, Tuple

import numpy as np

from somafit.fit import Fit
from somafit.fit_units import FitUnits
from somafit.quantity import make
from somafit.watch import RoundEvent


class Best(NamedTuple):
    """SI. `raw` and `normalized` have an error for each output."""

    sample: int
    parameters: Dict[str, float]
    error: float
    raw: Tuple[float, ...]
    normalized: Tuple[float, ...]

    def objective_errors(self, units: FitUnits, with_units: bool) -> Dict[str, Any]:
        """Output -> error, not normalized."""
        return {name: make(value, dim) if with_units else value
                for name, value, dim in zip(units.outputs, self.raw,
                                            units.raw_dims)}

    def normalized_errors(self, units: FitUnits, with_units: bool) -> Dict[str, Any]:
        """Output -> normalized error."""
        return {name: make(value, units.error_dim) if with_units else value
                for name, value in zip(units.outputs, self.normalized)}


def best_after(event: RoundEvent, fit: Fit, before: Optional[Best]) -> Optional[Best]:
    """The best sample once this round is complete."""
    if event.best_sample is None or (before is not None and
                                     before.sample == event.best_sample):
        return before
    table = event.samples
    rows = np.flatnonzero(table.sample == event.best_sample)
    if not rows.size:  # of a round that nobody here saw
        table = fit.samples(event.stage, ranges={"total_error": (
            None, event.best_error)})
        rows = np.flatnonzero(table.sample == event.best_sample)
    own: Tuple[Any, Any] = ((float("nan"),) * len(fit.units.outputs),) * 2
    if rows.size:
        own = (tuple(table.output_error[rows[0]].tolist()),
               tuple(table.output_error_normalized[rows[0]].tolist()))
    return Best(event.best_sample, dict(event.best_parameters or {}),
                float(event.best_error or 0.0), *own)
