"""A channel to one coordinator: TLS where the endpoint has a certificate, the
token on every call, a deadline on every unary call, repeats after UNAVAILABLE,
and refusals as exceptions that people can read."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Callable, List, Optional, Sequence, Tuple, TypeVar

import grpc

from somafit import errors
from somafit.endpoint import Endpoint, read_endpoint
from somafit.v1 import fit_service_pb2_grpc, inference_service_pb2_grpc

Reply = TypeVar("Reply")
log = logging.getLogger("somafit")

DEADLINE = 30.0  # of a unary call [s]
_PAUSES = (0.1, 0.4, 1.0)
_OPTIONS = [
    # Rounds carry all their samples.
    ("grpc.max_receive_message_length", 256 << 20),
    ("grpc.max_send_message_length", 256 << 20),
    ("grpc.enable_http_proxy", 0),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]


class Connection:
    """Opening it sends nothing. May be used from several threads. `problem`,
    where given, says why a coordinator that was started here cannot answer."""

    def __init__(self, endpoint: Endpoint,
                 problem: Callable[[], Optional[str]] = lambda: None) -> None:
        self._lock = threading.Lock()
        self._problem = problem
        self._left: List[grpc.Channel] = []
        self._open(endpoint)

    def _open(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        if endpoint.ca:
            credentials = grpc.ssl_channel_credentials(endpoint.ca.encode())
            self._channel = grpc.secure_channel(endpoint.address, credentials,
                                                _OPTIONS)
        else:
            self._channel = grpc.insecure_channel(endpoint.address, _OPTIONS)
        self.stub = fit_service_pb2_grpc.FitServiceStub(self._channel)
        self.inference = inference_service_pb2_grpc.InferenceServiceStub(
            self._channel)

    def close(self) -> None:
        for channel in (*self._left, self._channel):
            channel.close()

    def leave_channel(self) -> None:
        """Another channel from now on. Ctrl-C within gRPC's Python code may leave a
        lock of the channel locked, and all calls of it waiting for ever. What other
        threads have there stays."""
        with self._lock:
            self._left.append(self._channel)
            self._open(self.endpoint)

    def broken(self) -> bool:
        """Whether a coordinator that was started here is gone for good."""
        return self._problem() is not None

    @property
    def metadata(self) -> Sequence[Tuple[str, str]]:
        token = self.endpoint.token
        return [("authorization", f"Bearer {token}")] if token else []

    def refresh(self) -> bool:
        """Reads the endpoint file again: a coordinator that was started anew may
        have another port and token. Whether something changed."""
        try:
            endpoint = read_endpoint(self.endpoint.path)
        except errors.SomafitError:
            return False
        with self._lock:
            if endpoint == self.endpoint:
                return False
            old = self._channel
            self._open(endpoint)
        # Streams on the old one are lost already, or soon.
        old.close()
        return True

    def call(self, method: str, request: Any,
             deadline: Optional[float] = DEADLINE) -> Any:
        """One unary call by its name, again after UNAVAILABLE: it is the same
        request, so its request_id makes a change happen once."""
        return self.retry(lambda: getattr(self.stub, method)(
            request, timeout=deadline, metadata=self.metadata))

    def retry(self, attempt: Callable[[], Reply]) -> Reply:
        """`attempt`, several times if the coordinator is away."""
        for pause in (*_PAUSES, None):
            problem = self._problem()
            if problem:
                raise errors.ConnectionLostError(problem)
            try:
                return attempt()
            except grpc.RpcError as error:
                problem = self._problem()
                if problem:
                    raise errors.ConnectionLostError(problem) from None
                # Another thread's refresh() may have closed the channel under us.
                away = (code_of(error) == grpc.StatusCode.UNAVAILABLE
                        or "Channel closed" in details_of(error))
                if not away or pause is None:
                    raise self.explain(error) from None
            except ValueError as error:
                # grpc's word for a channel that refresh() closed under us.
                if "closed channel" not in str(error) or pause is None:
                    raise
            except KeyboardInterrupt:
                self.leave_channel()
                raise
            time.sleep(pause)
            self.refresh()
        raise AssertionError("the last attempt returns or raises")

    def explain(self, error: grpc.RpcError) -> errors.SomafitError:
        """A call's failure as a person should read it."""
        code, said = code_of(error), details_of(error)
        address, path = self.endpoint.address, self.endpoint.path
        problem = self._problem()
        if problem:
            return errors.ConnectionLostError(problem)
        if code == grpc.StatusCode.UNAVAILABLE and "trainer" in said:
            # It answers, but nobody who trains is there.
            return errors.ServerError(said, code.name)
        if code == grpc.StatusCode.UNAVAILABLE:
            if self.endpoint.ca and ("ssl" in said.lower()
                                     or "certificate" in said.lower()):
                return errors.ConnectionLostError(
                    f"no TLS connection to {address} (from {path}): {said}; "
                    "take the endpoint file that the running server wrote")
            return errors.ConnectionLostError(
                f"no coordinator answers at {address} (from {path}); start one "
                f"with: somafit-server --listen {address} --db fits.db "
                f"--endpoint {path}")
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            return errors.DeadlineError(
                f"the coordinator at {address} (from {path}) did not answer in "
                "time; try again")
        if code == grpc.StatusCode.UNAUTHENTICATED:
            return errors.AccessError(
                f"the coordinator at {address} does not know the token in "
                f"{path}; take the endpoint file that this server wrote when "
                "it started")
        if code == grpc.StatusCode.UNIMPLEMENTED:
            return errors.NotAvailableError(
                f"the server at {address} (from {path}) does not offer this "
                "call: another version of somafit-server, or another program; "
                f"{said}")
        known = {grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidFitError,
                 grpc.StatusCode.NOT_FOUND: errors.NotFoundError,
                 grpc.StatusCode.ALREADY_EXISTS: errors.WrongStateError,
                 grpc.StatusCode.FAILED_PRECONDITION: errors.WrongStateError}
        if code in known:
            return known[code](said)
        return errors.ServerError(said or str(code), code.name)


def code_of(error: grpc.RpcError) -> grpc.StatusCode:
    code = error.code() if hasattr(error, "code") else None
    return code if code is not None else grpc.StatusCode.UNKNOWN


def details_of(error: grpc.RpcError) -> str:
    said = error.details() if hasattr(error, "details") else None
    return (said or "").rstrip()


def is_lost(error: grpc.RpcError) -> bool:
    """Whether a stream ended because the line did. A server that goes down in
    the middle of a message shows as INTERNAL or UNKNOWN with the transport's
    words."""
    return (code_of(error) in (grpc.StatusCode.UNAVAILABLE,
                               grpc.StatusCode.RESOURCE_EXHAUSTED,
                               grpc.StatusCode.ABORTED)
            or "RST_STREAM" in details_of(error)
            or "Stream removed" in details_of(error)
            or "Channel closed" in details_of(error))
