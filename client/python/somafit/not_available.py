"""Names that people may look for, which say what there is in their place."""

from __future__ import annotations

from typing import Any

from somafit.errors import NotAvailableError


class Simulator:
    """Models are simulated by somafit-worker, which compiles them; there is no
    choice of simulators, and none in Python (yet): raises NotAvailableError."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise NotAvailableError(
            f"{type(self).__name__}: models are compiled and simulated by "
            "somafit-worker; simulators in Python need an exchange of samples (ask "
            "and tell), which is not available yet")


class RuntimeSimulator(Simulator):
    """See Simulator."""


class CPPStandaloneSimulator(Simulator):
    """See Simulator."""
