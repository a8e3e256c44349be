"""Names that people may look for, which say what there is in their place."""

from __future__ import annotations

from typing import Any

from somafit.errors import NotAvailableError


class Simulator:
    """Models are simulated by somafit-worker, which compiles them; there is no
    choice of simulators for a model: raises NotAvailableError. For posteriors of a
    simulator in Python see NPE_C."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise NotAvailableError(
            f"{type(self).__name__}: models are compiled and simulated by "
            "somafit-worker; a simulator in Python can be used for posteriors, with "
            "somafit.NPE_C and its kin, and not (yet) for fits")


class RuntimeSimulator(Simulator):
    """See Simulator."""


class CPPStandaloneSimulator(Simulator):
    """See Simulator."""
