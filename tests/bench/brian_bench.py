#!/usr/bin/env python3
"""Models in Brian 2's C++ standalone mode, beside ours, in turn.

Million neuron-steps a second of CPU time on one core. Of Brian, in its main
loop: two runs of the built program, of which one is longer, so that what is
spent before and after the loop cancels out; once of the model alone, and once
with the sum of squared errors of a fit, which is added up in the loop as
brian2modelfitting's OnlineTraceFitter does (its other fitter records every
step). Of ours, in EvaluateBatch: all that a worker does for a batch, errors
included, so that the second comparison is of like with like. Needs Debian's python3-brian, which
this installs.

Usage: SOMAFIT_BIN=build/release/bin tests/bench/brian_bench.py [REPEATS]
       [MODEL ...]
"""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

BIN = pathlib.Path(os.environ.get("SOMAFIT_BIN", "build/release/bin"))
NEURONS = 1000
SHORT, LONG = 500, 3500  # steps of Brian
STEPS = 20000  # of ours: what there is beside the steps hardly counts, as with Brian

HH_RATES = """dm/dt = 0.32*(mV**-1)*(13*mV-v+VT)/(exp((13*mV-v+VT)/(4*mV))-1)/ms*(1-m) - 0.28*(mV**-1)*(v-VT-40*mV)/(exp((v-VT-40*mV)/(5*mV))-1)/ms*m : 1
dn/dt = 0.032*(mV**-1)*(15*mV-v+VT)/(exp((15*mV-v+VT)/(5*mV))-1)/ms*(1-n) - 0.5*exp((10*mV-v+VT)/(40*mV))/ms*n : 1
dh/dt = 0.128*exp((17*mV-v+VT)/(18*mV))/ms*(1-h) - 4/(1+exp((40*mV-v+VT)/(5*mV)))/ms*h : 1
"""
HH = {
    "equations": """dv/dt = (gl*(El-v) - g_na*(m*m*m)*h*(v-ENa) - g_kd*(n*n*n*n)*(v-EK) + I)/Cm : volt
""" + HH_RATES,
    "parameters": {"gl": ("siemens", 10e-9, 100e-9),
                   "g_na": ("siemens", 2e-6, 200e-6),
                   "g_kd": ("siemens", 0.6e-6, 60e-6),
                   "Cm": ("farad", 100e-12, 300e-12)},
    "constants": {"El": "-65*mV", "EK": "-90*mV", "ENa": "50*mV",
                  "VT": "-63*mV"},
    "initial": {"v": "VT"},
    "input": 0.3e-9,
}
GATES = [("m", 35, 7, 0.5), ("h", 60, -6, 4), ("n", 40, 10, 3),
         ("a", 50, 12, 1), ("b", 75, -7, 20), ("w", 40, 9, 80),
         ("s", 25, 6, 2), ("r", 55, -5, 40), ("u", 80, -8, 100)]
# By name: how it is integrated and what there is of it.
MODELS = {
    "hodgkin_huxley": {**HH, "method": "exponential_euler", "dt": 0.01},
    "hodgkin_huxley_rk4": {**HH, "method": "rk4", "dt": 0.01,
                           # explicit methods diverge with more
                           "parameters": {**HH["parameters"],
                                          "g_na": ("siemens", 2e-6, 20e-6),
                                          "g_kd": ("siemens", 0.6e-6, 6e-6)}},
    "adaptive_exponential": {
        "equations": """dv/dt = (gl*(El-v) + gl*DT*exp((v-VT)/DT) - w + I)/Cm : volt
dw/dt = (a*(v-El) - w)/tauw : amp
""",
        "parameters": {"gl": ("siemens", 20e-9, 40e-9),
                       "a": ("siemens", 1e-9, 8e-9),
                       "b": ("amp", 0.02e-9, 0.1e-9)},
        "constants": {"El": "-70*mV", "DT": "2*mV", "VT": "-50*mV",
                      "Cm": "281*pF", "tauw": "144*ms"},
        "threshold": "v > -40*mV", "reset": "v = -70*mV\nw += b",
        "initial": {"v": "El"}, "input": 1e-9, "method": "euler", "dt": 0.1},
    "izhikevich": {
        "equations": """dv/dt = (0.04*v**2 + 5*v + 140 - u + I/nA)/ms : 1
du/dt = a*(b*v - u)/ms : 1
""",
        "parameters": {"a": ("1", 0.02, 0.1), "b": ("1", 0.2, 0.25),
                       "d": ("1", 2, 8)},
        "constants": {}, "threshold": "v > 30",
        "reset": "v = -65\nu += d", "initial": {"v": "-65", "u": "-13"},
        "input": 10e-9, "method": "euler", "dt": 0.1},
    "noisy_integrate_and_fire": {
        "equations": """dv/dt = (El - v + R*I)/tau + sigma*sqrt(2/tau)*xi : volt (unless refractory)
""",
        "parameters": {"R": ("ohm", 20e6, 60e6), "tau": ("second", 5e-3, 30e-3),
                       "sigma": ("volt", 1e-3, 5e-3)},
        "constants": {"El": "-70*mV"}, "threshold": "v > -50*mV",
        "reset": "v = El", "refractory": "2*ms", "initial": {"v": "El"},
        "input": 0.5e-9, "method": "euler", "dt": 0.1},
    "integrate_and_fire": {
        "equations": """dv/dt = (El - v + R*I)/tau : volt (unless refractory)
""",
        "parameters": {"R": ("ohm", 20e6, 60e6),
                       "tau": ("second", 5e-3, 30e-3)},
        "constants": {"El": "-70*mV"}, "threshold": "v > -50*mV",
        "reset": "v = El", "refractory": "2*ms", "initial": {"v": "El"},
        "input": 0.5e-9, "method": "exact", "dt": 0.1},
    # Sodium, potassium, A, M, calcium and h currents with their gates, calcium
    # and what it opens: 12 states.
    "twelve_states": {
        "equations": """dv/dt = (gl*(El-v) + g_na*m*m*m*h*(50*mV-v) + (g_k*n*n*n*n + 0.3*g_k*a*b + 0.02*g_k*w + 0.1*g_k*q)*(-90*mV-v) + 0.02*g_na*s*s*r*(120*mV-v) + 0.01*g_na*u*(-30*mV-v) + I)/Cm : volt
dca/dt = (2*s*s*r - ca)/(50*ms) : 1
dq/dt = (ca/(ca + 1) - q)/(5*ms) : 1
""" + "".join(
            f"d{gate}/dt = (1/(1 + exp(-(v + {half}*mV)/({slope}*mV))) - {gate})/({tau}*ms*(0.5 + exp(-((v + 50*mV)/(30*mV))**2))) : 1\n"
            for gate, half, slope, tau in GATES),
        "parameters": {"gl": ("siemens", 10e-9, 30e-9),
                       "g_na": ("siemens", 2e-6, 6e-6),
                       "g_k": ("siemens", 0.5e-6, 2e-6)},
        "constants": {"El": "-65*mV", "Cm": "200*pF"},
        "initial": {"v": "El"}, "input": 0.3e-9,
        "method": "exponential_euler", "dt": 0.01},
}

BRIAN = """
import json
import sys
from brian2 import *
directory, neurons, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
model = json.loads(sys.argv[4])
with_error = sys.argv[5] == 'error'
set_device('cpp_standalone', directory=directory, build_on_run=False)
prefs.devices.cpp_standalone.openmp_threads = 0
prefs.codegen.cpp.extra_compile_args_gcc = [
    '-w', '-O3', '-march=native', '-ffast-math', '-fno-finite-math-only',
    '-std=c++11']
defaultclock.dt = model['dt']*ms
namespace = {name: eval(text) for name, text in model['constants'].items()}
namespace['stimulus'] = TimedArray(
    hstack([zeros(200), ones(20000)])*model['input']*amp, dt=model['dt']*ms)
equations = model['equations'] + 'I = stimulus(t) : amp\\n'
for name, (unit, low, high) in model['parameters'].items():
    equations += f'{name} : {unit} (constant)\\n'
if with_error:
    unit = volt if model['v_unit'] == 'volt' else 1
    namespace['target'] = TimedArray(full(20000, -0.06)*unit,
                                     dt=model['dt']*ms)
    square = 'volt**2' if unit is volt else '1'
    equations += f"total_error : {square}\\n"
options = {key: model[key] for key in ('threshold', 'reset', 'refractory')
           if key in model}
if 'refractory' in options:
    options['refractory'] = eval(options['refractory'])
group = NeuronGroup(neurons, equations, method=model['method'],
                    namespace=namespace, **options)
for name, (unit, low, high) in model['parameters'].items():
    setattr(group, name + '_', f'{low!r} + {high - low!r}*i/N')
for name, text in model['initial'].items():
    setattr(group, name, text)
if 'threshold' in options:
    spikes = SpikeMonitor(group)
if with_error:
    group.run_regularly('total_error += (v - target(t))**2', when='end')
run(steps*defaultclock.dt)
device.build(directory=directory, compile=True, run=False)
"""


def install():
    if subprocess.run(["/usr/bin/python3", "-c", "import brian2"],
                      stderr=subprocess.DEVNULL).returncode == 0:
        return
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*sudo, "apt-get", "install", "-y", "-qq",
                    "--no-install-recommends", "python3-brian", "make"],
                   check=True, stdout=sys.stderr)


def v_unit(name):
    return "1" if name == "izhikevich" else "volt"


def build(directory, name, steps, error):
    """Brian's program for so many steps, with or without a fit's error."""
    script = directory / "model.py"
    script.write_text(BRIAN)
    target = directory / f"{name}{steps}{error}"
    done = subprocess.run(
        ["/usr/bin/python3", script, target, str(NEURONS), str(steps),
         json.dumps({**MODELS[name], "v_unit": v_unit(name)}), error], cwd=directory, capture_output=True,
        text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return target


def cpu_seconds(target):
    process = subprocess.Popen(["./main"], cwd=target,
                               stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{target}/main ended with {status}")
    return usage.ru_utime + usage.ru_stime


def write_fit(directory, name):
    """The same as a fit of ours, of one trace."""
    model = MODELS[name]
    current = [0.0 if k < 200 else model["input"] for k in range(STEPS)]
    (directory / "I.csv").write_text(",".join(map(repr, current)) + "\n")
    (directory / "v.csv").write_text(",".join(["-0.06"] * STEPS) + "\n")
    unit = v_unit(name)
    fit = {
        "model": {
            "equations": model["equations"] + "".join(
                f"{parameter} : {unit}\n"
                for parameter, (unit, _, _) in model["parameters"].items()),
            "method": model["method"],
            "constants": model["constants"],
            "initial_values": model["initial"],
            **{key: model[key] for key in ("threshold", "reset", "refractory")
               if key in model}},
        "data": {"inputs": {"I": {"file": "I.csv", "unit": "amp"}},
                 "outputs": {"v": {"file": "v.csv", "unit": unit}}},
        "dt": f"{model['dt']}*ms",
        "parameters": {
            parameter: f"[{low!r}*{unit}, {high!r}*{unit}]"
            for parameter, (unit, low, high) in model["parameters"].items()},
        "optimizer": {"name": "random"},
        "n_samples": NEURONS, "stop": {"rounds": 1}, "seed": 1}
    path = directory / f"{name}.yaml"
    path.write_text(json.dumps(fit))  # which is YAML too
    return path


def ours(fit):
    done = subprocess.run([BIN / "batch_bench", fit, str(NEURONS), "1"],
                          capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    numbers = dict(line.split() for line in done.stdout.splitlines())
    return float(numbers["median"]) * 1e-6


def main():
    arguments = sys.argv[1:]
    repeats = int(arguments.pop(0)) if arguments and arguments[0].isdigit() \
        else 5
    install()
    print("| model | method | Brian 2 alone, M/s | with the error, M/s | ours, "
          "M/s | times Brian alone, median (least, most) | times Brian with "
          "the error |\n|---|---|---|---|---|---|---|")
    for name in arguments or MODELS:
        directory = pathlib.Path(tempfile.mkdtemp(prefix="somafit-brian-"))
        rates = {"alone": [], "error": [], "ours": []}
        try:
            fit = write_fit(directory, name)
            programs = {error: [build(directory, name, n, error)
                                for n in (SHORT, LONG)]
                        for error in ("alone", "error")}
            for _ in range(repeats):
                for error, (short, long) in programs.items():
                    seconds = cpu_seconds(long) - cpu_seconds(short)
                    rates[error].append(
                        NEURONS * (LONG - SHORT) / seconds * 1e-6)
                rates["ours"].append(ours(fit))
        finally:
            shutil.rmtree(directory)
        times = [
            sorted(mine / brian
                   for mine, brian in zip(rates["ours"], rates[error]))
            for error in ("alone", "error")]
        print(f"| {name} | {MODELS[name]['method']} | "
              f"{statistics.median(rates['alone']):.1f} | "
              f"{statistics.median(rates['error']):.1f} | "
              f"{statistics.median(rates['ours']):.0f} | " + " | ".join(
                  f"{statistics.median(ratios):.1f} ({ratios[0]:.1f}, "
                  f"{ratios[-1]:.1f})" for ratios in times) + " |",
              flush=True)


if __name__ == "__main__":
    main()
