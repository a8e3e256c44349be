"""Which conductances and capacitances of a Hodgkin-Huxley neuron explain five
recorded responses, and how likely each is: inference.yaml in Python, with plots.

    python3 client/examples/hodgkin_huxley/inference.py
"""

import pathlib
import re

import numpy as np

from model import EK, ENa, El, FREE_CAPACITANCE, TRUTH, VT
from somafit import Bounds, Inferencer, Prior, features
from somafit.units import amp, mV, ms, nS, pF, usiemens

HERE = pathlib.Path(__file__).parent
# What was recorded has 1 mV of noise. Simulations that lack it would never look
# like the recordings, and the posterior would be sure of a mistake.
MODEL = (re.sub(r"\b(d?)v\b", r"\1vm", FREE_CAPACITANCE) +
         "v = vm + 1*mV*randn() : volt (constant over dt)\n")
STIMULUS = dict(t_start=5 * ms, t_end=10 * ms)


def read(name):
    """One row a trace, behind a header and the row's number."""
    return np.loadtxt(HERE / name, delimiter=",", skiprows=1)[:, 1:]


def main(n_rounds=2, n_samples=10000, callback="text", plot=None, **train_kwargs):
    with open(HERE / "spikes.csv") as file:
        spikes = [np.array(line.split(","), dtype=float) * ms for line in file]
    inferencer = Inferencer(
        dt=0.01 * ms, model=MODEL, method="exponential_euler",
        input={"I": read("input.csv") * amp},
        output={"v": read("output.csv") * mV, "spikes": spikes},
        # What counts as a spike: each time that vm comes above this.
        threshold="vm > -20*mV", reset="", refractory="vm > -20*mV",
        features={"v": [features.max(**STIMULUS), features.mean(**STIMULUS),
                        features.std(**STIMULUS),
                        features.kurtosis(pearson=True, **STIMULUS),
                        features.mean(t_end=5 * ms, label="v_rest"),
                        features.mean(t_start=12 * ms, label="v_end")],
                  "spikes": [features.spike_count()]},
        param_init={"vm": El}, seed=1)
    posterior = inferencer.infer(
        n_samples, n_rounds=n_rounds, inference_method="SNPE_C",
        density_estimator_model="mdn", callback=callback, train_kwargs=train_kwargs,
        gl=Bounds(1 * nS, 100 * nS, prior=Prior("log_uniform")),
        g_na=[2 * usiemens, 100 * usiemens], g_kd=[1 * usiemens, 30 * usiemens],
        Cm=[100 * pF, 400 * pF])
    inferencer.sample((10000,))
    best = posterior.named(posterior.map())
    print(f"Most likely: {best}\nTrue: {TRUTH}")
    print(f"Correlations there:\n{inferencer.conditional_corrcoeff(best)}")
    if plot is not None:
        inferencer.pairplot(points=TRUTH)[0].savefig(f"{plot}.png")
        inferencer.conditional_pairplot(best)[0].savefig(f"{plot}_conditional.png")
    # What the model does at ten draws.
    print(inferencer.generate_traces(10, output_var="v").shape)
    return inferencer


if __name__ == "__main__":
    main(plot="posterior")
