"""Posteriors as figures of matplotlib: each parameter on the diagonal, each pair
above it."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from somafit.errors import NotAvailableError

Limits = Sequence[Tuple[float, float]]


def limits_of(samples: np.ndarray, points: np.ndarray) -> List[Tuple[float, float]]:
    """From the least to the largest of samples and points, 10 % wider each side."""
    everything = np.concatenate([samples, points]) if len(points) else samples
    low, high = everything.min(axis=0), everything.max(axis=0)
    margin = 0.1 * (high - low)
    margin = np.where(margin > 0, margin, np.where(low == 0, 1.0, 0.1 * np.abs(low)))
    return list(zip(low - margin, high + margin))


def bin_edges(values: np.ndarray, limits: Tuple[float, float]) -> np.ndarray:
    """Freedman and Diaconis' bins within the limits; a single one where the
    quartiles are equal."""
    q25, q75 = np.percentile(values, [25, 75])
    width = 2 * (q75 - q25) / np.cbrt(len(values))
    low, high = limits
    if not width > 0:
        return np.array([low, high])
    width = min(max(width, (high - low) / 500), high - low)
    count = max(int(np.ceil((high - low) / width * (1 - 1e-12))), 1)
    return low + width * np.arange(count + 1)


def figure_of(rows: int, columns: int, figsize: Any, **options: Any
              ) -> Tuple[Any, np.ndarray]:
    """(figure, axes [rows x columns])."""
    try:
        from matplotlib import pyplot
    except ImportError:
        raise NotAvailableError("plots need matplotlib; install it, or use somafit "
                                "pairplot") from None
    return pyplot.subplots(rows, columns, squeeze=False, figsize=figsize, **options)


def _axes(names: Sequence[str], figsize: Any) -> Tuple[Any, np.ndarray]:
    size = len(names)
    figure, axes = figure_of(size, size, figsize)
    for i in range(size):
        for j in range(size):
            if j < i:
                axes[i, j].set_axis_off()
            elif j > i:
                axes[i, j].set_xticks([])
                axes[i, j].set_yticks([])
            else:
                axes[i, j].set_yticks([])
    return figure, axes


def _dress(axes: np.ndarray, labels: Sequence[str], limits: Limits,
           ticks: Optional[Sequence[Any]], points: np.ndarray) -> None:
    from matplotlib import pyplot
    colors = pyplot.rcParams["axes.prop_cycle"].by_key()["color"][1:]
    for i, label in enumerate(labels):
        diagonal = axes[i, i]
        diagonal.set_xlim(*limits[i])
        diagonal.set_xlabel(label)
        if ticks is not None and ticks[i] is not None:
            diagonal.set_xticks(list(ticks[i]))
        for number, point in enumerate(points):
            color = colors[number % len(colors)]
            diagonal.axvline(point[i], color=color)
            for j in range(i + 1, len(labels)):
                axes[i, j].plot(point[j], point[i], ".", markersize=9, color=color)
        for j in range(i + 1, len(labels)):
            axes[i, j].set_xlim(*limits[j])
            axes[i, j].set_ylim(*limits[i])


def pairplot(samples: np.ndarray, labels: Sequence[str], limits: Limits,
             points: np.ndarray, ticks: Optional[Sequence[Any]] = None,
             figsize: Any = (10, 10)) -> Tuple[Any, np.ndarray]:
    """(figure, axes): histograms of [n x dims] samples."""
    figure, axes = _axes(labels, figsize)
    for i in range(len(labels)):
        axes[i, i].hist(samples[:, i], bins=bin_edges(samples[:, i], limits[i]),
                        histtype="step")
        for j in range(i + 1, len(labels)):
            counts, _, _ = np.histogram2d(samples[:, j], samples[:, i], bins=50,
                                          range=[limits[j], limits[i]])
            axes[i, j].imshow(counts.T, origin="lower", aspect="auto",
                              extent=[*limits[j], *limits[i]])
    _dress(axes, labels, limits, ticks, points)
    return figure, axes


def conditional_pairplot(conditional: Any, labels: Sequence[str],
                         limits: Optional[Limits], points: np.ndarray,
                         ticks: Optional[Sequence[Any]] = None,
                         figsize: Any = (10, 10)) -> Tuple[Any, np.ndarray]:
    """(figure, axes) of a posterior.Conditional."""
    figure, axes = _axes(labels, figsize)
    ends = [(grid[0], grid[-1]) for grid in conditional.grid]
    for i in range(len(labels)):
        axes[i, i].plot(conditional.grid[i], conditional.singles[i])
        axes[i, i].set_ylim(0, None)
        for j in range(i + 1, len(labels)):
            # j is in rows there, and to the right here.
            axes[i, j].imshow(conditional.pairs[i, j].T, origin="lower",
                              aspect="auto", extent=[*ends[j], *ends[i]])
    _dress(axes, labels, limits or ends, ticks, points)
    return figure, axes
