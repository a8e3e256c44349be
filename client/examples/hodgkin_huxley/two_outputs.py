"""Two variables at once: the membrane potential and a gate, each with an error in
its own unit, which a normalization takes out, so that they can be added up.

    python3 client/examples/hodgkin_huxley/two_outputs.py
"""

from model import BOUNDS, DT, EK, ENa, El, FREE_CAPACITANCE, VT, record, steps
from somafit import MSEMetric, TraceFitter
from somafit.units import mV, ms


def main(n_rounds=20, n_samples=60):
    current = steps([0, 0.25, 0.5, 0.75, 1], 100 * ms, 10 * ms, 100 * ms)
    fitter = TraceFitter(
        dt=DT, model=FREE_CAPACITANCE, method="exponential_euler",
        input={"I": current}, output=record(current, ["v", "m"]),
        param_init={"v": El}, n_samples=n_samples)
    fitter.fit(n_rounds=n_rounds,
               metric={"v": MSEMetric(t_start=5 * ms, normalization=10 * mV),
                       "m": MSEMetric(t_start=5 * ms, normalization=0.1)},
               **BOUNDS)
    print(f"Errors: {fitter.best_objective_errors}")
    return fitter


if __name__ == "__main__":
    main()
