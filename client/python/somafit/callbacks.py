"""What is called after each round: with (params, errors, best_params, best_error,
index, additional_info). Returning True stops the fit in that round."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional, Sequence, Union

from somafit.quantity import Quantity

Callback = Callable[..., Any]


def callback_setup(set_type: Union[str, Callback, None],
                   n_rounds: Optional[int]) -> Callback:
    """"text", "progressbar", None, or anything that can be called. ValueError or
    TypeError for anything else."""
    if set_type is None:
        return callback_none
    if isinstance(set_type, str):
        if set_type == "text":
            return callback_text
        if set_type == "progressbar":
            return ProgressBar(n_rounds)
        raise ValueError(f"callback: \"{set_type}\" is none; there are \"text\", "
                         "\"progressbar\", None, or give a function")
    if not callable(set_type):
        raise TypeError("callback must be \"text\", \"progressbar\", None or "
                        f"something that can be called, not {set_type!r}")
    return set_type


def needs_gate(callback: Callback) -> bool:
    """Whether a round must wait for what the callback says. Those of this module
    never stop a fit, so it need not wait for them."""
    return not (callback in (callback_text, callback_none)
                or isinstance(callback, ProgressBar))


def make_dic(names: Sequence[str], values: Sequence[Any]) -> Dict[str, Any]:
    """Names and values as a dictionary."""
    return dict(zip(names, values))


def shown(value: Any, digits: int = 3) -> str:
    """A quantity in its best unit with up to `digits` decimals, "10. nS"; a plain
    number with `digits` significant digits."""
    if isinstance(value, Quantity):
        return value.in_best_unit(precision=digits)
    return f"{float(value):.{digits}g}"


def callback_none(*_: Any) -> None:
    """Says nothing."""


def callback_text(params: Any, errors: Any, best_params: Optional[Dict[str, Any]],
                  best_error: Any, index: int,
                  additional_info: Optional[Dict[str, Any]] = None) -> None:
    """Prints a round's best parameters and error."""
    head = f"Round {index}: "
    if best_params is None:
        print(f"{head}no sample has an error yet")
        return
    values = ", ".join(f"{name}={shown(best_params[name])}"
                       for name in sorted(best_params))
    print(f"{head}Best parameters {values}")
    print(" " * len(head) + _error_line(best_error, additional_info or {}))


def _error_line(best_error: Any, info: Dict[str, Any]) -> str:
    names = info.get("output_var") or ["error"]
    normalized = info.get("objective_errors_normalized")
    raw = info.get("objective_errors")
    if not normalized or not raw:
        return f"Best error: {shown(best_error)} ({names[0]})"

    def part(name: str, own: Any, unnormalized: Any) -> str:
        text, other = shown(own), shown(unnormalized)
        same_unit = isinstance(own, Quantity) == isinstance(unnormalized, Quantity)
        if same_unit and text == other:
            return f"{text} ({name})"
        return f"{text} ({name}, unnormalized error: {other})"

    parts = [part(*each) for each in zip(names, normalized, raw)]
    if len(parts) == 1:
        return f"Best error: {parts[0]}"
    return f"Best error: {shown(best_error, 4)} = {' + '.join(parts)}"


class ProgressBar:
    """A bar of tqdm that counts rounds."""

    def __init__(self, total: Optional[int] = None, **kwds: Any) -> None:
        try:
            from tqdm.auto import tqdm
        except ImportError:
            from somafit.errors import NotAvailableError
            raise NotAvailableError("callback: \"progressbar\" needs tqdm; install "
                                    "it, or use \"text\"") from None
        self.t = tqdm(total=total, **kwds)

    def __call__(self, *_: Any) -> None:
        self.t.update(1)

    def close(self) -> None:
        self.t.close()
