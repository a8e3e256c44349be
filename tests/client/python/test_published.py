"""The published Hodgkin-Huxley example, as a person's script has it."""

import numpy as np
import pytest

from cluster import EQUATIONS, SHARED, Cluster, published_spec
import somafit
from somafit import MSEMetric, NevergradOptimizer, TraceFitter
from somafit.units import (amp, mV, ms, msiemens, nA, nS, pF, psiemens, usiemens,
                           volt)

DATA = SHARED / "data/hh"
published = pytest.mark.skipif(not DATA.exists(), reason=(
    "the published recordings are not there; set SOMAFIT_SHARED to their folder"))


def read(name):
    """A header, then a number of the row before each trace."""
    return np.loadtxt(DATA / name, delimiter=",", skiprows=1)[:, 1:]


def tutorial(client):
    """What the tutorial does: recordings from files, constants as variables,
    conductances to be found."""
    input_current = read("input_traces_hh.csv") * amp
    recorded = read("output_traces_hh.csv") * mV
    Cm = 200 * pF  # noqa: F841
    El = -65 * mV  # noqa: F841
    EK = -90 * mV  # noqa: F841
    ENa = 50 * mV  # noqa: F841
    VT = -63 * mV  # noqa: F841
    fitter = TraceFitter(
        model=EQUATIONS, input={"I": input_current}, output={"v": recorded},
        dt=0.01 * ms, n_samples=100, method="exponential_euler",
        param_init={"v": -65 * mV}, seed=1, client=client)
    fitter.fit(n_rounds=10, optimizer=NevergradOptimizer(), metric=MSEMetric(),
               callback="text", gl=[2 * psiemens, 200 * nS],
               g_na=[200 * nS, 0.4 * msiemens], g_kd=[200 * nS, 200 * usiemens])
    return fitter


@published
def test_the_tutorial_gives_the_table_of_the_command_line(capsys):
    with Cluster() as cluster:
        cluster.start_server()
        for _ in range(2):
            cluster.start_worker()
        fitter = tutorial(somafit.Client(cluster.endpoint))
        printed = capsys.readouterr().out.splitlines()
        assert len(printed) == 20
        assert printed[18].startswith("Round 9: Best parameters g_kd=")
        assert fitter.best_error < 1e-4 * volt**2
        mine = fitter.results("csv").encode()
        submitted = cluster.submit(published_spec())
        cluster.somafit("watch", submitted)
        assert mine == cluster.csv(submitted).encode()
        # And of the fit that Python made, read by the command line.
        assert mine == cluster.csv(fitter.server_fit.name).encode()
        assert mine.count(b"\n") == 1001


@published
def test_documented_errors(client):
    fitter = TraceFitter(
        model=EQUATIONS, input={"I": read("input_traces_hh.csv") * amp},
        output={"v": read("output_traces_hh.csv") * mV}, dt=0.01 * ms,
        method="exponential_euler", param_init={"v": -65 * mV}, client=client,
        namespace=dict(Cm=200 * pF, El=-65 * mV, EK=-90 * mV, ENa=50 * mV,
                       VT=-63 * mV))
    fitter.fit(n_rounds=0, callback=None, gl=[2 * psiemens, 200 * nS],
               g_na=[200 * nS, 0.4 * msiemens], g_kd=[200 * nS, 200 * usiemens])
    evaluation = fitter.server_fit.evaluate([
        dict(g_kd=9.850944960633812e-05, g_na=5.136956717618642e-05,
             gl=1.132001753695881e-07),
        dict(g_kd=6.511156620775884e-06, g_na=2.209792671051356e-05,
             gl=1.368667359118384e-08),
        dict(g_kd=6e-6, g_na=2e-5, gl=1e-8)])
    np.testing.assert_allclose(
        evaluation.table.total_error,
        [0.00023112503428419085, 1.8105782339584402e-06, 9.950799e-7], rtol=1e-7)


def test_the_documented_error_of_two_outputs(client):
    """v and m, at a point beside the one that made the targets."""
    steps = 10_000
    current = np.zeros((5, steps))
    current[:, 1000:] = np.array([0, 0.25, 0.5, 0.75, 1])[:, None]
    nothing = np.zeros((5, steps))
    constants = dict(El=-65 * mV, EK=-90 * mV, ENa=50 * mV, VT=-63 * mV)
    bounds = dict(gl=[1e-9, 1e-7], g_na=[2e-6, 2e-4], g_kd=[6e-7, 6e-5],
                  Cm=[20 * pF, 400 * pF])

    def make(v, m):
        fitter = TraceFitter(
            model=EQUATIONS + "Cm : farad (constant)\n",
            input={"I": current * nA}, output={"v": v, "m": m}, dt=0.01 * ms,
            method="exponential_euler", param_init={"v": -65 * mV},
            namespace=constants, client=client)
        fitter.fit(metric={"v": MSEMetric(t_start=5 * ms, normalization=10 * mV),
                           "m": MSEMetric(t_start=5 * ms, normalization=0.1)},
                   n_rounds=0, callback=None, **bounds)
        return fitter

    truth = dict(gl=1e-8, g_na=2e-5, g_kd=6e-6, Cm=200 * pF)
    target = make(nothing * mV, nothing).generate(params=truth)
    fitter = make(target["v"], target["m"])
    table = fitter.server_fit.evaluate(
        [truth, dict(gl=2e-8, g_na=3e-5, g_kd=8e-6, Cm=250 * pF)]).table
    assert table.total_error[0] == 0
    np.testing.assert_allclose(table.output_error[1],
                               [8.300013813e-4, 8.357348196e-2], rtol=1e-8)
    assert table.total_error[1] == pytest.approx(16.657362009, rel=1e-9)
