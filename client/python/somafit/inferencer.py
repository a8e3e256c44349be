"""Posteriors of a model's parameters, given recordings."""

from __future__ import annotations

import sys
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from somafit import fit_spec, simulations
from somafit.bounds import Bounds
from somafit.client import Client
from somafit.errors import NotAvailableError, NotFittedError
from somafit.features import feature_specs, traces_of
from somafit.fit import Fit
from somafit.fitter import Fitter
from somafit.inference_run import (
    Callback, Inference, algorithm_of, device_of, unpacked, wait)
from somafit.inferencer_rounds import InferencerRounds
from somafit.inferencer_views import InferencerViews
from somafit.joint_prior import array_of
from somafit.npe_posterior import sampling_of
from somafit.posterior import Posterior
from somafit.v1 import fit_pb2


class _Experiment(Fitter):
    """The model and recordings of an Inferencer."""


class Inferencer(InferencerRounds, InferencerViews):
    """``Inferencer(dt, model, input, output, features=...)``.

    dt, model, input, output, method, threshold, reset, refractory, param_init: as of
        TraceFitter; several outputs, "spikes" among them.
    features: {output: [feature, ...]} for each output: members of
        ``somafit.features``, or their names. Without it x is the raw traces of all
        outputs, and a net learns from them what to look at (automatic extraction):
        two fully connected layers, unless ``embedding=[...]`` declares others.

    Beyond the original, by keyword: seed (same seed, same simulations, nets and
    draws; default 0), client, name, namespace, as of TraceFitter. Columns of theta
    follow ``parameter_names``, which are sorted; arrays are in SI.

    ``infer`` does everything; the steps that it consists of can be called one by
    one. What happens, happens at a coordinator, in rounds: see ``server_fit``.
    """

    def __init__(self, dt: Any, model: Any, input: Any, output: Any,
                 features: Optional[Mapping[str, Any]] = None,
                 method: Optional[str] = None, threshold: Optional[str] = None,
                 reset: Optional[str] = None, refractory: Any = False,
                 param_init: Optional[Mapping[str, Any]] = None, *, seed: int = 0,
                 client: Optional[Client] = None, name: Optional[str] = None,
                 namespace: Optional[Mapping[str, Any]] = None) -> None:
        self._experiment = _Experiment(
            dt, model, input, output, threshold=threshold, reset=reset,
            refractory=refractory, method=method, param_init=param_init, seed=seed,
            client=client, name=name, namespace=namespace)
        self.output_var = list(self._experiment.output_var)
        self._features: List[fit_pb2.FeatureSpec] = self._feature_specs(
            traces_of(self.output_var) if features is None else features)
        self.seed, self.n_traces = self._experiment.seed, self._experiment.n_traces
        self.parameter_names = sorted(self._experiment.parameter_names)
        self.bounds: Dict[str, Bounds] = {}
        self.n_samples: Optional[int] = None
        self.theta: Optional[np.ndarray] = None
        self.x: Optional[np.ndarray] = None
        self.samples: Optional[np.ndarray] = None
        self.posterior: Optional[Posterior] = None
        self.sbi_device = "cpu"
        self._inference: Optional[Inference] = None
        self._fit: Optional[Fit] = None
        self._data: Optional[Tuple[np.ndarray, np.ndarray]] = None
        self._model: Optional[Fit] = None  # for traces alone

    def _feature_specs(self, features: Mapping[str, Any]) -> List[fit_pb2.FeatureSpec]:
        specs = feature_specs(features)
        for output in features:
            if output not in self.output_var:
                raise ValueError(f"features: '{output}' is not an output; the outputs "
                                 f"are {', '.join(self.output_var)}")
        for output in self.output_var:
            if output not in features:
                raise ValueError(f"features: the output '{output}' has none; give "
                                 "features for each output")
        # In the order of outputs, as x's columns are.
        return sorted(specs, key=lambda each: self.output_var.index(each.output))

    @property
    def client(self) -> Client:
        """The coordinator, started when it is first needed."""
        return self._experiment.client

    @property
    def server_fit(self) -> Fit:
        """The inference at the coordinator."""
        if self._fit is None:
            raise NotFittedError("there is no inference yet; call infer first")
        return self._fit

    @property
    def n_neurons(self) -> int:
        """Simulations a round: traces times samples."""
        if self.n_samples is None:
            raise ValueError("n_samples: generate data first")
        return self.n_traces * self.n_samples

    # Step by step.
    def init_prior(self, **bounds: Any) -> Dict[str, Bounds]:
        """The prior of each parameter: ``name=[low, high]``, evenly in between,
        somafit.Prior("normal", mean=..., sigma=...), or Bounds with a prior. ValueError
        for an unknown name, TypeError for a missing one."""
        for name in bounds:
            if name not in self.parameter_names:
                raise ValueError(f"'{name}' is not a parameter of the model; there are "
                                 f"{', '.join(self.parameter_names)}")
        for name in self.parameter_names:
            if name not in bounds:
                raise TypeError(f"Bounds must be set for parameter '{name}': give "
                                f"{name}=[low, high]")
        checked = {name: Bounds.of(bounds[name], name)
                   for name in self.parameter_names}
        definitions = self._experiment.equations.definitions
        for name, each in checked.items():
            each.spec(name, definitions[name].dimension)
        self.bounds = checked
        return dict(checked)

    def generate_training_data(self, n_samples: int, prior: Any = None,
                               level: int = 0) -> np.ndarray:
        """Draws `n_samples` parameter sets of the prior, and simulates them."""
        self._use_prior(prior)
        self.n_samples = fit_spec.whole(n_samples, "n_samples", 1)
        # The draws and simulations of a seed are those of every inference with it.
        fit = self._submit(sys._getframe(1 + level), Inference("SNPE", "maf", "cpu", {}),
                           {"max_num_epochs": 1}, 1)
        found = self._simulated(wait(fit, None))
        self._data = (found.theta, found.x)
        fit.delete()
        return found.theta

    def extract_summary_statistics(self, theta: Any, level: int = 0) -> np.ndarray:
        """[n x features] of what generate_training_data simulated for `theta`."""
        given = array_of(theta, "theta")
        if self._data is None or not np.array_equal(given, self._data[0]):
            raise NotAvailableError(
                "theta: the features of points of one's own are not available (yet); "
                "give what generate_training_data returned, unchanged, or simulate them "
                "yourself and give x to train")
        self.theta, self.x = self._data
        return self._data[1]

    def save_summary_statistics(self, f: Any, theta: Any = None, x: Any = None) -> None:
        """A compressed .npz with the arrays theta and x."""
        theta = self.theta if theta is None else np.asarray(theta)
        x = self.x if x is None else np.asarray(x)
        if theta is None or x is None:
            raise AttributeError("there are no data yet; call generate_training_data and "
                                 "extract_summary_statistics, or give theta and x")
        simulations.save(f, theta, x)

    def load_summary_statistics(self, f: Any) -> Tuple[np.ndarray, np.ndarray]:
        """What save_summary_statistics wrote; ValueError for another file."""
        with np.load(f, allow_pickle=False) as loaded:
            if set(loaded.files) != {"theta", "x"}:
                raise ValueError(f"{f}: has the arrays {', '.join(loaded.files)}; data of "
                                 "an Inferencer have theta and x")
            self.theta, self.x = loaded["theta"], loaded["x"]
        return self.theta, self.x

    def init_inference(self, inference_method: str, density_estimator_model: Any,
                       prior: Any = None, sbi_device: str = "cpu",
                       **inference_kwargs: Any) -> Inference:
        """How is to be learned: "SNPE" (truncated proposals), "SNPE_A", "SNPE_B" or
        "SNPE_C"; "maf", "nsf", "made", "mdn" or "auto", with options of
        ``client.describe("estimators")``, and embedding, input_shape, embedding_net and
        ensemble, or what posterior_nn returned. NameError for an unknown method."""
        self._use_prior(prior, required=False)
        self._inference = Inference(inference_method, density_estimator_model,
                                    sbi_device, inference_kwargs)
        self.sbi_device = self._inference.device
        return self._inference

    def train(self, inference: Inference, theta: Any = None, x: Any = None,
              proposal: Any = None, callback: Callback = "text", level: int = 0,
              **train_kwargs: Any) -> Inference:
        """Trains on theta and x, default those that there are: what the coordinator
        simulated, or simulations of one's own, of another round where theta was drawn
        from the posterior `proposal`. Options are those of TrainingSpec."""
        stored = theta is None and x is None
        data = self._own_data(self.theta if stored else theta, self.x if stored else x)
        if data is None:
            raise ValueError("theta and x: there are no data yet; call "
                             "generate_training_data and extract_summary_statistics")
        if isinstance(proposal, Posterior):
            self._check_proposal(inference, proposal)
        self._learn_from(sys._getframe(1 + level), inference, train_kwargs, 1, callback,
                         *data, proposal=proposal)
        return inference

    def build_posterior(self, inference: Optional[Inference] = None,
                        **posterior_kwargs: Any) -> Posterior:
        """The posterior of what was trained. `sample_with`: "direct", the default,
        "rejection" or "importance", what its `sample` does if not told otherwise;
        other options are those of ``NPE_B.build_posterior``."""
        sampling = sampling_of(posterior_kwargs, "posterior_kwargs: ")
        chosen = inference or self._inference
        if chosen is not None and chosen.own is not None:
            self.posterior = sampling.of(chosen.own.build_posterior())
            return self.posterior
        fit = None if chosen is None else chosen.fit
        self.posterior = Posterior(self.client, (fit or self.server_fit).name,
                                   parameters=self.parameter_names)
        if chosen is not None:
            self.posterior._gone = chosen.gone
        return sampling.of(self.posterior)

    def infer_step(self, proposal: Any = None, inference: Optional[Inference] = None,
                   n_samples: Optional[int] = None, theta: Any = None, x: Any = None,
                   train_kwargs: Optional[Mapping[str, Any]] = None,
                   posterior_kwargs: Optional[Mapping[str, Any]] = None,
                   callback: Callback = "text", level: int = 0) -> Posterior:
        """One round: of the prior, or, with the inference's own posterior as proposal,
        one more."""
        sampling_of(posterior_kwargs or {}, "posterior_kwargs: ")
        chosen = inference or self._inference
        if chosen is None:
            raise ValueError("inference: call init_inference first, or give it")
        focused = isinstance(proposal, Posterior)
        if focused:
            self._check_proposal(chosen, proposal)
        if theta is not None or x is not None:
            self.train(chosen, theta, x, proposal if focused else None, callback,
                       level + 1, **(train_kwargs or {}))
        elif n_samples is None and not focused:
            raise ValueError("n_samples: give it, or theta and x")
        else:
            self._set_n_samples(n_samples)
            if focused:
                self._go_on(chosen, train_kwargs or {}, 1, callback)
            else:
                self._use_prior(proposal)
                self._begin(sys._getframe(1 + level), chosen, train_kwargs or {}, 1,
                            callback)
        return self.build_posterior(chosen, **(posterior_kwargs or {}))

    # All in one.
    def infer(self, n_samples: Optional[int] = None, theta: Any = None, x: Any = None,
              n_rounds: int = 1, inference_method: str = "SNPE",
              density_estimator_model: Any = "maf",
              inference_kwargs: Optional[Mapping[str, Any]] = None,
              train_kwargs: Optional[Mapping[str, Any]] = None,
              posterior_kwargs: Optional[Mapping[str, Any]] = None,
              restart: bool = False, sbi_device: str = "cpu",
              callback: Callback = "text", level: int = 0, **bounds: Any) -> Posterior:
        """Simulates and learns, `n_samples` a round, and returns the posterior. One
        round holds for any observation (amortised); several are focused on the
        recordings. Another call goes on with `n_rounds` more, of `n_samples` and with
        `train_kwargs`, where given; with `restart` it forgets what was learned and
        begins anew, with other settings and bounds. ``name=[low, high]`` for each
        parameter.

        theta and x: simulations of one's own in place of the coordinator's, such as
        load_summary_statistics returns; theta of a later round is what `propose`
        drew, or, of SNPE_A, SNPE_B and SNPE_C, the posterior. The default SNPE takes
        that of `propose` alone.
        callback: "text", None, or what is called with each round's event.
        """
        sampling_of(posterior_kwargs or {}, "posterior_kwargs: ")
        n_rounds = fit_spec.whole(n_rounds, "n_rounds", 1)
        frame, before = sys._getframe(1 + level), self._inference
        goes_on = (not restart and self.posterior is not None and before is not None
                   and before.rounds > 0)
        data = self._own_data(theta, x)
        if goes_on:
            assert before is not None
            self._check_same(before, inference_method, density_estimator_model,
                             inference_kwargs or {}, sbi_device, bounds)
            inference = before
        else:
            inference = Inference(inference_method, density_estimator_model, sbi_device,
                                  inference_kwargs or {})
            self.sbi_device = inference.device
            loaded = (restart and before is not None and before.fit is not None
                      and data is None)
            if bounds or not (self.bounds or loaded):
                self.init_prior(**bounds)
            if data is None and n_samples is None and not restart:
                data = self._own_data(self.theta, self.x)
        options = dict(train_kwargs or {})
        if data is None:
            self._set_n_samples(n_samples)
        if data is not None:
            self._learn_from(frame, inference, options, n_rounds, callback, *data)
        elif goes_on:
            self._go_on(inference, options, n_rounds, callback)
        elif restart and before is not None and before.fit is not None:
            self._begin_anew(before, inference, options, n_rounds, callback)
        else:
            self._begin(frame, inference, options, n_rounds, callback)
        return self.build_posterior(inference, **(posterior_kwargs or {}))

    # What was found, beside what InferencerViews shows.
    def save_posterior(self, f: Any) -> None:
        """See Posterior.save: no pickle; the coordinator keeps the posterior itself."""
        self._of(None).save(f)

    def load_posterior(self, f: Any) -> Posterior:
        """The posterior that was saved, at its coordinator; `infer` goes on with its
        rounds, settings and priors, where the coordinator simulated."""
        self.posterior = Posterior.load(self.client, f, self.parameter_names)
        self._fit = self.client.fit(self.posterior.name)
        spec = self._fit.spec
        names = {text: name for name, text in (
            ("SNPE", "tsnpe"), ("SNPE_A", "npe_a"), ("SNPE_B", "npe_b"),
            ("SNPE_C", "npe_c"), ("SNPE", ""))}
        self._inference = Inference(names.get(spec.inference.algorithm, "SNPE"), "maf",
                                    spec.inference.training.device or "cpu", {})
        self._inference.estimator.CopyFrom(spec.inference.estimator)
        self.sbi_device = self._inference.device
        if not spec.inference.HasField("simulator"):
            self._inference.fit = self._fit
            self.posterior._gone = self._inference.gone
            self.n_samples = spec.n_samples or 100
        return self.posterior

    # Parts.
    def _of(self, posterior: Optional[Posterior]) -> Posterior:
        found = posterior if posterior is not None else self.posterior
        if found is None:
            raise ValueError("posterior: there is none yet; call infer first, or give "
                             "one")
        if not isinstance(found, Posterior):
            raise TypeError(f"posterior must be a somafit.Posterior, not {found!r}")
        return found

    def _use_prior(self, prior: Any, required: bool = True) -> None:
        if isinstance(prior, Mapping):
            self.init_prior(**prior)
        elif prior is not None:
            raise TypeError("prior must be what init_prior returned, not "
                            f"{prior!r}")
        if required and not self.bounds:
            raise ValueError("prior: call init_prior first")

    def _set_n_samples(self, n_samples: Optional[int]) -> None:
        if n_samples is not None:
            self.n_samples = fit_spec.whole(n_samples, "n_samples", 1)
        elif self.n_samples is None:
            raise ValueError("n_samples: give it, or theta and x")

    def _own_data(self, theta: Any, x: Any) -> Optional[Tuple[np.ndarray, np.ndarray]]:
        if theta is None and x is None:
            return None
        if theta is None or x is None:
            raise ValueError("theta and x: give both, or none")
        data = array_of(theta, "theta"), array_of(x, "x")
        self._check_data(*data)
        return data

    def _check_same(self, inference: Inference, method: str, model: Any,
                    options: Mapping[str, Any], device: Any, bounds: Mapping[str, Any]
                    ) -> None:
        """Of what does not change while an inference goes on; a default is no wish."""
        name = unpacked(model, {})[0]
        chosen = isinstance(model, Mapping) or model != "maf"
        for what, changed in (
                ("bounds", bool(bounds)),
                ("inference_method", method != "SNPE"
                 and algorithm_of(method) != inference.algorithm),
                ("density_estimator_model",
                 chosen and name != inference.estimator.name),
                ("sbi_device", device != "cpu"
                 and device_of(device) != inference.device)):
            if changed:
                raise _given_anew(what)
        described = bool(options) or isinstance(model, Mapping)
        if described and not inference.is_like(
                Inference(method, model if chosen else inference.estimator.name, "cpu",
                          options)):
            raise _given_anew("inference_kwargs" if options
                              else "density_estimator_model")

    def _check_data(self, theta: np.ndarray, x: np.ndarray) -> None:
        if theta.ndim != 2 or theta.shape[1] != len(self.parameter_names):
            raise ValueError(f"theta has the shape {theta.shape}; it must be [n x "
                             f"{len(self.parameter_names)}], for "
                             f"{', '.join(self.parameter_names)}")
        width = self._n_columns()
        if x.ndim != 2 or len(x) != len(theta) or x.shape[1] != (
                x.shape[1] if width is None else width):
            raise ValueError(
                f"x has the shape {x.shape}; it must be [{len(theta)} x "
                f"{'' if width is None else f'{width}], which are ['}traces times "
                f"{'steps' if self._raw() else 'features'}]")

    def _n_columns(self) -> Optional[int]:
        """Of x; None: windows of raw traces decide, which the coordinator knows."""
        if not self._raw():
            return len(self._features) * self.n_traces
        if self.posterior is not None:
            return len(self.posterior.features)
        if any(each.options for each in self._features):
            return None
        return len(self._features) * self.n_traces * self._experiment._n_steps


def _given_anew(what: str) -> ValueError:
    return ValueError(f"{what}: given anew, but the inference goes on as it is; "
                      "restart=True begins anew with other settings")
