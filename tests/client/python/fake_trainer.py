"""A coordinator in this process for simulators of one's own: it keeps what is
appended, and its trainings go through a few epochs that are made up."""

import threading

import grpc
import numpy as np

from fake_coordinator import Fits, Posteriors, coordinator
from somafit.v1 import fit_pb2, inference_pb2, inference_service_pb2

EPOCHS = 4  # of which the last one is never streamed


class OwnFits(Fits):
    def __init__(self):
        super().__init__()
        self.trained = threading.Condition()
        self.theta, self.trainings = {}, []

    def CreateFit(self, request, context):
        name = f"fits/own-{len(self.fits)}"
        self.fits[name] = fit = fit_pb2.Fit(
            name=name, spec=request.fit, state=fit_pb2.FIT_STATE_RUNNING)
        for each in request.fit.parameters:
            fit.parameters.add(name=each.name, lower=-np.inf, upper=np.inf)
        self.theta[name] = []
        return fit

    def WatchFit(self, request, context):
        fit, seq = self.fits[request.name], request.after_seq
        while context.is_active():
            with self.trained:
                self.trained.wait_for(lambda: fit.last_seq > seq, timeout=0.1)
            if fit.last_seq > seq:
                seq += 1
                yield fit_pb2.FitEvent(seq=seq, round=fit_pb2.RoundEvent(
                    round=seq - 1, best_sample=-1, training=summary(seq - 1)))


def summary(round):
    return inference_pb2.TrainingSummary(
        training_loss=[10 * round + i for i in range(EPOCHS)],
        validation_loss=[10 * round + i + 0.5 for i in range(EPOCHS)],
        epoch_seconds=[0.25] * EPOCHS, best_validation_loss=round + 0.5,
        converged=True, estimator="mdn", simulations=50)


class OwnPosteriors(Posteriors):
    def __init__(self, fits):
        super().__init__(fits)
        self.streams = 0
        # Trainings end once they were watched, over a line that is lost meanwhile.
        self.drops = False

    def GetPosterior(self, request, context):
        fit = self.fits.fits[request.name]
        x = fit.spec.inference.observation
        return inference_service_pb2.Posterior(
            name=fit.name, rounds=[summary(i) for i in range(fit.rounds)],
            parameters=fit.parameters, features=["x0", "x1"], observation=x,
            estimator_bytes=[3] * fit.rounds)

    def SetObservation(self, request, context):
        fit = self.fits.fits[request.name]
        fit.spec.inference.observation[:] = request.observation
        return fit

    def AppendSimulations(self, requests, context):
        name, theta = "", []
        for each in requests:
            name = each.name or name
            theta.extend(each.theta)
        n = len(theta) // len(self.fits.fits[name].parameters)
        return inference_service_pb2.AppendSimulationsResponse(simulations=n)

    def Train(self, request, context):
        fit = self.fits.fits[request.name]
        self.fits.trainings.append(request)
        self.streams = 0
        if not self.drops:
            self._end(fit)
        return fit

    def _end(self, fit):
        with self.fits.trained:
            fit.rounds += 1
            fit.last_seq += 1
            self.fits.trained.notify_all()

    def WatchTraining(self, request, context):
        fit, self.streams = self.fits.fits[request.name], self.streams + 1
        round = fit.rounds
        for epoch in range(1, EPOCHS):
            message = inference_service_pb2.TrainingProgress(round=round)
            for member in range(2):
                message.epochs.add(
                    member=member, epoch=epoch, seconds=0.25,
                    training_loss=10 * round + epoch - 1 + 100 * member,
                    validation_loss=10 * round + epoch - 0.5 + 100 * member)
            yield message
            if epoch == 2 and self.streams == 1 and self.drops:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the line is lost")
        if fit.rounds == round and self.drops:
            self._end(fit)


def own_coordinator():
    return coordinator(fits=OwnFits, posteriors=OwnPosteriors)
