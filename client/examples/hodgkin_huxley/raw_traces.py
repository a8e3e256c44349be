"""Which sodium and potassium conductances explain a trace that the model made
itself, without saying what to look at: x is the trace, and a net learns from
simulations what in it tells about the conductances (automatic extraction).

    python3 client/examples/hodgkin_huxley/raw_traces.py
"""

import re

from model import (DT, EK, ENa, El, EQUATIONS, TRUTH, VT,  # noqa: F401
                   record, steps)
from somafit import Inferencer
from somafit.units import mV, ms, nS, pF, usiemens

# What is recorded has 0.1 mV of noise. Simulations that lack it would never look
# like the recordings, and the posterior would be sure of a mistake.
MODEL = (re.sub(r"\b(d?)v\b", r"\1vm",
                EQUATIONS.replace("gl : siemens (constant)\n", "")) +
         "v = vm + 0.1*mV*randn() : volt (constant over dt)\n")
gl, Cm = 10 * nS, 200 * pF


def main(n_rounds=1, n_samples=10000, callback="text", plot=None, **train_kwargs):
    current = steps([3], 15 * ms, 2 * ms, 12 * ms)
    traces = record(current, ["v"], noise=0.1 * mV)
    # No features: every step of v is a number of x.
    inferencer = Inferencer(dt=DT, model=MODEL, input={"I": current}, output=traces,
                            method="exponential_euler", param_init={"vm": El}, seed=1)
    posterior = inferencer.infer(
        n_samples, n_rounds=n_rounds, density_estimator_model="mdn",
        callback=callback, train_kwargs=train_kwargs,
        g_na=[.5 * usiemens, 80 * usiemens], g_kd=[.1 * nS, 15 * usiemens])
    inferencer.sample((10000,))
    truth = {name: TRUTH[name] for name in ("g_na", "g_kd")}
    print(f"Most likely: {posterior.named(posterior.map())}\nTrue: {truth}")
    print("\n".join(posterior.summaries[-1].messages))
    if plot is not None:
        inferencer.pairplot(points=truth)[0].savefig(f"{plot}.png")
    # What the model does at ten draws.
    print(inferencer.generate_traces(10).shape)
    return inferencer


if __name__ == "__main__":
    main(plot="posterior")
