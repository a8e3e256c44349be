#!/usr/bin/env python3
"""The Hodgkin-Huxley model of kernel_bench.cc in Brian 2's C++ standalone mode,
beside our kernel, in turn.

Million neuron-steps a second of CPU time, of Brian in its main loop: two runs of
the built program, of which one is longer, so that what is spent before and
after the loop cancels out. Needs Debian's python3-brian, which this installs.

Usage: SOMAFIT_BIN=build/release/bin tests/bench/brian_bench.py [repeats]
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
SHORT, LONG = 500, 3500  # steps

MODEL = """
from brian2 import *
import sys
directory, neurons, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
set_device('cpp_standalone', directory=directory, build_on_run=False)
prefs.devices.cpp_standalone.openmp_threads = 0
prefs.codegen.cpp.extra_compile_args_gcc = [
    '-w', '-O3', '-march=native', '-ffast-math', '-fno-finite-math-only',
    '-std=c++11']
defaultclock.dt = 0.01*ms
El, EK, ENa, VT = -65*mV, -90*mV, 50*mV, -63*mV
I = TimedArray(hstack([zeros(200), ones(20000)])*0.3*nA, dt=0.01*ms)
group = NeuronGroup(neurons, '''
dv/dt = (gl*(El-v) - g_na*(m*m*m)*h*(v-ENa) - g_kd*(n*n*n*n)*(v-EK) + I(t))/Cm : volt
dm/dt = 0.32*(mV**-1)*(13*mV-v+VT)/(exp((13*mV-v+VT)/(4*mV))-1)/ms*(1-m) - 0.28*(mV**-1)*(v-VT-40*mV)/(exp((v-VT-40*mV)/(5*mV))-1)/ms*m : 1
dn/dt = 0.032*(mV**-1)*(15*mV-v+VT)/(exp((15*mV-v+VT)/(5*mV))-1)/ms*(1-n) - 0.5*exp((10*mV-v+VT)/(40*mV))/ms*n : 1
dh/dt = 0.128*exp((17*mV-v+VT)/(18*mV))/ms*(1-h) - 4/(1+exp((40*mV-v+VT)/(5*mV)))/ms*h : 1
g_na : siemens (constant)
g_kd : siemens (constant)
gl : siemens (constant)
Cm : farad (constant)
''', method='exponential_euler')
group.v = VT
group.gl = '(10 + 90*i/N)*nS'
group.g_na = '(2 + 198*i/N)*uS'
group.g_kd = '(0.6 + 59.4*i/N)*uS'
group.Cm = '(100 + 200*i/N)*pF'
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


def build(directory, steps):
    script = directory / "model.py"
    script.write_text(MODEL)
    target = directory / f"steps{steps}"
    subprocess.run(["/usr/bin/python3", script, target, str(NEURONS),
                    str(steps)], check=True, cwd=directory,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return target


def cpu_seconds(target):
    process = subprocess.Popen(["./main"], cwd=target,
                               stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{target}/main ended with {status}")
    return usage.ru_utime + usage.ru_stime


def kernel():
    """M neuron-steps/s of CPU time of the widest kernel, in a spike too."""
    printed = subprocess.run(
        [BIN / "kernel_bench", "--benchmark_format=json",
         "--benchmark_filter=hodgkin_huxley/spike"],
        capture_output=True, text=True, check=True).stdout
    return max(one["M/s"] for one in json.loads(printed)["benchmarks"])


def main():
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    install()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="somafit-brian-"))
    print("| Brian 2 C++ standalone, M/s | kernel, M/s | times |\n|---|---|---|")
    try:
        short, long = (build(directory, n) for n in (SHORT, LONG))
        ratios = []
        for _ in range(repeats):
            seconds = cpu_seconds(long) - cpu_seconds(short)
            brian = NEURONS * (LONG - SHORT) / seconds * 1e-6
            ours = kernel()
            ratios.append(ours / brian)
            print(f"| {brian:.1f} | {ours:.1f} | {ratios[-1]:.1f} |",
                  flush=True)
    finally:
        shutil.rmtree(directory)
    print(f"\nMedian: {statistics.median(ratios):.1f} times as fast.")


if __name__ == "__main__":
    main()
