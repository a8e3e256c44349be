"""Where somafit-server and somafit-worker are, and how they become children that
die with this process."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
from typing import List, Optional

from somafit.errors import ProgramNotFoundError

# Between this process and the program: asks for SIGKILL when the parent dies,
# leaves the terminal's process group, so that Ctrl-C reaches this process alone,
# and becomes the program. A small Python of its own, since code between fork and
# exec is not safe in a process with threads, which gRPC has.
_LAUNCHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() != int(sys.argv[1]): os._exit(127)
os.setpgid(0, 0)
signal.pthread_sigmask(signal.SIG_SETMASK, [])
os.execv(sys.argv[2], sys.argv[2:])
"""


def find_program(name: str) -> str:
    """$SOMAFIT_BIN, else `bin` beside the installed package, else $PATH."""
    folder = os.environ.get("SOMAFIT_BIN")
    here = pathlib.Path(__file__).resolve().parent
    looked: List[str] = []
    # build/PRESET/python/somafit -> build/PRESET/bin; PREFIX/lib/pythonX/
    # site-packages/somafit -> PREFIX/bin
    beside = [here / "bin", here.parents[1] / "bin"] + [
        here.parents[n] / "bin" for n in (3,) if len(here.parents) > n]
    for candidate in ([pathlib.Path(folder)] if folder else beside):
        looked.append(str(candidate))
        path = candidate / name
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
    found = None if folder else shutil.which(name)
    if found:
        return found
    raise ProgramNotFoundError(
        f"{name} is not in {', '.join(looked)}"
        + ("" if folder else " nor in $PATH")
        + "; set SOMAFIT_BIN to the folder that has somafit-server and "
        "somafit-worker, or SOMAFIT_ENDPOINT to the endpoint file of a "
        "coordinator that is running")


class Child:
    """A program as a child process, with its output in a log."""

    def __init__(self, arguments: List[str], log: str) -> None:
        self.name = os.path.basename(arguments[0])
        self.log = log
        python = sys.executable or "/usr/bin/python3"
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC,
                       0o600)
        try:
            self._process = subprocess.Popen(
                [python, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()),
                 *arguments],
                stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        finally:
            os.close(file)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self) -> Optional[str]:
        """How it ended, with the end of its log; None while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        try:
            with open(self.log, "rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - 65536))
                lines = file.read().decode(errors="replace").rstrip().split("\n")
        except OSError:
            lines = []
        tail = "\n".join(lines[-15:]) or "(its log is empty)"
        return f"{self.name} ended by itself with {how}:\n{tail}"

    def terminate(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()

    def wait_or_kill(self, seconds: float) -> None:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
