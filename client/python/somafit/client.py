"""A coordinator, as a program sees it."""

from __future__ import annotations

import os
import uuid
import warnings
from typing import Any, Callable, Iterator, List, Mapping, Optional, Sequence, \
    Union

from somafit import embedded, errors
from somafit.connection import Connection
from somafit.dataset import Dataset
from somafit.endpoint import named_endpoint, read_endpoint
from somafit.fit import Evaluation, Fit, Point, resource_name
from somafit.fit_spec import fit_spec
from somafit.posterior import Posterior
from somafit.traces import Recording
from somafit.watch import Event
from somafit.v1 import fit_pb2, fit_service_pb2

_CHUNK = 1 << 20


class Client:
    """``Client()`` talks to the coordinator whose endpoint file is `endpoint`, or
    is named by $SOMAFIT_ENDPOINT. Without either, and where `database` is given,
    it starts one of its own: somafit-server and somafit-worker, found in
    $SOMAFIT_BIN, beside the installed package or in $PATH. That one is stopped
    when this process ends. It is one for the whole process, with a temporary
    database; with `database` it keeps that file, and is one for each file.

    workers, threads: of a coordinator that is started; default one worker a core.
    allow_torchscript: likewise; whether its trainer runs TorchScript modules, which
        are code.
    May be used from several threads.
    """

    def __init__(self, endpoint: "Optional[str | os.PathLike[str]]" = None, *,
                 database: "Optional[str | os.PathLike[str]]" = None,
                 workers: Optional[int] = None, threads: int = 1,
                 allow_torchscript: bool = False) -> None:
        if endpoint is not None and database is not None:
            raise ValueError("database is given beside endpoint: the coordinator "
                             "there has one already; give one of them")
        path = None if database is not None else named_endpoint(endpoint)
        self.embedded: Optional[embedded.Embedded] = None
        if path is None:
            self.embedded = embedded.shared(database, workers, threads,
                                            allow_torchscript)
            self.connection = Connection(self.embedded.endpoint,
                                         self.embedded.problem)
            self.embedded.attach(self.connection)
        else:
            self.connection = Connection(read_endpoint(path))

    def on_problem(self, cancel: Callable[[], None]) -> Callable[[], None]:
        """Calls `cancel` when a program that was started here ends by itself."""
        if self.embedded is None:
            return lambda: None
        return self.embedded.on_problem(cancel)

    def close(self) -> None:
        """Closes the connection; an embedded coordinator lives on."""
        self.connection.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    # New fits.
    def upload(self, dataset: Dataset) -> str:
        """Stores recordings; "datasets/<sha256>". Twice is once."""
        encoding = memoryview(dataset.encode())

        def chunks() -> Iterator[Any]:
            for at in range(0, len(encoding), _CHUNK):
                yield fit_service_pb2.UploadDatasetRequest(
                    chunk=bytes(encoding[at:at + _CHUNK]))

        # Large recordings over slow lines: no deadline; keepalive finds out
        # whether anybody is there.
        return self.connection.retry(lambda: self.connection.stub.UploadDataset(
            chunks(), metadata=self.connection.metadata)).dataset

    def upload_script(self, module: Any) -> str:
        """Stores a TorchScript module: torch.jit.script(net), its bytes, or its file.
        Its SHA-256, for the option torch_script of an estimator. The coordinator must
        allow such modules, which are code: --allow-torchscript."""
        if hasattr(module, "save_to_buffer"):
            module = module.save_to_buffer()
        if not isinstance(module, bytes):
            with open(module, "rb") as file:
                module = file.read()

        def chunks() -> Iterator[Any]:
            for at in range(0, len(module), _CHUNK):
                yield fit_service_pb2.UploadScriptRequest(chunk=module[at:at + _CHUNK])

        return self.connection.retry(lambda: self.connection.stub.UploadScript(
            chunks(), metadata=self.connection.metadata)).script

    def submit(self, spec: Union[fit_pb2.FitSpec, Mapping[str, Any]],
               dataset: Optional[Dataset] = None, use_units: bool = True) -> Fit:
        """Checks a fit and starts it. `spec` is a FitSpec, or the mapping that its
        YAML file would hold, without `data`, in place of which is `dataset`.
        InvalidFitError has all mistakes; what looks like one is a
        SomafitWarning."""
        return Fit(self, self._create(spec, dataset, False), use_units)

    def check(self, spec: Union[fit_pb2.FitSpec, Mapping[str, Any]],
              dataset: Optional[Dataset] = None) -> fit_pb2.Fit:
        """What submit would make; nothing but the dataset is stored."""
        return self._create(spec, dataset, True)

    def _create(self, spec: Any, dataset: Optional[Dataset], only_check: bool
                ) -> fit_pb2.Fit:
        if not isinstance(spec, fit_pb2.FitSpec):
            spec = fit_spec(spec)
        if dataset is not None:
            if spec.dataset:
                raise ValueError("dataset is given twice; leave one out")
            spec = fit_pb2.FitSpec.FromString(spec.SerializeToString())
            spec.dataset = self.upload(dataset)
        fit = self.connection.call("CreateFit", fit_service_pb2.CreateFitRequest(
            fit=spec, validate_only=only_check, request_id=uuid.uuid4().hex))
        if fit.warnings:
            warnings.warn(fit.warnings.rstrip(), errors.SomafitWarning, stacklevel=3)
        return fit

    # Fits that there are.
    def fit(self, name: Union[str, Fit], use_units: bool = True) -> Fit:
        """A fit by its name, in whatever state; NotFoundError if there is none."""
        return Fit(self, self.connection.call(
            "GetFit", fit_service_pb2.GetFitRequest(name=resource_name(name))),
            use_units)

    # The word for it after a process has died.
    reattach = fit

    def fits(self) -> Iterator[Fit]:
        """All fits, oldest first; without equations, to keep it short."""
        request = fit_service_pb2.ListFitsRequest()
        while True:
            reply = self.connection.call("ListFits", request)
            for message in reply.fits:
                yield Fit(self, message)
            if not reply.next_page_token:
                return
            request.page_token = reply.next_page_token

    def watch(self, name: Union[str, Fit], after_seq: int = 0,
              timeout: Optional[float] = None) -> Iterator[Event]:
        """See Fit.watch."""
        return self.fit(name).watch(after_seq, timeout)

    def posterior(self, name: Union[str, Fit], round: Optional[int] = None
                  ) -> Posterior:
        """The posterior of an inference; `round`: of that round, default the
        latest."""
        return Posterior(self, resource_name(name), round)

    def results(self, name: Union[str, Fit], format: str = "list",
                use_units: Optional[bool] = None, **options: Any) -> Any:
        """See Fit.results."""
        return self.fit(name).results(format, use_units, **options)

    def continue_(self, name: Union[str, Fit], rounds: Optional[int] = None,
                  **changes: Any) -> Fit:
        """See Fit.continue_."""
        return self.fit(name).continue_(rounds, **changes)

    def evaluate(self, name: Union[str, Fit], points: Union[Point, Sequence[Point]]
                 ) -> Evaluation:
        """See Fit.evaluate."""
        return self.fit(name).evaluate(points)

    def generate(self, name: Union[str, Fit], outputs: Sequence[str],
                 points: Union[None, Point, Sequence[Point]] = None,
                 **options: Any) -> Recording:
        """See Fit.generate."""
        return self.fit(name).generate(outputs, points, **options)

    # The coordinator.
    def workers(self) -> List[fit_service_pb2.WorkerStatus]:
        """Workers and what they do."""
        request, found = fit_service_pb2.ListWorkersRequest(), []
        while True:
            reply = self.connection.call("ListWorkers", request)
            found.extend(reply.workers)
            if not reply.next_page_token:
                return found
            request.page_token = reply.next_page_token

    def server_info(self) -> fit_service_pb2.ServerInfo:
        return self.connection.call("GetServerInfo",
                                    fit_service_pb2.GetServerInfoRequest())

    def describe(self, family: str) -> List[fit_service_pb2.MemberDescription]:
        """Members and options of "optimizers", "metrics", "features", "priors" or
        "estimators"."""
        return list(self.connection.call(
            "DescribeFamily", fit_service_pb2.DescribeFamilyRequest(family=family)
        ).members)
