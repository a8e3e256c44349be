"""How strongly a neuron prefers a direction, and which one, given how often it spiked
at eight directions: a simulator in Python, and the loop of sbi.

    python3 client/examples/own_simulator/tuning.py
"""

import numpy as np

from somafit import NPE_C, Prior
from somafit.units import Hz, second

DIRECTIONS = np.arange(8) * np.pi / 4
PRIOR = {"baseline": Prior("log_uniform", lower=0.5 * Hz, upper=20 * Hz),
         "gain": [0 * Hz, 60 * Hz], "preferred": [-np.pi, np.pi], "width": [0.3, 2]}
TRUTH = np.array([3.0, 30.0, 0.8, 0.7])
DURATION = 2 * second


def simulator(theta, rng):
    """Roots of spike counts, in which noise is alike everywhere, at each direction
    [n x 8], of [n x 4] parameters in SI."""
    baseline, gain, preferred, width = theta.T[:, :, None]
    bump = np.exp((np.cos(DIRECTIONS - preferred) - 1) / width**2)
    return np.sqrt(rng.poisson((baseline + gain * bump) * float(DURATION / second)))


def main(n_rounds=3, n_simulations=500, client=None, **train_kwargs):
    rng = np.random.default_rng(1)
    x_o = simulator(TRUTH[None], rng)
    inference = NPE_C(PRIOR, "maf", client=client, seed=1)
    proposal = inference.prior
    for _ in range(n_rounds):
        theta = proposal.sample((n_simulations,))
        inference.append_simulations(theta, simulator(theta, rng)).train(**train_kwargs)
        posterior = inference.build_posterior()
        # What is simulated next is what could have been observed.
        proposal = posterior.set_default_x(x_o)
    draws = posterior.sample((1000,))
    for name, values, true in zip(posterior.parameter_names, draws.T, TRUTH):
        low, high = np.percentile(values, [5, 95])
        print(f"{name}: {values.mean():.3g}, from {low:.3g} to {high:.3g}; it was {true}")
    return inference, draws


if __name__ == "__main__":
    main()
