"""Endpoint files: how to reach a coordinator. somafit-server writes one; who has
it may use the coordinator."""

from __future__ import annotations

import json
import os
import stat
import warnings
from typing import NamedTuple, Optional

from somafit.errors import AccessError, ConnectionLostError, SomafitError, \
    SomafitWarning

_LARGEST = 1 << 20


class Endpoint(NamedTuple):
    """`address` is "127.0.0.1:7700" or "unix:/path"; `token` is empty on a unix
    socket; `ca` is PEM, empty without TLS; `path` is the file."""

    path: str
    address: str
    token: str = ""
    ca: str = ""


def read_endpoint(path: "str | os.PathLike[str]") -> Endpoint:
    """Reads an endpoint file; SomafitError says what is wrong with it."""
    path = os.fspath(path)
    try:
        with open(path, "rb") as file:
            about = os.fstat(file.fileno())
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise ConnectionLostError(
            f"there is no endpoint file {path}; start a coordinator with: "
            "somafit-server --listen 127.0.0.1:7700 --db fits.db --endpoint "
            f"{path}") from None
    except OSError as error:
        raise AccessError(
            f"cannot read the endpoint file {path}: {error.strerror}; it must "
            "be readable by you, its owner") from None
    wrong = SomafitError(
        f"{path} is not an endpoint file: it must be JSON with an \"address\"; "
        "start the server with --endpoint to write one")
    try:
        fields = json.loads(content) if len(content) <= _LARGEST else None
    except ValueError:
        raise wrong from None
    if not isinstance(fields, dict):
        raise wrong
    address, token, ca = (fields.get(name, "") for name in
                          ("address", "token", "ca"))
    if not (isinstance(address, str) and isinstance(token, str)
            and isinstance(ca, str) and address):
        raise wrong
    if not all(0x21 <= ord(c) <= 0x7e for c in address + token):
        raise SomafitError(
            f"{path}: the address and the token must be printable text without "
            "blanks; take the file that somafit-server wrote as it is")
    if token and stat.S_IMODE(about.st_mode) & 0o077:
        warnings.warn(f"{path} holds a token and others may read it; run: "
                      f"chmod 600 {path}", SomafitWarning, stacklevel=3)
    return Endpoint(path, address, token, ca)


def named_endpoint(given: "Optional[str | os.PathLike[str]]") -> Optional[str]:
    """The endpoint file to use: the one that is given, else that of
    $SOMAFIT_ENDPOINT, else None, which means an embedded coordinator."""
    if given is not None:
        return os.fspath(given)
    return os.environ.get("SOMAFIT_ENDPOINT") or None
