"""The neuron of these examples, and recordings of it that they make themselves."""

import numpy as np

from somafit import TraceFitter
from somafit.units import mV, ms, nA, nS, pF, usiemens

EQUATIONS = """
dv/dt = (gl*(El - v) - g_na*m**3*h*(v - ENa) - g_kd*n**4*(v - EK) + I)/Cm : volt
dm/dt = alpha_m*(1 - m) - beta_m*m : 1
dn/dt = alpha_n*(1 - n) - beta_n*n : 1
dh/dt = alpha_h*(1 - h) - beta_h*h : 1
u = (v - VT)/mV : 1
alpha_m = 1.28/exprel((13 - u)/4)/ms : Hz
beta_m = 1.4/exprel((u - 40)/5)/ms : Hz
alpha_n = 0.16/exprel((15 - u)/5)/ms : Hz
beta_n = 0.5*exp((10 - u)/40)/ms : Hz
alpha_h = 0.128*exp((17 - u)/18)/ms : Hz
beta_h = 4/(1 + exp((40 - u)/5))/ms : Hz
g_na : siemens (constant)
g_kd : siemens (constant)
gl : siemens (constant)
"""
# With the capacitance as one more unknown.
FREE_CAPACITANCE = EQUATIONS + "Cm : farad (constant)\n"

El, EK, ENa, VT = -65 * mV, -90 * mV, 50 * mV, -63 * mV
DT = 0.01 * ms

TRUTH = {"g_na": 20 * usiemens, "g_kd": 6 * usiemens, "gl": 10 * nS,
         "Cm": 200 * pF}
BOUNDS = {"g_na": [2 * usiemens, 200 * usiemens],
          "g_kd": [0.6 * usiemens, 60 * usiemens], "gl": [1 * nS, 100 * nS],
          "Cm": [20 * pF, 400 * pF]}


def steps(sizes, duration, begin, end):
    """Steps of current: [traces x steps]."""
    current = np.zeros((len(sizes), round(duration / DT)))
    current[:, round(begin / DT):round(end / DT)] = np.array(sizes)[:, None]
    return current * nA


def record(current, variables, noise=0 * mV, seed=1):
    """What these variables of the true neuron do: {name: [traces x steps]}."""
    nothing = np.zeros(current.shape) * mV
    fitter = TraceFitter(model=FREE_CAPACITANCE, input={"I": current},
                         output={"v": nothing}, dt=DT,
                         method="exponential_euler", param_init={"v": El})
    made = fitter.generate(list(variables), params=TRUTH)
    rng = np.random.default_rng(seed)
    if "v" in made:
        made["v"] = made["v"] + rng.normal(size=current.shape) * noise
    return made
