"""A coordinator of one's own: the same programs as ever, on a unix socket in a
private folder, for as long as this process lives."""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from typing import Callable, Dict, List, Optional, Set

from somafit.connection import Connection
from somafit.endpoint import Endpoint, read_endpoint
from somafit.errors import ConnectionLostError, SomafitError
from somafit.private_folder import PrivateFolder
from somafit.programs import Child, find_program

_START_SECONDS = 30.0
_LOOK_SECONDS = 0.2


class Embedded:
    """somafit-server and `workers` somafit-workers. Made by `shared`."""

    def __init__(self, database: Optional[str], workers: int, threads: int,
                 allow_torchscript: bool) -> None:
        self.allow_torchscript = allow_torchscript
        self._folder = PrivateFolder()
        self._pid = os.getpid()
        self.database = database or os.path.join(self._folder.path, "fits.db")
        self._children: List[Child] = []
        self._failure: Optional[BaseException] = None
        self._problem: Optional[str] = None
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._lock = threading.Lock()
        self._watchers: Set[Callable[[], None]] = set()
        self._connections: "weakref.WeakSet[Connection]" = weakref.WeakSet()
        self.endpoint = Endpoint("", "")
        self.workers, self.threads = workers, threads
        # A child dies with the thread that started it, not only with the
        # process: so it is a thread that lives as long as the children.
        self._keeper = threading.Thread(target=self._keep, name="somafit-embedded",
                                        daemon=True)
        self._keeper.start()
        self._ready.wait()
        if self._failure is not None:
            self.stop()
            raise self._failure

    def _keep(self) -> None:
        try:
            self._start()
        except BaseException as error:  # handed to the thread that waits
            self._failure = error
        self._ready.set()
        if self._failure is not None:
            return
        while not self._stop.wait(_LOOK_SECONDS):
            self._problem = self._problem or self._ended()
            if self._problem:
                with self._lock:
                    watchers = list(self._watchers)
                for cancel in watchers:
                    cancel()
        self._end_children()

    def _start(self) -> None:
        path = self._folder.path
        endpoint = os.path.join(path, "endpoint")
        server, worker = find_program("somafit-server"), find_program(
            "somafit-worker")
        self._children.append(Child(
            [server, "--listen", f"unix:{path}/socket", "--db", self.database,
             "--endpoint", endpoint,
             *(["--allow-torchscript"] if self.allow_torchscript else [])],
            os.path.join(path, "server.log")))
        deadline = time.monotonic() + _START_SECONDS
        while not os.access(endpoint, os.R_OK):
            problem = self._ended()
            if problem:
                raise ConnectionLostError(problem)
            if self._stop.is_set() or time.monotonic() > deadline:
                raise ConnectionLostError(
                    "somafit-server does not answer after "
                    f"{_START_SECONDS:.0f} s; its database is {self.database}")
            time.sleep(0.01)
        self.endpoint = read_endpoint(endpoint)
        for i in range(self.workers):
            self._children.append(Child(
                [worker, "--endpoint", endpoint, "--threads", str(self.threads),
                 "--name", f"python-{i}"], os.path.join(path, f"worker-{i}.log")))

    def _ended(self) -> Optional[str]:
        for child in self._children:
            how = child.ended()
            if how:
                return how
        return None

    def problem(self) -> Optional[str]:
        """What went wrong, with the end of the log, if a program ended by
        itself; None while all is well."""
        if self._stop.is_set():
            return "the embedded coordinator was stopped"
        if os.getpid() != self._pid:
            return ("the embedded coordinator belongs to the process that this "
                    "one was forked from; make a Client here")
        return self._problem

    def on_problem(self, cancel: Callable[[], None]) -> Callable[[], None]:
        """Calls `cancel` when a program ends by itself; returns what takes it
        off again."""
        with self._lock:
            self._watchers.add(cancel)

        def remove() -> None:
            with self._lock:
                self._watchers.discard(cancel)
        return remove

    def attach(self, connection: Connection) -> None:
        """Closes it before the coordinator stops, which else waits for it to go."""
        with self._lock:
            self._connections.add(connection)

    def _end_children(self) -> None:
        # Workers first, while there is somebody to give their tasks back to.
        for child in self._children[1:]:
            child.terminate()
        for child in self._children[1:]:
            child.wait_or_kill(5)
        for child in self._children[:1]:
            child.terminate()
            child.wait_or_kill(10)

    def stop(self) -> None:
        """Stops all children and removes the folder. Twice is fine."""
        if os.getpid() != self._pid or self._stop.is_set():
            return
        self._stop.set()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.close()
        if self._failure is not None:
            self._end_children()
        self._keeper.join()
        self._folder.remove()


_started: Dict[Optional[str], Embedded] = {}
_starting = threading.Lock()


def shared(database: "Optional[str | os.PathLike[str]]" = None,
           workers: Optional[int] = None, threads: int = 1,
           allow_torchscript: bool = False) -> Embedded:
    """The embedded coordinator of this process, started when it is first asked
    for: one for each database, and one with a temporary database, which goes
    with the process. `workers` counts when it is started; default: one a core.
    """
    key = None if database is None else os.path.abspath(os.fspath(database))
    if key is not None and not os.path.isdir(os.path.dirname(key)):
        raise SomafitError(f"database: there is no folder {os.path.dirname(key)}; "
                           "make it first")
    if workers is None:
        workers = max(1, len(os.sched_getaffinity(0)))
    if workers < 1 or threads < 1:
        raise ValueError(f"workers={workers}, threads={threads}: there must be "
                         "at least one")
    with _starting:
        found = _started.get(key)
        if found is not None and found.problem() is None:
            if allow_torchscript and not found.allow_torchscript:
                raise SomafitError("allow_torchscript: this process has a coordinator "
                                   "that was started without it; give it to the first "
                                   "Client, or use another database")
            return found
        if found is not None:
            found.stop()
        _started[key] = made = Embedded(key, workers, threads, allow_torchscript)
        return made


def stop_all() -> None:
    """Stops every embedded coordinator of this process; happens at exit."""
    with _starting:
        for embedded in _started.values():
            embedded.stop()
        _started.clear()


def _after_fork() -> None:
    # A child has neither the keeper nor the right to stop its parent's programs;
    # and the lock may have been held by a thread that it does not have.
    global _starting
    _starting = threading.Lock()
    _started.clear()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(stop_all)
