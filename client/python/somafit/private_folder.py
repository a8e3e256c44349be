"""A folder for a socket, logs and a temporary database, readable by its owner."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import stat
import string
import tempfile

_PREFIX = "somafit-"
_RANDOM = 6  # as the program somafit has them, which removes abandoned ones too
_LONGEST_BASE = 80  # a socket's path has at most 107 bytes


class PrivateFolder:
    """Made with mode 0700 and a lock that tells the living from the dead: one
    whose process was killed is removed by the next that is made."""

    def __init__(self) -> None:
        base = tempfile.gettempdir()
        if len(base.encode()) > _LONGEST_BASE:
            base = "/tmp"
        _remove_abandoned(base)
        while True:
            name = "".join(secrets.choice(string.ascii_letters + string.digits)
                           for _ in range(_RANDOM))
            self.path = os.path.join(base, _PREFIX + name)
            try:
                os.mkdir(self.path, 0o700)
                break
            except FileExistsError:
                continue
        self._lock = os.open(os.path.join(self.path, "lock"),
                             os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _remove_abandoned(base: str) -> None:
    try:
        names = os.listdir(base)
    except OSError:
        return
    for name in names:
        if name.startswith(_PREFIX) and len(name) == len(_PREFIX) + _RANDOM:
            _remove_if_abandoned(os.path.join(base, name))


def _remove_if_abandoned(path: str) -> None:
    try:
        about = os.lstat(path)
        if (not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid()
                or stat.S_IMODE(about.st_mode) != 0o700):
            return
        # One without a lock is being made right now, or to be kept.
        lock = os.open(os.path.join(path, "lock"),
                       os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except OSError:
        pass
    finally:
        os.close(lock)
