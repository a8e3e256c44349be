"""A coordinator in this process, which infers a Gaussian in no time: what clients
ask is kept, what they get follows from a formula."""

import concurrent.futures
import contextlib
import pathlib
import tempfile

import grpc
import numpy as np

import somafit
from somafit.v1 import (fit_pb2, fit_service_pb2, fit_service_pb2_grpc,
                        inference_pb2, inference_service_pb2,
                        inference_service_pb2_grpc)

LOWER, UPPER = np.array([1e-9, 0.0]), np.array([1e-7, 4.0])
MEAN, SD = np.array([2e-8, 2.0]), np.array([1e-9, 0.5])
NAMES = ["g", "k"]


def variables():
    return [fit_pb2.Variable(name="g", si_unit="siemens", display_unit="nS",
                             display_scale=1e-9, lower=LOWER[0], upper=UPPER[0]),
            fit_pb2.Variable(name="k", si_unit="", display_unit="1",
                             display_scale=1, lower=LOWER[1], upper=UPPER[1])]


def theta_of(seed, round, n):
    rng = np.random.default_rng([seed, round])
    return LOWER + (UPPER - LOWER) * rng.random((n, 2))


class Fits(fit_service_pb2_grpc.FitServiceServicer):
    def __init__(self):
        self.fits, self.datasets, self.generated = {}, set(), []
        self.continued = []
        self.lost = set()  # names that GetPosterior does not find

    def UploadDataset(self, requests, context):
        size = sum(len(each.chunk) for each in requests)
        return fit_service_pb2.UploadDatasetResponse(dataset=f"datasets/{size:064d}")

    def CreateFit(self, request, context):
        name = f"fits/{request.fit.name or request.fit.label or 'fit'}-{len(self.fits)}"
        rounds = request.fit.stop.rounds or 1
        fit = fit_pb2.Fit(name=name, spec=request.fit, parameters=variables(),
                          state=fit_pb2.FIT_STATE_SUCCEEDED, rounds=rounds,
                          last_seq=rounds + 1)
        self.fits[name] = fit
        return fit

    def GetFit(self, request, context):
        if request.name not in self.fits:
            context.abort(grpc.StatusCode.NOT_FOUND, f"there is no {request.name}")
        return self.fits[request.name]

    def ContinueFit(self, request, context):
        fit = self.fits[request.name]
        self.continued.append(request)
        if request.restart:
            fit.rounds, fit.stage = 0, fit.stage + 1
            fit.spec.inference.MergeFrom(request.inference)
            if request.parameters:
                del fit.spec.parameters[:]
                fit.spec.parameters.extend(request.parameters)
        elif request.HasField("inference"):
            fit.spec.inference.training.CopyFrom(request.inference.training)
        fit.rounds += request.stop.rounds
        fit.spec.stop.rounds = fit.rounds
        fit.spec.n_samples = request.n_samples or fit.spec.n_samples
        fit.last_seq = fit.rounds + 1
        return fit

    def ListFits(self, request, context):
        return fit_service_pb2.ListFitsResponse(fits=self.fits.values())

    def ListWorkers(self, request, context):
        return fit_service_pb2.ListWorkersResponse()

    def GetServerInfo(self, request, context):
        return fit_service_pb2.ServerInfo()

    def CancelFit(self, request, context):
        return self.fits[request.name]

    def DeleteFit(self, request, context):
        del self.fits[request.name]
        return fit_service_pb2.DeleteFitResponse()

    def _block(self, fit, round):
        spec = fit.spec
        n, features = spec.n_samples, spec.inference.features
        theta = theta_of(spec.seed, round, n)
        if features[0].feature == "trace":  # two traces of three steps
            rows = [[k + step + 100 * t for t in range(2) for step in range(3)]
                    for k in theta[:, 1]]
            return fit_pb2.SampleBlock(
                sample=range(round * n, (round + 1) * n), stage=[0] * n,
                round=[round] * n, status=[fit_pb2.SAMPLE_STATUS_OK] * n,
                parameters=theta.ravel(), raw_x=np.array(rows, "<f4").tobytes())
        # Feature f on trace t is k + 10 f + 100 t, of [features x traces].
        rows = [[k + 10 * f + 100 * t for f in range(len(features)) for t in range(2)]
                for k in theta[:, 1]]
        return fit_pb2.SampleBlock(
            sample=range(round * n, (round + 1) * n), stage=[0] * n, round=[round] * n,
            status=[fit_pb2.SAMPLE_STATUS_OK] * n, parameters=theta.ravel(),
            trace_error=np.ravel(rows))

    def WatchFit(self, request, context):
        fit = self.fits[request.name]
        for round in range(fit.rounds):
            if round + 1 <= request.after_seq:
                continue
            yield fit_pb2.FitEvent(seq=round + 1, round=fit_pb2.RoundEvent(
                round=round, samples=self._block(fit, round), best_sample=-1,
                training=summary(round)))
        if request.after_seq <= fit.rounds:
            yield fit_pb2.FitEvent(seq=fit.rounds + 1, state=fit_pb2.StateEvent(
                state=fit.state, reason="ROUNDS"))

    def ListSamples(self, request, context):
        fit = self.fits[request.name]
        round = int(request.page_token or 0)
        token = str(round + 1) if round + 1 < fit.rounds else ""
        return fit_service_pb2.ListSamplesResponse(samples=self._block(fit, round),
                                                   next_page_token=token)

    def GenerateTraces(self, request, context):
        self.generated.append(request)
        points = len(request.points) // 2
        outputs = [fit_pb2.Variable(name=name, si_unit="volt") for name
                   in request.outputs]
        yield fit_service_pb2.GenerateTracesResponse(
            header=fit_service_pb2.TraceHeader(outputs=outputs, points=points,
                                               steps=[3, 3], dt=1e-4))
        for point in range(points):
            for output in range(len(outputs)):
                for trace in range(2):
                    answer = fit_service_pb2.GenerateTracesResponse()
                    answer.pieces.add(point=point, output=output, trace=trace,
                                      first_step=0, values=[output, trace, 1])
                    yield answer


def summary(round):
    return inference_pb2.TrainingSummary(
        validation_loss=[2.0, 1.0 - round], best_validation_loss=1.0 - round,
        converged=True, estimator="maf", simulations=50, inside_prior=0.5,
        messages=["a word"])


class Posteriors(inference_service_pb2_grpc.InferenceServiceServicer):
    def __init__(self, fits):
        self.fits, self.asked, self.no_trainer = fits, [], False
        self.imported = {}  # (name, round) -> the bytes of each net

    def ImportEstimators(self, requests, context):
        first, nets = None, {}
        for each in requests:
            first = first or each
            nets[each.member] = nets.get(each.member, b"") + each.chunk
        self.imported[first.name, first.round] = [nets[i] for i in sorted(nets)]
        fit = self.fits.fits[first.name]
        fit.rounds = first.round + 1
        return fit

    def GetPosterior(self, request, context):
        fit = self.fits.fits.get(request.name)
        if fit is None or request.name in self.fits.lost:
            context.abort(grpc.StatusCode.NOT_FOUND, f"there is no {request.name}")
        if fit.spec.inference.HasField("simulator"):
            names = fit.spec.inference.simulator.features
            return inference_service_pb2.Posterior(
                name=fit.name, rounds=[summary(i) for i in range(fit.rounds)],
                parameters=variables(), features=names,
                observation=fit.spec.inference.observation,
                estimator_bytes=[3] * fit.rounds)
        features = len(fit.spec.inference.features) * 2
        if fit.spec.inference.features[0].feature == "trace":
            return inference_service_pb2.Posterior(
                name=fit.name, rounds=[summary(i) for i in range(fit.rounds)],
                parameters=variables(), observation=range(6),
                estimator_bytes=[3] * fit.rounds, trace_columns=[
                    inference_pb2.TraceColumns(name="v", trace=t, first_step=4,
                                               every=5, count=3) for t in range(2)])
        return inference_service_pb2.Posterior(
            name=fit.name, rounds=[summary(i) for i in range(fit.rounds)],
            parameters=variables(), features=[f"x{i}" for i in range(features)],
            observation=range(features), estimator_bytes=[3] * fit.rounds)

    def AskPosterior(self, request, context):
        self.asked.append(request)
        if self.no_trainer:
            context.abort(grpc.StatusCode.UNAVAILABLE,
                          "no trainer is connected; start somafit-trainer")
        answer = inference_service_pb2.PosteriorAnswer
        kind = request.WhichOneof("query")
        if kind == "draw":
            rng = np.random.default_rng(request.draw.seed)
            n_x = max(len(request.x) // 6, 1)
            draws = np.concatenate(
                [i * MEAN + MEAN + SD * rng.standard_normal((request.draw.n, 2))
                 for i in range(n_x)])
            counts = [request.draw.n] * n_x
            if request.draw.max_seconds:
                draws = draws[:3]
                counts = [3] + [0] * (n_x - 1)
            if n_x > 1:
                yield answer(draws_of_x=counts)
            # In several parts.
            for part in np.array_split(draws, 3):
                yield answer(theta=part.ravel(), log_density=[0.0] * len(part))
            yield answer(candidates=2 * request.draw.n, accepted=request.draw.n,
                         incomplete="time is up" if request.draw.max_seconds else "")
        elif kind == "density":
            points = np.reshape(request.density.theta, (-1, 2))
            yield answer(log_density=-0.5 * (((points - MEAN) / SD)**2).sum(axis=1))
        elif kind == "map":
            yield answer(theta=MEAN, log_density=[0.0])
        elif kind == "conditional":
            query = request.conditional
            n, r = len(query.subset) or 2, query.resolution or 50
            if query.correlations:
                yield answer(correlations=np.eye(n).ravel())
                return
            # Pairs (i, j): the row is j's.
            pairs = np.arange(r * r, dtype=float) / (r * r - 1)
            yield answer(pairs=np.tile(pairs, n * (n - 1) // 2),
                         singles=np.tile(np.linspace(0, 1, r), n),
                         lower=LOWER[:n], upper=UPPER[:n])

    def ExportEstimator(self, request, context):
        for piece in (b"net", f"{request.round}{request.member}".encode()):
            yield inference_service_pb2.ExportEstimatorResponse(chunk=piece)


class Coordinator:
    """`fits` and `posteriors` are what it was asked, `client` talks to it."""

    def __init__(self, folder, fits=Fits, posteriors=Posteriors):
        self.fits = fits()
        self.posteriors = posteriors(self.fits)
        self.threads = concurrent.futures.ThreadPoolExecutor(8)
        self.server = grpc.server(self.threads)
        fit_service_pb2_grpc.add_FitServiceServicer_to_server(self.fits, self.server)
        inference_service_pb2_grpc.add_InferenceServiceServicer_to_server(
            self.posteriors, self.server)
        address = f"unix:{folder}/socket"
        self.server.add_insecure_port(address)
        self.server.start()
        endpoint = pathlib.Path(folder, "endpoint")
        endpoint.write_text(f'{{"address": "{address}"}}')
        endpoint.chmod(0o600)
        self.client = somafit.Client(endpoint)


@contextlib.contextmanager
def coordinator(**parts):
    with tempfile.TemporaryDirectory() as folder:
        made = Coordinator(folder, **parts)
        try:
            yield made
        finally:
            made.client.close()
            made.server.stop(None).wait()
            made.threads.shutdown()
