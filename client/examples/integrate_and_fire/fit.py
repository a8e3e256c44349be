"""Finds resistance, time constant and refractory period of an integrate-and-fire
neuron from the times of its spikes: fit.yaml in Python.

    python3 client/examples/integrate_and_fire/fit.py
"""

import pathlib

import numpy as np

from somafit import GammaFactor, SpikeFitter
from somafit.units import Mohm, mV, ms, nA

HERE = pathlib.Path(__file__).parent
EQUATIONS = """
dv/dt = (El - v + R*I)/tau : volt (unless refractory)
R : ohm (constant)
tau : second (constant)
t_ref : second (constant)
"""


def main(n_rounds=20, n_samples=100):
    El = -70 * mV
    current = np.loadtxt(HERE / "input.csv", delimiter=",", ndmin=2) * nA
    with open(HERE / "spikes.csv") as file:
        spikes = [np.array(line.split(","), dtype=float) * ms for line in file]
    fitter = SpikeFitter(
        dt=0.1 * ms, model=EQUATIONS, input={"I": current}, output=spikes,
        threshold="v > -50*mV", reset="v = El", refractory="t_ref", method="exact",
        param_init={"v": "El"}, n_samples=n_samples, seed=1)
    best, error = fitter.fit(
        n_rounds=n_rounds, metric=GammaFactor(delta=1 * ms),
        R=[20 * Mohm, 80 * Mohm], tau=[5 * ms, 30 * ms], t_ref=[1 * ms, 6 * ms])
    print(f"Found {best}, error {error:.3g}")
    print(f"Spikes: {fitter.generate_spikes()[0][:5]} ...")
    return fitter


if __name__ == "__main__":
    main()
