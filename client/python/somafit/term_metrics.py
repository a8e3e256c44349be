"""Metrics that are terms of their own name in ``metric={name: metric}``: of groups of
outputs, and errors written in the model language."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

from somafit.metrics import Metric
from somafit.unit_table import NONE
from somafit.v1 import fit_pb2


class TermMetric(Metric):
    """Base. `outputs`: the outputs that this term compares, which then need no
    metric of their own."""

    def __init__(self, outputs: Sequence[str] = (), t_start: Any = None,
                 normalization: Any = 1, **options: Any) -> None:
        if isinstance(outputs, str):
            raise TypeError("outputs must be a list of names, not one name")
        self.outputs: List[str] = list(outputs)
        super().__init__(t_start, normalization, **options)

    def spec(self, output: str) -> fit_pb2.MetricSpec:
        spec = super().spec(output)
        spec.outputs.extend(self.outputs)
        return spec


class ExpressionMetric(TermMetric):
    """An error of each step in the model language, ``"abs(v - v_target)"``, of
    variables, targets, parameters and constants; in the mean over steps. An output
    whose target it names needs no metric of its own.

    unit: of the expression, as text, "volt"; none is a plain number.
    reduction: "mean", or "sum", "max", "last".
    """

    name = "expression"
    _normalization_dim: Any = None

    def __init__(self, expression: str, unit: Optional[str] = None,
                 reduction: str = "mean", t_start: Any = None,
                 normalization: Any = 1) -> None:
        if not isinstance(expression, str) or not expression.strip():
            raise TypeError(f"expression must be text, not {expression!r}")
        if reduction not in ("mean", "sum", "max", "last"):
            raise ValueError(f"reduction: \"{reduction}\" is none; there are mean, "
                             "sum, max, last")
        self.expression = expression
        chosen = {} if reduction == "mean" else {reduction: "true"}
        super().__init__((), t_start, normalization, expression=expression,
                         unit=unit, **chosen)


class GroupMetric(TermMetric):
    """Base of metrics that compare how several outputs move together, such as
    regions of a brain (D. Hansen et al., NeuroImage 105, 2015)."""

    _normalization_dim = NONE

    def __init__(self, outputs: Sequence[str], t_start: Any = None,
                 normalization: Any = 1, **options: Any) -> None:
        super().__init__(outputs, t_start, normalization, **options)
        if len(self.outputs) < 2:
            raise ValueError("outputs: a group has several, not "
                             f"{len(self.outputs)}")


class FCCorrelationMetric(GroupMetric):
    """1 minus the correlation of functional connectivities."""

    name = "fc_correlation"


class FCRMSEMetric(GroupMetric):
    """Root mean square difference of functional connectivities."""

    name = "fc_rmse"


class _Windowed(GroupMetric):
    """`window`: steps of a sliding window; `step`: steps from one to the next."""

    def __init__(self, outputs: Sequence[str], window: Optional[int] = None,
                 step: Optional[int] = None, t_start: Any = None,
                 normalization: Any = 1) -> None:
        super().__init__(outputs, t_start, normalization,
                         window=None if window is None else str(int(window)),
                         step=None if step is None else str(int(step)))


class FCDCorrelationMetric(_Windowed):
    """1 minus the correlation of the dynamics of functional connectivity."""

    name = "fcd_correlation"


class FCDKSMetric(_Windowed):
    """Distance of Kolmogorov and Smirnov between distributions of these dynamics."""

    name = "fcd_ks"


class FCDWassersteinMetric(_Windowed):
    """Distance of Wasserstein between distributions of these dynamics."""

    name = "fcd_wasserstein"
