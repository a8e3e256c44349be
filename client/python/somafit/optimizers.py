"""How new samples are drawn: optimizers by name. They run in the coordinator, so
that a fit survives everybody else."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from somafit.convert import as_text
from somafit.errors import NotAvailableError
from somafit.v1 import fit_pb2, model_pb2

# Names by which people know them, and the catalogue's.
_NAMES = {"DE": "de", "DifferentialEvolution": "de", "RandomSearch": "random",
          "Random": "random"}
_OPTIONS: Dict[str, List[str]] = {"de": ["population", "F", "CR"], "random": []}


class Optimizer:
    """``Optimizer("de", population=60)``: a member of the coordinator's catalogue
    (``Client.describe("optimizers")``) with its options. A name that it does not
    have is refused when the fit begins, with a list of those that it has.

    Two optimizers with the same name and options are equal: a fit is continued
    with either.
    """

    def __init__(self, name: str, **options: Any) -> None:
        if not isinstance(name, str) or not name:
            raise TypeError(f"name: {name!r} is not the name of an optimizer")
        self.name = name
        self.options = {key: value for key, value in options.items()
                        if value is not None}

    def spec(self) -> fit_pb2.OptimizerSpec:
        return fit_pb2.OptimizerSpec(name=self.name, options=[
            model_pb2.NamedText(name=key, text=str(value).lower() if isinstance(
                value, bool) else as_text(value, key))
            for key, value in self.options.items()])

    def __eq__(self, other: object) -> bool:
        return (isinstance(other, Optimizer) and self.name == other.name
                and self.options == other.options)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        options = "".join(f", {k}={v!r}" for k, v in self.options.items())
        return f"Optimizer({self.name!r}{options})"


class DifferentialEvolution(Optimizer):
    """Differential evolution, current-to-best/1 with binomial crossover
    (R. Storn, K. Price, Journal of Global Optimization 11, 1997).

    population: number of members, default 30, at least 4, whatever the number of
        samples a round is.
    F: weight of the differences, 0 to 2, default 0.8.
    CR: chance that a coordinate crosses over, 0 to 1, default 0.5.
    """

    def __init__(self, population: Optional[int] = None, F: Optional[float] = None,
                 CR: Optional[float] = None) -> None:
        super().__init__("de", population=population, F=F, CR=CR)


class RandomSearch(Optimizer):
    """Points drawn evenly within the bounds."""

    def __init__(self) -> None:
        super().__init__("random")


class NevergradOptimizer(Optimizer):
    """Methods by the names that they have in nevergrad, run by the coordinator:
    "DE" (the default) and "RandomSearch". nevergrad itself takes no part.

    kwds: `budget` is accepted and changes nothing, since these methods do not
        depend on it; others are options of the method, as of
        DifferentialEvolution.
    Raises NotAvailableError for a method that is not there (yet), with a list of
    those that are, and TypeError for an unknown option.
    """

    def __init__(self, method: str = "DE",
                 use_nevergrad_recommendation: bool = False, **kwds: Any) -> None:
        if not isinstance(method, str):
            raise TypeError(f"method: give a name, not {method!r}; there are "
                            f"{_known()}")
        if method not in _NAMES:
            raise NotAvailableError(
                f"method: there is no \"{method}\" here (yet); there are "
                f"{_known()}")
        if use_nevergrad_recommendation:
            raise NotAvailableError(
                "use_nevergrad_recommendation: the best parameters are those of "
                "the least error here, always")
        budget = kwds.pop("budget", None)
        if budget is not None and not budget > 0:
            raise ValueError(f"budget is {budget}; it must be above 0")
        kwds.pop("num_workers", None)
        name = _NAMES[method]
        for key in kwds:
            if key not in _OPTIONS[name]:
                raise TypeError(
                    f"{key}: {method} has no such option; it has "
                    f"{', '.join(['budget', *_OPTIONS[name]])}")
        super().__init__(name, **kwds)
        self.method = method


class SkoptOptimizer(Optimizer):
    """Not available: raises NotAvailableError."""

    def __init__(self, method: str = "GP", **_: Any) -> None:
        raise NotAvailableError(
            "SkoptOptimizer: Gaussian processes and the like are not available "
            f"(yet); there are {_known()}, as NevergradOptimizer(method)")


def _known() -> str:
    return ", ".join(f"\"{name}\"" for name in _NAMES)
