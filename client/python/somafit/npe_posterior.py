"""Posteriors of NPE_A, NPE_B, NPE_C and NPE."""

from __future__ import annotations

import weakref
from typing import Any, Mapping, NamedTuple, Optional, Sequence, Union

import numpy as np

from somafit.drawn_parameters import Origin
from somafit.errors import NotAvailableError
from somafit.fit_spec import whole
from somafit.inference_run import check_sampler
from somafit.joint_prior import array_of
from somafit.posterior import Posterior


class NPEPosterior(Posterior):
    """What ``build_posterior`` returns: a Posterior of the round that was trained
    last by then, whose draws can be simulated next: in place of a distribution it is
    a proposal."""

    def __init__(self, inference: Any, client: Any, name: str, round: int) -> None:
        self._inference = weakref.ref(inference)
        self._calls = 0
        super().__init__(client, name, round)

    @property
    def default_x(self) -> Optional[np.ndarray]:
        """What it is conditioned on where nothing is said; None: nothing yet."""
        return self.observation if len(self.observation) else None

    def set_default_x(self, x: Any) -> "NPEPosterior":
        """Conditions it on x, and returns it."""
        self._x = self._observed(x)
        inference = self._inference()
        if inference is not None:
            inference._focus = self._x
        return self

    def sample(self, sample_shape: Union[int, Sequence[int]] = (1,), x: Any = None,
               seed: Optional[int] = None,
               max_sampling_time: Optional[float] = None,
               reject_outside_prior: bool = True, *,
               max_sampling_batch_size: Optional[int] = None,
               sample_with: Optional[str] = None, oversampling_factor: int = 0,
               show_progress_bars: bool = True) -> np.ndarray:
        """As Posterior.sample, but without a seed other draws in each call. They are
        remembered: append_simulations knows where they came from. The trainer chooses
        its batches; there are no progress bars."""
        if sample_with is not None:
            check_sampler(sample_with, "sample_with")
        at = self._at(x)
        draws = super().sample(sample_shape, at, self._next_seed(seed),
                               max_sampling_time, reject_outside_prior, sample_with,
                               oversampling_factor)
        self._remember(draws, at)
        return draws

    def sample_batched(self, sample_shape: Union[int, Sequence[int]], x: Any,
                       seed: Optional[int] = None,
                       max_sampling_time: Optional[float] = None,
                       reject_outside_prior: bool = True, *,
                       max_sampling_batch_size: Optional[int] = None,
                       sample_with: Optional[str] = None, oversampling_factor: int = 0,
                       show_progress_bars: bool = True) -> np.ndarray:
        """As sample, at each row of x: of the shape (*sample_shape, len(x),
        parameters)."""
        if sample_with is not None:
            check_sampler(sample_with, "sample_with")
        rows = np.asarray(self._several(x))
        draws = super().sample_batched(sample_shape, rows, self._next_seed(seed),
                                       max_sampling_time, reject_outside_prior,
                                       sample_with, oversampling_factor)
        for i, row in enumerate(rows):
            self._remember(draws[..., i, :], row)
        return draws

    def _next_seed(self, given: Optional[int]) -> int:
        if given is not None:
            return given
        # Rounds are drawn from posteriors of their own, and each has other noise.
        inference = self._inference()
        if inference is None:
            self._calls += 1
            return self._calls - 1
        inference._samplings += 1
        return inference.seed + inference._samplings - 1

    def _remember(self, draws: np.ndarray, at: np.ndarray) -> None:
        inference = self._inference()
        if inference is not None and self.round is not None:
            inference._drawn.remember(draws, Origin(self.name, self.round + 1, at, False))

    def log_prob(self, theta: Any, x: Any = None,
                 norm_posterior: bool = True) -> np.ndarray:
        """See Posterior.log_prob."""
        if not isinstance(theta, Mapping):
            theta = array_of(theta, "theta")
        return super().log_prob(theta, self._at(x), norm_posterior)

    def map(self, x: Any = None, num_init_samples: int = 1000,
            num_to_optimize: int = 100, seed: int = 0) -> np.ndarray:
        """See Posterior.map."""
        return super().map(self._at(x), num_init_samples, num_to_optimize, seed)

    def _at(self, x: Any) -> np.ndarray:
        if x is not None:
            return self._observed(x)
        if self.default_x is None:
            raise ValueError("x: the posterior has no default x; give x, or say "
                             "set_default_x(x) first")
        return self.default_x

    def _observed(self, x: Any) -> np.ndarray:
        values = np.ravel(array_of(x, "x"))
        if len(values) != len(self.features):
            raise ValueError(f"x has {len(values)} numbers, but simulations have "
                             f"{len(self.features)}")
        return super()._observed(values)

    def _several(self, x: Any) -> Any:
        rows = array_of(x, "x")
        return super()._several(rows.reshape(len(rows), -1) if rows.ndim > 2 else rows)


class Sampling(NamedTuple):
    """What draws of a posterior are made with where nothing else is said."""

    sample_with: str = "direct"
    oversampling_factor: int = 0

    def of(self, posterior: Any) -> Any:
        """The posterior, which draws so from now on."""
        posterior.sample_with = self.sample_with
        posterior.oversampling_factor = self.oversampling_factor
        return posterior


def sampling_of(given: Mapping[str, Any], what: str = "") -> Sampling:
    """Of what build_posterior is given, {option: value or None}, as errors name it
    behind `what`: what means nothing to the trainer passes, what would is refused."""
    for name in given:
        if name not in _OPTIONS:
            raise TypeError(f"{what}there is no option \"{name}\"; there are "
                            f"{', '.join(_OPTIONS)}")
    sampler = given.get("sample_with")
    sampler = "direct" if sampler is None else sampler
    check_sampler(sampler, f"{what}sample_with")
    if given.get("posterior_parameters") is not None:
        raise NotAvailableError(
            f"{what}posterior_parameters: it would configure a posterior of Python, "
            "but draws are the trainer's; give sample_with, and "
            "importance_sampling_parameters where that is \"importance\"")
    for name, keys in _PARAMETERS.items():
        value = given.get(name)
        if value is None:
            continue
        if not isinstance(value, Mapping):
            raise NotAvailableError(
                f"{what}{name}: {type(value).__name__} would configure a sampler of "
                "Python; draws are the trainer's")
        for key in value if keys else ():
            if key not in keys:
                raise TypeError(f"{what}{name}: there is no option \"{key}\"; there "
                                f"are {', '.join(keys)}")
    options = given.get("importance_sampling_parameters") or {}
    if options.get("method", "sir") != "sir":
        raise NotAvailableError(
            f"{what}importance_sampling_parameters: method: draws are picked anew by "
            "their weights, \"sir\"; weights by themselves are not available")
    factor = options.get("oversampling_factor")
    return Sampling(sampler, 0 if factor is None else whole(
        factor, f"{what}oversampling_factor", 1))


# What samplers of sbi can be told; of those that are not there, anything.
_COMMON = ("max_sampling_batch_size", "enable_transform", "device")
_PARAMETERS: Mapping[str, Sequence[str]] = {
    "direct_sampling_parameters": _COMMON,
    "rejection_sampling_parameters": (*_COMMON, "num_samples_to_find_max",
                                      "num_iter_to_find_max", "m"),
    "importance_sampling_parameters": (*_COMMON, "oversampling_factor", "method"),
    "mcmc_parameters": (), "vi_parameters": ()}
_OPTIONS = ("sample_with", "mcmc_method", "vi_method", *_PARAMETERS,
            "posterior_parameters")
