"""The models that Brian 2 and Somafit both simulate: one text for both."""

import dataclasses
import math
import random


@dataclasses.dataclass
class Model:
    """Quantities are texts that both sides read, numbers are SI."""

    equations: str  # `I` is the input
    method: str
    input_unit: str
    inputs: list  # [trace][step]
    dt: str
    parameters: dict  # name: (unit, [value of each point])
    constants: dict = dataclasses.field(default_factory=dict)
    initial_values: dict = dataclasses.field(default_factory=dict)
    threshold: str = ""
    reset: str = ""
    refractory: str = ""
    # The threshold is "`crosses` beyond `level`": to see that rounding decides
    # no spike.
    crosses: str = ""
    level: float = math.nan
    min_spikes: int = 0  # that each point has in each trace


def step(n, begin, low, high):
    """`low`, from sample `begin` on `high`."""
    return [low] * begin + [high] * (n - begin)


def waves(n, mean, size, period):
    """Uneven, so that neighbouring samples differ."""
    return [mean + size * math.sin(2 * math.pi * k / period) +
            0.3 * size * math.cos(1.7 * k / period) for k in range(n)]


def noise(n, deviation, seed):
    draw = random.Random(seed)
    return [draw.gauss(0, deviation) for _ in range(n)]


HODGKIN_HUXLEY = Model(
    equations="""
dv/dt = (gl*(El - v) - g_na*m**3*h*(v - ENa) - g_kd*n**4*(v - EK) + I)/Cm : volt
dm/dt = alpham*(1 - m) - betam*m : 1
dn/dt = alphan*(1 - n) - betan*n : 1
dh/dt = alphah*(1 - h) - betah*h : 1
alpham = 0.32*(13*mV - v + VT)/mV/(exp((13*mV - v + VT)/(4*mV)) - 1)/ms : Hz
betam = 0.28*(v - VT - 40*mV)/mV/(exp((v - VT - 40*mV)/(5*mV)) - 1)/ms : Hz
alphah = 0.128*exp((17*mV - v + VT)/(18*mV))/ms : Hz
betah = 4/(1 + exp((40*mV - v + VT)/(5*mV)))/ms : Hz
alphan = 0.032*(15*mV - v + VT)/mV/(exp((15*mV - v + VT)/(5*mV)) - 1)/ms : Hz
betan = 0.5*exp((10*mV - v + VT)/(40*mV))/ms : Hz
g_na : siemens (constant)
g_kd : siemens (constant)
gl : siemens (constant)
Cm : farad (constant)
""",
    method="exponential_euler",
    input_unit="amp",
    inputs=[step(6000, 200, 0, 0.6e-9), step(6000, 900, 0.5e-9, 0.9e-9)],
    dt="0.01*ms",
    parameters={"gl": ("siemens", [10e-9, 12e-9, 8e-9, 15e-9, 10e-9]),
                "g_na": ("siemens", [20e-6, 25e-6, 18e-6, 30e-6, 22e-6]),
                "g_kd": ("siemens", [6e-6, 7e-6, 5e-6, 9e-6, 4e-6]),
                "Cm": ("farad", [200e-12, 220e-12, 180e-12, 200e-12, 150e-12])},
    constants={"El": "-65*mV", "EK": "-90*mV", "ENa": "50*mV", "VT": "-63*mV"},
    initial_values={"v": "VT"})

FITZHUGH_NAGUMO = Model(
    equations="""
dv/dt = (v - v**3/3 - w + I)/tau : 1
dw/dt = (v + a - b*w)/(12.5*tau) : 1
a : 1 (constant)
b : 1 (constant)
tau : second (constant)
""",
    method="rk4",
    input_unit="1",
    inputs=[step(3000, 300, 0, 0.5), waves(3000, 0.4, 0.3, 700)],
    dt="0.1*ms",
    parameters={"a": ("1", [0.7, 0.6, 0.8, 0.7]),
                "b": ("1", [0.8, 0.7, 0.9, 0.5]),
                "tau": ("second", [1e-3, 1.5e-3, 0.8e-3, 2e-3])},
    initial_values={"v": "-1.2", "w": "(v + a)/b"})

ORNSTEIN_UHLENBECK = Model(
    equations="""
dx/dt = -x/tau + s*I : 1
tau : second (constant)
s : 1 (constant)
""",
    method="euler",
    input_unit="hertz",
    inputs=[noise(2000, 300, 1), noise(2000, 1000, 2)],
    dt="0.1*ms",
    parameters={"tau": ("second", [1e-3, 5e-3, 20e-3]),
                "s": ("1", [1.0, 0.3, 2.5])},
    initial_values={"x": "s"})

EXPONENTIAL = Model(
    equations="""
dv/dt = (gl*(El - v) + gl*DT*exp((v - VT)/DT) + I)/C : volt (unless refractory)
gl : siemens (constant)
DT : volt (constant)
C : farad (constant)
""",
    method="euler",
    input_unit="amp",
    inputs=[step(2000, 100, 0, 0.6e-9), waves(2000, 0.5e-9, 0.4e-9, 170)],
    dt="0.1*ms",
    parameters={"gl": ("siemens", [10e-9, 15e-9, 12e-9, 8e-9]),
                "DT": ("volt", [2e-3, 3e-3, 1.3e-3, 0.7e-3]),
                "C": ("farad", [200e-12, 150e-12, 250e-12, 120e-12])},
    constants={"El": "-65*mV", "VT": "-50*mV"},
    initial_values={"v": "El"},
    threshold="v > -30*mV", reset="v = -60*mV", refractory="2*ms",
    crosses="v", level=-30e-3, min_spikes=4)

ADAPTIVE_EXPONENTIAL = Model(
    equations="""
dv/dt = (gl*(El - v) + gl*DT*exp((v - VT)/DT) - w + I)/C : volt
dw/dt = (a*(v - El) - w)/tau_w : amp
a : siemens (constant)
b : amp (constant)
tau_w : second (constant)
Vr : volt (constant)
""",
    method="euler",
    input_unit="amp",
    inputs=[step(3000, 100, 0, 0.9e-9), waves(3000, 0.8e-9, 0.3e-9, 400)],
    dt="0.1*ms",
    parameters={"a": ("siemens", [4e-9, 2e-9, -1e-9, 0.0]),
                "b": ("amp", [80e-12, 30e-12, 100e-12, 5e-12]),
                "tau_w": ("second", [0.144, 0.03, 0.1, 0.05]),
                "Vr": ("volt", [-70.6e-3, -60e-3, -52e-3, -47e-3])},
    constants={"C": "281*pF", "gl": "30*nS", "El": "-70.6*mV", "VT": "-50.4*mV",
               "DT": "2*mV"},
    initial_values={"v": "El", "w": "a*(v - El)"},
    threshold="v > -40*mV", reset="v = Vr\nw += b",
    crosses="v", level=-40e-3, min_spikes=4)

# Regular spiking, intrinsically bursting, chattering, fast spiking, and one
# between them.
IZHIKEVICH = Model(
    equations="""
dv/dt = (0.04*v**2 + 5*v + 140 - u + I)/ms : 1
du/dt = a*(b*v - u)/ms : 1
a : 1 (constant)
b : 1 (constant)
c : 1 (constant)
d : 1 (constant)
""",
    method="euler",
    input_unit="1",
    # Never constant: fast spiking on a constant current, in such steps, doubles
    # what rounding loses again and again.
    inputs=[[0] * 200 + waves(2800, 12, 6, 800), waves(3000, 11, 5, 530)],
    dt="0.1*ms",
    parameters={"a": ("1", [0.02, 0.02, 0.02, 0.1, 0.05]),
                "b": ("1", [0.2, 0.2, 0.2, 0.2, 0.22]),
                "c": ("1", [-65, -55, -50, -65, -60]),
                "d": ("1", [8, 4, 2, 2, 5])},
    initial_values={"v": "-65", "u": "b*v"},
    threshold="v >= 30", reset="v = c\nu += d",
    crosses="v", level=30, min_spikes=4)

LEAKY = Model(
    equations="""
dv/dt = (El - v + R*I)/tau : volt (unless refractory)
dx/dt = (v - El - x)/tau_x : volt
R : ohm (constant)
tau : second (constant)
tau_x : second (constant)
""",
    method="exact",
    input_unit="amp",
    inputs=[step(2000, 50, 0, 0.4e-9), waves(2000, 0.4e-9, 0.2e-9, 230)],
    dt="0.1*ms",
    parameters={"R": ("ohm", [80e6, 100e6, 120e6]),
                "tau": ("second", [10e-3, 15e-3, 7e-3]),
                "tau_x": ("second", [3e-3, 40e-3, 11e-3])},
    constants={"El": "-70*mV"},
    initial_values={"v": "El"},
    threshold="v > -50*mV", reset="v = El\nx += 1*mV", refractory="3*ms",
    crosses="v", level=-50e-3, min_spikes=4)

MODELS = {
    "hodgkin_huxley": HODGKIN_HUXLEY,
    "fitzhugh_nagumo": FITZHUGH_NAGUMO,
    "fitzhugh_nagumo_rk2": dataclasses.replace(FITZHUGH_NAGUMO, method="rk2"),
    "ornstein_uhlenbeck": ORNSTEIN_UHLENBECK,
    "ornstein_uhlenbeck_exact": dataclasses.replace(ORNSTEIN_UHLENBECK,
                                                    method="exact"),
    "ornstein_uhlenbeck_heun": dataclasses.replace(ORNSTEIN_UHLENBECK,
                                                   method="heun"),
    "leaky": LEAKY,
    "exponential": EXPONENTIAL,
    "adaptive_exponential": ADAPTIVE_EXPONENTIAL,
    "izhikevich": IZHIKEVICH,
    # No reset: refractory while the spike lasts.
    "hodgkin_huxley_spikes": dataclasses.replace(
        HODGKIN_HUXLEY, threshold="v > -20*mV", refractory="v > -20*mV",
        crosses="v", level=-20e-3, min_spikes=4),
}
