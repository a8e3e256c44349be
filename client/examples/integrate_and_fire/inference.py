"""Which leak conductances and capacitances make an exponential integrate-and-fire
neuron spike as recorded, and how likely each is: inference.yaml in Python.

    python3 client/examples/integrate_and_fire/inference.py
"""

import pathlib

import numpy as np

from somafit import Inferencer, features
from somafit.units import mV, ms, nA, nF, nS

HERE = pathlib.Path(__file__).parent
EQUATIONS = """
dv/dt = (gL*(EL - v) + gL*Delta*exp((v - VT)/Delta) + I)/C : volt
gL : siemens (constant)
C : farad (constant)
"""


def main(n_rounds=3, n_samples=3000, callback="text", **train_kwargs):
    EL, VT, Delta = -70 * mV, -50 * mV, 2 * mV
    current = np.loadtxt(HERE / "steps.csv", delimiter=",", ndmin=2) * nA
    with open(HERE / "steps_spikes.csv") as file:
        spikes = [np.array(line.split(","), dtype=float) * ms for line in file]
    inferencer = Inferencer(
        dt=0.1 * ms, model=EQUATIONS, input={"I": current}, method="euler",
        output={"spikes": spikes}, threshold="v > VT", reset="v = EL",
        features={"spikes": [features.spike_count(),
                             features.isi_mean(empty=0 * ms)]},
        param_init={"v": "EL"}, seed=1)
    posterior = inferencer.infer(n_samples, n_rounds=n_rounds, callback=callback,
                                 train_kwargs=train_kwargs, gL=[10 * nS, 100 * nS],
                                 C=[0.1 * nF, 10 * nF])
    draws = posterior.named(inferencer.sample((1000,)))
    for name, values in draws.items():
        print(f"{name}: {np.mean(values)}, from {values[np.argmin(values)]} to "
              f"{values[np.argmax(values)]}")
    return inferencer


if __name__ == "__main__":
    main()
