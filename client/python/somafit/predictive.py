"""What a model does at draws of a posterior, beside what was recorded."""

from __future__ import annotations

import warnings
from typing import Any, List, NamedTuple, Optional, Sequence

import numpy as np

PERCENTILES = (5, 25, 50, 75, 95)


class PredictiveCheck(NamedTuple):
    """Of one output. SI."""

    # [percentiles x traces x steps] over draws; of spikes [percentiles x traces], of
    # their number.
    bands: np.ndarray
    # [draws]: the root of the mean square between trace and recording, over all
    # recorded steps; of spikes the mean difference of their numbers.
    distances: np.ndarray

    @property
    def distance(self) -> float:
        """The median over draws."""
        known = self.distances[np.isfinite(self.distances)]
        return float(np.median(known)) if len(known) else float("nan")


def _percentiles(values: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a step no draw has
        return np.nanpercentile(values, PERCENTILES, axis=0)


def of_traces(drawn: np.ndarray, recorded: np.ndarray) -> PredictiveCheck:
    """Of [draws x traces x steps] and [traces x steps]; NaN where there is none."""
    there = np.isfinite(recorded)
    # What diverged is as far away as can be.
    far = np.where(np.isfinite(drawn), drawn - recorded, np.inf)[:, there]
    distances = np.sqrt((far**2).mean(axis=1)) if there.any() else np.full(
        len(drawn), np.nan)
    return PredictiveCheck(_percentiles(drawn), distances)


def of_spikes(drawn: Sequence[Sequence[Any]], recorded: Sequence[Any]
              ) -> PredictiveCheck:
    """Of trains [draws][traces] of times, and [traces]."""
    counts = np.array([[len(train) for train in draw] for draw in drawn], dtype=float)
    wanted = np.array([len(train) for train in recorded], dtype=float)
    return PredictiveCheck(_percentiles(counts),
                           np.abs(counts - wanted).mean(axis=1))


def draw_traces(axes: Any, times: np.ndarray, bands: np.ndarray,
                recorded: np.ndarray) -> None:
    """Bands [percentiles x steps] and the recording of one trace."""
    axes.fill_between(times, bands[0], bands[4], color="C0", alpha=0.2, linewidth=0,
                      label="5 to 95 %")
    axes.fill_between(times, bands[1], bands[3], color="C0", alpha=0.35, linewidth=0,
                      label="25 to 75 %")
    axes.plot(times, bands[2], color="C0", linewidth=1, label="median")
    axes.plot(times[:len(recorded)], recorded, color="black", linewidth=1,
              label="recorded")


def draw_spikes(axes: Any, drawn: List[Any], recorded: Any,
                bands: Optional[np.ndarray]) -> None:
    """A row of ticks for each draw, and that of the recording above."""
    rows = [np.asarray(each, dtype=float) for each in drawn]
    height = max(len(rows) / 10, 1.0)
    axes.eventplot(rows, lineoffsets=np.arange(len(rows)), colors="C0", linewidths=0.7)
    axes.eventplot([np.asarray(recorded, dtype=float)],
                   lineoffsets=[len(rows) + height / 2], linelengths=height,
                   colors="black", linewidths=1)
    axes.set_ylim(-1, len(rows) + height)
    axes.set_yticks([])
    if bands is not None:
        axes.set_title(f"{len(recorded)} spikes; draws: {bands[2]:g} "
                       f"({bands[0]:g} to {bands[4]:g})", fontsize="small")
