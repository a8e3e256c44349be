#!/usr/bin/env python3
"""Brian 2 (M. Stimberg, R. Brette, D. Goodman (2019), eLife 8:e47314) as the
oracle of simulation: the same text and numbers give the same states in every
step, and the same spikes. Needs Debian's python3-brian.

Usage: brian_oracle.py [MODEL ...]
       brian_oracle.py --brian [MODEL ...]    what Brian alone makes of them
"""

import re
import sys
import unittest

from cluster import SKIPPED, Cluster, main
from models import MODELS

try:
    import brian2
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}; install python3-brian")
    sys.exit(SKIPPED)

brian2.prefs.codegen.target = "numpy"
brian2.BrianLogger.suppress_hierarchy("brian2")

# What rounding may come to in some thousand steps, relative to a value and to
# the largest of its variable in the trace. The most is in Hodgkin and Huxley's
# model, whose rates Brian takes apart: exp(a - v) to exp(a)*exp(-v), differences
# to sums of fractions. Beside a long double it is 5e-12 V off there, and we
# 4e-14.
TOLERANCE = 1e-9
FLOOR = 1e-10
# How near to the threshold a variable may come, relative to it: nearer, and
# rounding might decide.
TIE = 1e-9


def quantity(text):
    return eval(text, vars(brian2))


def states(model):
    return re.findall(r"^d(\w+)/dt", model.equations, re.MULTILINE)


def n_points(model):
    return len(next(iter(model.parameters.values()))[1])


def simulate_in_brian(model):
    """States and spikes as [point][trace][variable][step], and how near any
    variable came to its threshold, relative to it."""
    n_traces, n_steps = np.shape(model.inputs)
    points = n_points(model)
    dt = quantity(model.dt)
    unit = quantity(model.input_unit)
    namespace = {name: quantity(text)
                 for name, text in model.constants.items()}
    namespace["stimulus"] = brian2.TimedArray(
        np.transpose(model.inputs) * unit, dt=dt)
    spiking = {name: value for name, value in [
        ("threshold", model.threshold), ("reset", model.reset),
        ("refractory", model.refractory)] if value}
    group = brian2.NeuronGroup(
        points * n_traces,
        model.equations +
        f"I = stimulus(t, trace) : {model.input_unit}\n"
        "trace : integer (constant)\n",
        method=model.method, dt=dt, namespace=namespace, **spiking)
    group.trace = np.tile(np.arange(n_traces), points)
    for name, (of_unit, values) in model.parameters.items():
        setattr(group, name, np.repeat(values, n_traces) * quantity(of_unit))
    for name, value in model.initial_values.items():
        setattr(group, name, value)
    names = states(model)
    network = brian2.Network(group)
    # In the slot "start": the state at t = k*dt, before step k.
    recorder = brian2.StateMonitor(group, names, record=True, dt=dt)
    network.add(recorder)
    if model.threshold:
        spikes = brian2.SpikeMonitor(group)
        compared = brian2.StateMonitor(group, model.crosses, record=True, dt=dt,
                                       when="before_thresholds")
        network.add(spikes, compared)
    network.run(n_steps * dt)
    series = [np.asarray(getattr(recorder, name)) for name in names]
    distance = np.inf
    if model.threshold:
        train = np.zeros((points * n_traces, n_steps))
        train[spikes.i, np.rint(np.asarray(spikes.t / dt)).astype(int)] = 1
        series.append(train)
        distance = np.min(np.abs(
            np.asarray(getattr(compared, model.crosses)) / model.level - 1))
    shape = (points, n_traces, n_steps)
    return (np.stack([one.reshape(shape) for one in series], axis=2), distance)


def spec(model, directory):
    """The model as a fit that does nothing but generate traces."""
    n_traces, n_steps = np.shape(model.inputs)

    def table(name, values):
        (directory / name).write_text("".join(
            ",".join(repr(float(x)) for x in row) + "\n" for row in values))
        return name

    name = states(model)[0]
    unit = re.search(rf"^d{name}/dt.*: *([\w/]+)", model.equations,
                     re.MULTILINE)[1]
    source = {"equations": model.equations, "method": model.method,
              "constants": model.constants,
              "initial_values": model.initial_values,
              "threshold": model.threshold, "reset": model.reset,
              "refractory": model.refractory}
    # Bounds mean nothing here, but there must be some.
    bounds = {parameter: f"[{min(values) - 1!r}*{of}, {max(values) + 1!r}*{of}]"
              for parameter, (of, values) in model.parameters.items()}
    return {
        "model": {key: value for key, value in source.items() if value},
        "data": {
            "inputs": {"I": {"file": table("input.csv", model.inputs),
                             "unit": model.input_unit}},
            "outputs": {name: {"file": table("output.csv",
                                             np.zeros((n_traces, n_steps))),
                               "unit": unit}},
        },
        "dt": model.dt,
        "parameters": bounds,
        "n_samples": 10,
        "stop": {"rounds": 0},
        "seed": 1,
    }


def simulate(model, cluster):
    """The same as an array of the same shape."""
    fit = cluster.submit(spec(model, cluster.directory))
    names = list(model.parameters)
    columns = [values for _, values in model.parameters.values()]
    (cluster.directory / "points.csv").write_text(
        ",".join(names) + "\n" + "".join(
            ",".join(repr(float(x)) for x in point) + "\n"
            for point in zip(*columns)))
    outputs = states(model) + (["spikes"] if model.threshold else [])
    cluster.somafit("generate", fit, "--params", "points.csv", "--output",
                    ",".join(outputs), "-o", "traces.npy")
    return np.load(cluster.directory / "traces.npy")


class BrianTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.cluster.start_server()
        cls.cluster.start_worker()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__(None)

    def check(self, model):
        expected, distance = simulate_in_brian(model)
        self.assertTrue(np.all(np.isfinite(expected)))
        self.assertGreater(distance, TIE, "choose another dt")
        ours = simulate(model, self.cluster)
        self.assertEqual(ours.shape, expected.shape)
        if model.threshold:
            self.assertGreaterEqual(expected[:, :, -1].sum(axis=-1).min(),
                                    model.min_spikes)
            np.testing.assert_array_equal(ours[:, :, -1], expected[:, :, -1],
                                          "spikes")
        for k, name in enumerate(states(model)):
            exact = expected[:, :, k]
            largest = np.max(np.abs(exact), axis=-1, keepdims=True)
            allowed = TOLERANCE * np.abs(exact) + FLOOR * largest
            off = np.abs(ours[:, :, k] - exact) / allowed
            worst = np.unravel_index(np.argmax(off), off.shape)
            self.assertLessEqual(
                off[worst], 1,
                f"{name} at (point, trace, step) {worst}: "
                f"{ours[:, :, k][worst]!r}, Brian: {exact[worst]!r}")


def add_tests():
    for name, model in MODELS.items():
        setattr(BrianTest, f"test_{name}",
                lambda self, model=model: self.check(model))


def show_brian(names):
    for name in names or MODELS:
        expected, distance = simulate_in_brian(MODELS[name])
        found = dict(zip(states(MODELS[name]), np.moveaxis(expected, 2, 0)))
        ranges = ", ".join(f"{variable} {values.min():.3g} .. {values.max():.3g}"
                           for variable, values in found.items())
        print(f"{name}: {expected.shape[-1]} steps, {ranges}")
        if MODELS[name].threshold:
            print("  spikes [point][trace]:",
                  expected[:, :, -1].sum(axis=-1).astype(int).tolist(),
                  f"nearest to the threshold: {distance:.2g}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--brian"]:
        show_brian(sys.argv[2:])
        sys.exit()
    add_tests()
    sys.argv[1:] = [f"BrianTest.test_{name}" for name in sys.argv[1:]]
    main()
