"""What can go wrong, as exceptions. All are SomafitError; where Python has a
type that people expect, they are of that type too."""

from __future__ import annotations


class SomafitError(Exception):
    """Base of everything that this package raises by itself."""


class DimensionMismatchError(SomafitError, ValueError):
    """Quantities of different units meet, or a quantity has another unit than
    the model's variable."""


class InvalidFitError(SomafitError, ValueError):
    """The coordinator refuses a description. The message has all mistakes at
    once, those in equations with line, column and a caret."""


class ChangedFitError(SomafitError, ValueError):
    """A fit is continued with something else than it began with, without
    ``restart=True``."""


class NotFittedError(SomafitError, RuntimeError):
    """There is nothing to show before the first round of a fit."""


class NotAvailableError(SomafitError, NotImplementedError):
    """Part of the interface people know that does not exist here (yet)."""


class FitStoppedError(SomafitError, RuntimeError):
    """A fit failed, or was paused by its coordinator, while it was watched."""


class ProgramNotFoundError(SomafitError, FileNotFoundError):
    """somafit-server or somafit-worker is nowhere to be found."""


class ConnectionLostError(SomafitError, ConnectionError):
    """No coordinator answers, or a program that was started here has ended."""


class DeadlineError(ConnectionLostError, TimeoutError):
    """The coordinator did not answer in time."""


class AccessError(SomafitError, PermissionError):
    """The coordinator does not know the token, or a file is not ours."""


class NotFoundError(SomafitError, LookupError):
    """There is no fit (dataset, sample ...) of that name."""


class WrongStateError(SomafitError, RuntimeError):
    """The fit is not in a state in which this can be asked of it."""


class ServerError(SomafitError, RuntimeError):
    """Any other refusal; ``code`` is gRPC's name of it."""

    def __init__(self, message: str, code: str = "UNKNOWN") -> None:
        super().__init__(message)
        self.code = code


class SomafitWarning(UserWarning):
    """What is accepted, but looks like a mistake."""
