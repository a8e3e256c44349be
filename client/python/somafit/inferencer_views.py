"""What an Inferencer shows of a posterior: draws, plots, traces."""

from __future__ import annotations

import sys
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np

from somafit import fit_spec, plots, predictive
from somafit.dataset import SPIKES
from somafit.errors import NotAvailableError
from somafit.fit import Fit
from somafit.plot_arguments import labels_of, limits_of, points_of, ticks_of
from somafit.posterior import Posterior
from somafit.quantity import make
from somafit.traces import Recording, spike_times
from somafit.unit_table import formula


class InferencerViews:
    """The part of Inferencer that shows; of what it needs, Inferencer says what it
    is."""

    samples: Optional[np.ndarray]
    parameter_names: List[str]
    output_var: List[str]
    n_traces: int
    client: Any
    _experiment: Any
    _of: Any
    _model: Optional[Fit]
    _model_fit: Any

    def sample(self, shape: Any = (1,), posterior: Optional[Posterior] = None,
               **options: Any) -> np.ndarray:
        """Draws of the posterior at the recordings, which stay as `samples`: columns
        are those of `parameter_names`, whichever posterior it is."""
        chosen = self._of(posterior)
        self._check_parameters(chosen)
        draws = chosen.sample(shape, **options)
        self.samples = self._as_named(chosen, draws)
        return self.samples

    def pairplot(self, samples: Any = None, points: Any = None, limits: Any = None,
                 subset: Any = None, labels: Any = None, ticks: Any = None,
                 **options: Any) -> Any:
        """(figure, axes): histograms of draws, default the last ones of `sample`.
        points, limits, labels, ticks: by parameter; points may be a list of such
        mappings."""
        posterior = self._of(None)
        self._check_parameters(posterior)
        rows = self.samples if samples is None else samples
        if rows is None:
            rows = self._as_named(posterior, posterior.sample((1000,)))
        chosen = posterior.subset(subset)
        rows = np.asarray(rows, dtype=float).reshape(-1, len(self.parameter_names))
        # As the posterior has its columns, which may be one fetched by its name.
        rows = rows[:, [self.parameter_names.index(name)
                        for name in posterior.parameter_names]]
        rows = rows[np.isfinite(rows).all(axis=1)][:, chosen]
        marks = points_of(posterior, points, chosen)
        shown = plots.limits_of(rows, marks)
        return plots.pairplot(rows, labels_of(posterior, labels, chosen),
                              limits_of(posterior, limits, chosen, shown), marks,
                              ticks_of(posterior, ticks, chosen), **options)

    def conditional_pairplot(self, condition: Any, density: Optional[Posterior] = None,
                             points: Any = None, limits: Any = None,
                             subset: Any = None, labels: Any = None, ticks: Any = None,
                             **options: Any) -> Any:
        """(figure, axes): densities of each parameter and each pair, all others being
        where `condition` is. limits: what axes show; computed is the range of the
        posterior's draws, a tenth wider."""
        posterior = self._of(density)
        chosen = posterior.subset(subset)
        found = posterior.conditional(condition, chosen)
        ends = [(grid[0], grid[-1]) for grid in found.grid]
        return plots.conditional_pairplot(
            found, labels_of(posterior, labels, chosen),
            limits_of(posterior, limits, chosen, ends),
            points_of(posterior, points, chosen),
            ticks_of(posterior, ticks, chosen), **options)

    def conditional_corrcoeff(self, condition: Any, density: Optional[Posterior] = None,
                              limits: Any = None, subset: Any = None) -> np.ndarray:
        """The correlation of each pair, all others being where `condition` is, over
        the range of the posterior's draws, a tenth wider."""
        if limits is not None:
            raise NotAvailableError(
                "limits: correlations are those over the range of the posterior's "
                "draws, a tenth wider; other limits are not available (yet)")
        return self._of(density).corrcoeff(condition, subset)

    def generate_traces(self, n_samples: int = 1,
                        posterior: Optional[Posterior] = None, output_var: Any = None,
                        param_init: Optional[Mapping[str, Any]] = None,
                        level: int = 0, *, at: str = "draws", seed: int = 0) -> Any:
        """What the model does on every trace at draws of the posterior.

        at: "draws" (of each one: [traces x steps], of several [draws x traces x
            steps]), "mean" (at the mean of `n_samples` draws, as the original has it;
            it may be unlikely itself) or "map" (at the largest density).
        output_var: a name or a list of names; default the outputs. Several give a
            mapping. Of "spikes" there are lists of arrays of times.
        """
        if at not in ("draws", "mean", "map"):
            raise ValueError(f"at: \"{at}\" is none; there are \"draws\", \"mean\" and "
                             "\"map\"")
        chosen = self._of(posterior)
        points = chosen.map(seed=seed)[None] if at == "map" else chosen.sample(
            (fit_spec.whole(n_samples, "n_samples", 1),), seed=seed)
        if at == "mean":
            points = points.mean(axis=0, keepdims=True)
        names = self._names(output_var)
        recording = self._recording(chosen, points, names, param_init,
                                    sys._getframe(1 + level))

        def dressed(name: str, values: np.ndarray) -> Any:
            if name == SPIKES:
                return [spike_times(trace, recording.dt) for trace in values]
            return make(values, recording.dims[name])
        made = {}
        for name in names:
            each = recording.values[name]
            made[name] = dressed(name, each[0]) if len(points) == 1 else (
                [dressed(name, one) for one in each] if name == SPIKES
                else dressed(name, each))
        return made[names[0]] if len(names) == 1 and (
            output_var is None or isinstance(output_var, str)) else made

    def predictive_check(self, n_samples: int = 100,
                         posterior: Optional[Posterior] = None, output_var: Any = None,
                         level: int = 0, *, seed: int = 0
                         ) -> Dict[str, predictive.PredictiveCheck]:
        """Of each output what the model does at draws of the posterior: percentiles 5,
        25, 50, 75 and 95, and how far each draw is from the recording."""
        return self._predicted(n_samples, posterior, output_var,
                               sys._getframe(1 + level), seed)[1]

    def plot_predictive(self, n_samples: int = 100,
                        posterior: Optional[Posterior] = None, output_var: Any = None,
                        traces: Optional[Sequence[int]] = None, level: int = 0, *,
                        seed: int = 0, figsize: Any = None) -> np.ndarray:
        """Axes [outputs x traces]: recordings, and in what bands `n_samples` draws of
        the posterior lie around them, with the median distance between the two; of
        spikes a row of ticks for each draw. traces: numbers of those to show."""
        shown = range(self.n_traces) if traces is None else [
            fit_spec.whole(each, "traces") for each in traces]
        for each in shown:
            if each >= self.n_traces:
                raise ValueError(f"traces: there is no trace {each}; there are "
                                 f"{self.n_traces}, counted from 0")
        if not shown:
            raise ValueError("traces is empty; give at least one")
        recording, checks = self._predicted(n_samples, posterior, output_var,
                                            sys._getframe(1 + level), seed)
        _, axes = plots.figure_of(
            len(checks), len(shown), figsize or (4 * len(shown), 3 * len(checks)),
            constrained_layout=True)
        for row, (name, check) in enumerate(checks.items()):
            dimension = recording.dims[name]
            recorded = self._experiment.output_[self.output_var.index(name)]
            for column, trace in enumerate(shown):
                here = axes[row, column]
                if name == SPIKES:
                    predictive.draw_spikes(
                        here, [spike_times(draw[trace], recording.dt)
                               for draw in recording.values[name]], recorded[trace],
                        check.bands[:, trace])
                    here.set_xlim(0, recording.steps[trace] * recording.dt)
                else:
                    times = np.arange(check.bands.shape[2]) * recording.dt
                    predictive.draw_traces(here, times, check.bands[:, trace],
                                           recorded[trace])
            unit = "spikes" if name == SPIKES else formula(dimension)
            axes[row, 0].set_ylabel(f"{name} [{unit}]\nmedian distance "
                                    f"{check.distance:.3g}")
        for here in axes[-1]:
            here.set_xlabel("time [second]")
        return axes

    def _predicted(self, n_samples: int, posterior: Optional[Posterior],
                   output_var: Any, frame: Any, seed: int) -> Any:
        chosen, names = self._of(posterior), self._names(output_var)
        for name in names:
            if name not in self.output_var:
                raise ValueError(f"output_var: there is no recording of '{name}'; there "
                                 f"are those of {', '.join(self.output_var)}")
        points = chosen.sample((fit_spec.whole(n_samples, "n_samples", 1),), seed=seed)
        recording = self._recording(chosen, points, names, None, frame)
        checks = {}
        for name in names:
            recorded = self._experiment.output_[self.output_var.index(name)]
            drawn = recording.values[name]
            checks[name] = predictive.of_spikes(
                [[spike_times(train, recording.dt) for train in draw] for draw in drawn],
                recorded) if name == SPIKES else predictive.of_traces(drawn, recorded)
        return recording, checks

    def _check_parameters(self, posterior: Posterior) -> None:
        if sorted(posterior.parameter_names) != self.parameter_names:
            raise ValueError("posterior: its parameters are "
                             f"{', '.join(posterior.parameter_names)}, but the model's "
                             f"are {', '.join(self.parameter_names)}")

    def _as_named(self, posterior: Posterior, draws: np.ndarray) -> np.ndarray:
        return draws[..., [posterior.parameter_names.index(name)
                           for name in self.parameter_names]]

    def _names(self, output_var: Any) -> List[str]:
        return self.output_var if output_var is None else (
            [output_var] if isinstance(output_var, str) else list(output_var))

    def _recording(self, posterior: Posterior, points: np.ndarray, names: List[str],
                   param_init: Optional[Mapping[str, Any]], frame: Any) -> Recording:
        """What the model does at points, whoever simulated for the posterior."""
        self._check_parameters(posterior)
        rows = [dict(zip(posterior.parameter_names, row)) for row in points]
        initial = self._experiment._initial_values(param_init, "param_init")
        fit = self.client.fit(posterior.name)
        if not fit.spec.inference.HasField("simulator"):
            return fit.generate(names, rows, initial)
        if self._model is None:
            self._model = self._model_fit(frame, posterior)
        return self._model.generate(names, rows, initial)
