"""Two rounds, two more, and then anew, from the beginning, within narrower bounds.

    python3 client/examples/hodgkin_huxley/restart.py
"""

from model import BOUNDS, DT, EK, ENa, El, FREE_CAPACITANCE, VT, record, steps
from somafit import TraceFitter
from somafit.units import mV, ms


def main(n_rounds=10, n_samples=60):
    current = steps([10, 2], 15 * ms, 5 * ms, 10 * ms)
    fitter = TraceFitter(
        dt=DT, model=FREE_CAPACITANCE, method="exponential_euler",
        input={"I": current}, output=record(current, ["v"], noise=1 * mV),
        param_init={"v": El}, n_samples=n_samples)
    fitter.fit(n_rounds=2, **BOUNDS)
    # Goes on: bounds, metric and optimizer stay as they are.
    first, _ = fitter.fit(n_rounds=2)
    around = {name: [value / 2, value * 2] for name, value in first.items()}
    fitter.fit(n_rounds=n_rounds, restart=True, **around)
    # Samples of both stages are kept.
    print(len(fitter.results()), "of", len(fitter.results(stage="all")))
    return fitter


if __name__ == "__main__":
    main()
