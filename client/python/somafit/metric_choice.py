"""The metric argument of ``fit``, as one metric for each output."""

from __future__ import annotations

import warnings
from typing import Any, Callable, Dict, List, Mapping, Sequence

import numpy as np

from somafit.dataset import SPIKES
from somafit.equations import identifiers
from somafit.metrics import GammaFactor, Metric, MSEMetric, SpikeMetric, \
    TraceMetric, refuse_own
from somafit.term_metrics import ExpressionMetric, TermMetric


def family_of(output: str) -> type:
    """SpikeMetric of the output "spikes", TraceMetric of others."""
    return SpikeMetric if output == SPIKES else TraceMetric


def default_metric(output: str, duration: Any) -> Metric:
    """Of traces the mean of squared differences, of spikes the gamma factor."""
    if output == SPIKES:
        return GammaFactor(delta="2*ms", time=duration)
    return MSEMetric()


def by_output(metric: Any, outputs: List[str], family: Callable[[str], type],
              duration: Any) -> Dict[str, Metric]:
    """Output -> metric, of None, one metric, a mapping, or (deprecated) a sequence
    in the order of the outputs. TypeError or ValueError for anything else."""
    if metric is None:
        return {name: default_metric(name, duration) for name in outputs}
    if isinstance(metric, TermMetric):
        raise TypeError(f"metric: {type(metric).__name__} is a term of its own; give "
                        "{name: metric} with a name for it")
    if isinstance(metric, Metric):
        given: Dict[str, Any] = {name: metric for name in outputs}
    elif isinstance(metric, Mapping):
        for name, each in metric.items():
            if name not in outputs and not isinstance(each, TermMetric):
                raise ValueError(f"metric: '{name}' is not an output; the outputs "
                                 f"are {', '.join(outputs)}")
        given = dict(metric)
    elif isinstance(metric, Sequence) and not isinstance(metric, (str, bytes)):
        warnings.warn("metric as a list is deprecated; give {output: metric}",
                      DeprecationWarning, stacklevel=5)
        if len(metric) != len(outputs):
            raise TypeError(f"metric has {len(metric)} entries, but there are "
                            f"{len(outputs)} outputs: {', '.join(outputs)}")
        given = dict(zip(outputs, metric))
    else:
        raise TypeError("metric must be a metric, such as MSEMetric(), or a mapping "
                        f"{{output: metric}}, not {metric!r}")
    covered = set()
    for name, each in given.items():
        if isinstance(each, TermMetric):
            covered.update(_covered(name, each, outputs))
            continue
        wanted: Any = family(name)
        if not isinstance(each, wanted):
            raise TypeError(f"metric of '{name}' must be a {wanted.__name__}, not "
                            f"{each!r}")
        refuse_own(each)
    for name in outputs:
        if name not in given and name not in covered:
            raise ValueError(f"metric: the output '{name}' has none; give one for "
                             "each output")
    own = [name for name in outputs if name in given]
    return {name: given[name] for name in
            [*own, *(name for name in given if name not in own)]}


def _covered(name: str, metric: TermMetric, outputs: List[str]) -> List[str]:
    """The outputs that a term of its own name compares."""
    refuse_own(metric)
    for each in metric.outputs:
        if each not in outputs:
            raise ValueError(f"metric of '{name}': '{each}' is not an output; the "
                             f"outputs are {', '.join(outputs)}")
    if name in outputs:
        raise ValueError(f"metric: {type(metric).__name__} is a term of its own; give "
                         f"it a name that is not an output's, not '{name}'")
    if isinstance(metric, ExpressionMetric):
        named = identifiers(metric.expression)
        return [each for each in outputs if f"{each}_target" in named]
    return metric.outputs


def check_weights(metric: Metric, n_steps: int) -> None:
    """ValueError unless t_weights are one for each step."""
    if metric.t_weights is not None and np.shape(metric.t_weights) != (n_steps,):
        raise ValueError(f"t_weights has {np.size(metric.t_weights)} numbers, but "
                         f"traces have {n_steps} steps; give one for each")
