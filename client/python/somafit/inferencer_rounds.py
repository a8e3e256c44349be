"""How an Inferencer's rounds come about: simulated by the coordinator's workers, or
appended as theta and x of one's own."""

from __future__ import annotations

import copy
import logging
from types import FrameType
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

import numpy as np

from somafit import fit_spec, simulations
from somafit.bounds import Bounds
from somafit.drawn_parameters import same_x
from somafit.fit import Fit
from somafit.inference_run import Callback, Inference, callback_of, tell_round, wait
from somafit.joint_prior import JointPrior
from somafit.namespace import Namespace
from somafit.npe import NPE, NPE_A, NPE_B, NPE_C
from somafit.posterior import Posterior
from somafit.v1 import fit_pb2

_TRAINERS: Mapping[str, Any] = {"tsnpe": NPE, "npe_a": NPE_A, "npe_b": NPE_B,
                                "npe_c": NPE_C}
_MOST_NAMES = 1000
_LONGEST_NAME = 80


class InferencerRounds:
    """The part of Inferencer that learns; of what it needs, Inferencer says what it
    is."""

    client: Any
    seed: int
    bounds: Dict[str, Bounds]
    parameter_names: List[str]
    n_samples: Optional[int]
    theta: Optional[np.ndarray]
    x: Optional[np.ndarray]
    _experiment: Any
    _features: List[fit_pb2.FeatureSpec]
    posterior: Optional[Posterior]
    _fit: Optional[Fit]
    _inference: Optional[Inference]
    _prior: Optional[JointPrior] = None  # what propose draws from

    def _spec(self, names: Namespace, inference: Inference,
              train_kwargs: Mapping[str, Any], rounds: int,
              bounds: Optional[Mapping[str, Bounds]] = None) -> fit_pb2.FitSpec:
        model = self._experiment
        description: Dict[str, Any] = {
            "model": model._model(names), "seed": self.seed,
            "dt": model._dt_text or f"{model._dt!r}*second",
            "n_samples": self.n_samples or 0, "stop": {"rounds": rounds}}
        if model._name:
            description["label" if self._fit else "name"] = model._name
        else:
            description["label"] = "inference"
        spec = fit_spec.fit_spec(description)
        given = self.bounds if bounds is None else bounds
        spec.parameters.extend(fit_spec.parameters(
            {name: given[name] for name in self.parameter_names}, self._dims()))
        spec.inference.algorithm = inference.algorithm
        spec.inference.features.extend(self._features)
        spec.inference.estimator.CopyFrom(inference.estimator_at(self.client))
        spec.inference.training.CopyFrom(inference.training(train_kwargs))
        return spec

    def _dims(self) -> Dict[str, Any]:
        return {name: each.dimension for name, each
                in self._experiment.equations.definitions.items()
                if each.dimension is not None}

    def _submit(self, frame: Optional[FrameType], inference: Inference,
                train_kwargs: Mapping[str, Any], rounds: int) -> Fit:
        spec = self._spec(self._experiment._namespace(frame, {}), inference,
                          train_kwargs, rounds)
        return self.client.submit(spec, self._experiment._dataset)

    def _model_fit(self, frame: Optional[FrameType], posterior: Posterior) -> Fit:
        """One that is there for its model alone; what it begins with is given up."""
        bounds = dict(self.bounds)
        for name, (low, high) in zip(posterior.parameter_names, posterior.bounds):
            if name not in bounds:  # traces do not depend on them
                bounds[name] = Bounds(max(low, -1e6), min(high, 1e6))
        spec = self._spec(self._experiment._namespace(frame, {}),
                          Inference("SNPE", "maf", "cpu", {}), {}, 1, bounds)
        spec.name, spec.label, spec.n_samples = "", "traces", 20
        return self.client.submit(spec, self._experiment._dataset).cancel()

    def _check_inference(self, inference: Any) -> None:
        if not isinstance(inference, Inference):
            raise TypeError("inference must be what init_inference returned, not "
                            f"{inference!r}")

    # Rounds of the coordinator.
    def _begin(self, frame: Optional[FrameType], inference: Inference,
               train_kwargs: Mapping[str, Any], rounds: int, callback: Callback) -> None:
        """The first rounds of an inference of its own."""
        self._check_inference(inference)
        callback = callback_of(callback, train_kwargs)
        self._fit = self._submit(frame, inference, train_kwargs, rounds)
        self._watched(inference, self._fit, callback, 0)

    def _go_on(self, inference: Inference, train_kwargs: Mapping[str, Any], rounds: int,
               callback: Callback) -> None:
        """More rounds, focused on the recordings."""
        if inference.fit is None:
            raise ValueError(
                "inference: it was trained on theta and x of one's own, which the "
                "coordinator cannot go on with: give theta and x of the next round, of "
                "theta = inferencer.propose(n), or begin anew with restart=True")
        callback = callback_of(callback, train_kwargs)
        fit = inference.fit.refresh()
        before, changes = fit.message.last_seq, None
        if train_kwargs:
            changes = fit_pb2.InferenceSpec()
            changes.training.CopyFrom(fit.spec.inference.training)
            wanted = inference.training(train_kwargs)
            given = dict(train_kwargs)
            if "batch_size" in (given.get("dataloader_kwargs") or {}):
                given["training_batch_size"] = None
            for field in wanted.DESCRIPTOR.fields:
                (changes.training if field.name in given else wanted).ClearField(
                    field.name)
            changes.training.MergeFrom(wanted)
        n_samples = self.n_samples or 0
        fit.continue_(rounds, inference=changes, n_samples=(
            0 if n_samples == fit.spec.n_samples else n_samples))
        self._watched(inference, fit, callback, before)

    def _begin_anew(self, before: Inference, inference: Inference,
                    train_kwargs: Mapping[str, Any], rounds: int, callback: Callback
                    ) -> None:
        """A stage of its own of the inference that there is, which forgets the other:
        settings and priors are those that are given."""
        assert before.fit is not None
        callback = callback_of(callback, train_kwargs)
        fit = before.fit.refresh()
        last = fit.message.last_seq
        changes = fit_pb2.InferenceSpec(algorithm=inference.algorithm)
        changes.estimator.CopyFrom(inference.estimator_at(self.client))
        changes.training.CopyFrom(inference.training(train_kwargs))
        # Priors that a loaded posterior has stay.
        fit.continue_(rounds, restart=True, n_samples=self.n_samples or 0,
                      parameters={name: self.bounds[name] for name in
                                  self.parameter_names} if self.bounds else None,
                      inference=changes)
        self.posterior = None
        before.gone.append(f"{fit.name} was begun anew (restart=True), so that its "
                           "posterior of before is there no more; take the new one")
        before.fit = None
        self._watched(inference, fit, callback, last)

    def _watched(self, inference: Inference, fit: Fit, callback: Callback, after: int
                 ) -> None:
        self._fit, self._inference = fit, inference
        inference.fit = fit
        wait(fit, callback, after)
        found = self._simulated(fit)
        self.theta, self.x = found.theta, found.x

    # Rounds of one's own.
    def _learn_from(self, frame: Optional[FrameType], inference: Inference,
                    train_kwargs: Mapping[str, Any], rounds: int, callback: Callback,
                    theta: np.ndarray, x: np.ndarray, proposal: Any = None) -> None:
        """From theta and x: where the coordinator simulates the same from this seed
        and prior, as an inference that it can go on with."""
        self._check_inference(inference)
        callback = callback_of(callback, train_kwargs)
        if inference.own is not None:
            return self._append(inference, inference.own, train_kwargs, callback, theta,
                                x, proposal)
        if inference.rounds:
            raise ValueError("theta and x: the coordinator simulated the rounds so far, "
                             "and goes on with its own; begin anew with restart=True, or "
                             "init_inference")
        if not self.bounds:
            raise ValueError("prior: call init_prior first, or give the bounds")
        self.n_samples = len(theta)
        fit = self._submit(frame, inference, train_kwargs, rounds)
        if self._drew(fit, theta):
            self._fit = fit
            self._watched(inference, fit, callback, 0)
            if np.array_equal(self._simulated(fit, 0).x, x, equal_nan=True):
                return
            inference.fit = None
        else:
            fit.cancel()
        if rounds != 1:
            raise ValueError(
                f"n_rounds is {rounds}, but theta and x of one's own are one round; "
                "append others by infer(theta=..., x=...), of theta = "
                "inferencer.propose(n)")
        asked = Posterior(self.client, fit.name)
        observation, names = asked.observation, asked.features
        fit.delete()
        self._append(inference, self._trainer(inference, names), train_kwargs, callback,
                     theta, x, proposal, observation)

    def _append(self, inference: Inference, own: Any, train_kwargs: Mapping[str, Any],
                callback: Callback, theta: np.ndarray, x: np.ndarray, proposal: Any,
                observation: Optional[np.ndarray] = None) -> None:
        inference.training(train_kwargs)  # what is wrong there is said first
        own.append_simulations(theta, x, proposal, exclude_invalid_x=(
            True if train_kwargs.get("invalid") == "exclude" else None))
        inference.own = own
        if observation is not None and len(observation) and np.isfinite(
                observation).all():
            own._observe(observation)
        # The callback tells of it.
        trained = own._train({**train_kwargs, "show_train_summary": False})
        tell_round(callback, trained.event)
        self._fit, self._inference = own.server_fit, inference
        self.theta, self.x = theta, x
        self.n_samples = len(theta)

    def _trainer(self, inference: Inference, names: Sequence[str]) -> Any:
        named: Union[Sequence[str], None] = names
        if len(names) > _MOST_NAMES or not all(
                each.isidentifier() and len(each) <= _LONGEST_NAME for each in names):
            named = None
        made = _TRAINERS[inference.algorithm](
            JointPrior({name: self.bounds[name] for name in self.parameter_names},
                       self._dims(), self.seed),
            show_progress_bars=False, client=self.client, seed=self.seed,
            features=named)
        made._settings, made._level = self._embedded(inference), logging.CRITICAL
        made._name = None if self._fit is not None else self._experiment._name
        return made

    def _raw(self) -> bool:
        return self._features[0].feature == "trace"

    def _embedded(self, inference: Inference) -> Inference:
        """With the layers that the coordinator has for raw traces, where it does not
        know that x is those."""
        given = [each.name for each in inference.estimator.options]
        if (not self._raw() or inference.estimator.embedding
                or inference.script is not None or "torch_script" in given):
            return inference
        made = copy.copy(inference)
        made.estimator = type(inference.estimator)()
        made.estimator.CopyFrom(inference.estimator)
        for size in (50, 20):
            made.estimator.embedding.add(kind="fully_connected", size=size)
        if "z_score_x" not in given:
            made.estimator.options.add(name="z_score_x", text="structured")
        return made

    def _check_proposal(self, inference: Inference, proposal: Posterior) -> None:
        """ValueError for one that the next round is not drawn from."""
        for why in proposal._gone:
            raise ValueError(f"proposal: {why}")
        if inference.rounds == 0:
            raise ValueError(
                f"proposal: {proposal.name} is the posterior of another inference, but "
                "this one has learned nothing yet, and begins with the prior; leave it "
                "out, or give the inference that it is of")
        fit = inference.fit
        if fit is None:
            return  # what is appended is looked at
        if proposal.name != fit.name:
            raise ValueError(f"proposal: {proposal.name} is the posterior of another "
                             f"inference; rounds of {fit.name} go on from its own")
        if proposal.round not in (None, inference.rounds - 1):
            raise ValueError("proposal: it is the posterior of round "
                             f"{proposal.round}, but rounds go on from the latest")
        recorded = np.array(proposal.message.observation)
        if not same_x(proposal.observation, recorded):
            raise ValueError(
                "proposal: it is at another x, but rounds are focused on the "
                "recordings; take the posterior as it was built, or an Inferencer of "
                "the other recordings")

    def propose(self, n: int) -> np.ndarray:
        """[n x parameters] for a simulator of one's own: of the prior, or, once
        something was learned from theta and x, of what is to be simulated next."""
        inference = self._inference
        if inference is not None and inference.own is not None:
            return inference.own.propose(n)
        if inference is not None and inference.rounds:
            raise ValueError("the coordinator simulates for this inference; infer() goes "
                             "on")
        if not self.bounds:
            raise ValueError("prior: call init_prior first")
        prior = JointPrior({name: self.bounds[name] for name in self.parameter_names},
                           self._dims(), self.seed)
        if self._prior != prior:
            self._prior = prior
        return self._prior.sample((fit_spec.whole(n, "n", 1),))

    # What was simulated.
    def _simulated(self, fit: Fit, round: Optional[int] = None
                   ) -> simulations.Simulations:
        found = self._ordered(fit.simulations(), fit)
        if round is None:
            return found
        kept = found.round == round
        return found._replace(theta=found.theta[kept], x=found.x[kept])

    def _ordered(self, found: simulations.Simulations, fit: Fit
                 ) -> simulations.Simulations:
        order = [[each.name for each in fit.message.parameters].index(name)
                 for name in self.parameter_names]
        return found._replace(theta=found.theta[:, order], parameters=[
            found.parameters[i] for i in order])

    def _drew(self, fit: Fit, theta: np.ndarray) -> bool:
        """Whether the first parameters that the inference drew are these."""
        drawn = self._ordered(simulations.read(
            fit._connection, fit.message, 0, min(len(theta), 100), drawn_too=True), fit)
        n = len(drawn.theta)
        return n > 0 and bool(np.array_equal(drawn.theta, theta[:n]))
