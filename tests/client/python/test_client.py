"""The client by itself: any fit of any coordinator."""

import json
import os
import signal
import time

import numpy as np
import pytest

from cluster import Cluster
import somafit
from somafit import Client, connection
from somafit.fit_spec import fit_spec
from somafit.units import mV, ms, nA, nS
from somafit.watch import RoundEvent, StateEvent

from conftest import BOUNDS, PASSIVE, STEPS, passive


def description(**changes):
    """As a fit's YAML file has it."""
    return {"model": {"equations": PASSIVE, "constants": {"El": -65 * mV,
                                                          "C": "200*pF"},
                      "initial_values": {"v": "El"}},
            "dt": "0.1*ms", "parameters": {"g": ["1*nS", 100 * nS]},
            "metrics": {"v": {"metric": "mse", "options": {"t_start": 1 * ms}}},
            "optimizer": {"name": "de", "options": {"population": 8}},
            "n_samples": 10, "stop": {"rounds": 4}, "seed": 3, **changes}


def dataset():
    return somafit.Dataset(0.1 * ms, {"I": np.ones((2, STEPS)) * nA},
                           {"v": np.full((2, STEPS), -60.0) * mV})


def test_a_fit_from_beginning_to_end(client):
    fit = client.submit(description(label="life"), dataset())
    assert fit.name.startswith("fits/life-")
    events = list(fit.watch(timeout=60))
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    rounds = [event for event in events if isinstance(event, RoundEvent)]
    assert [event.round for event in rounds] == [0, 1, 2, 3]
    assert rounds[0].samples.parameters.shape == (10, 1)
    assert rounds[-1].best_error == fit.best_error / (mV**2) * 1e-6
    assert isinstance(events[-1], StateEvent) and events[-1].state == "SUCCEEDED"
    # From the middle, and by name.
    assert [e.seq for e in client.watch(fit.name, 3)] == [e.seq for e in events[3:]]
    assert client.results(fit.name.split("/")[1], "csv") == fit.results("csv")
    assert client.evaluate(fit, {"g": "10*nS"}).table.total_error.shape == (1,)
    assert client.generate(fit, ["v"]).sample == fit.message.best_sample
    assert any(each.name == fit.name for each in client.fits())
    assert client.workers()[0].state and client.server_info().fits > 0
    assert "SUCCEEDED" in repr(fit) and fit.parameter_names == ["g"]
    fit.delete()
    with pytest.raises(somafit.NotFoundError, match="life"):
        client.fit(fit.name)


def test_what_is_only_checked_is_not_there(client):
    checked = client.check(description(name="only-checked"), dataset())
    assert checked.parameters[0].si_unit == "siemens"
    with pytest.raises(somafit.NotFoundError):
        client.reattach("only-checked")


def test_pause_resume_cancel(client):
    fit = client.submit(description(stop={"rounds": 100_000}), dataset())
    fit.pause()
    assert fit.state == "PAUSED"
    with pytest.raises(somafit.WrongStateError, match="PAUSED"):
        fit.pause()
    n = len(fit.samples(status="ok"))
    fit.resume()
    deadline = time.monotonic() + 30
    while len(fit.samples(status="ok")) <= n and time.monotonic() < deadline:
        time.sleep(0.01)
    assert fit.cancel().state == "CANCELLED"
    assert fit.wait(10).has_ended


def test_waiting_ends_in_time(client):
    fit = client.submit(description(gate={"enabled": True}), dataset())
    with pytest.raises(somafit.DeadlineError, match="in time"):
        fit.wait(0.5)
    fit.cancel()


def test_the_gate(client):
    fit = client.submit(description(gate={"enabled": True}), dataset())
    for event in fit.watch(timeout=60):
        if isinstance(event, RoundEvent):
            assert event.gated
            fit.ack(event, stop=event.round == 1)
    assert fit.rounds == 2 and fit.message.state_reason == "USER"


@pytest.mark.parametrize("said, error, changes", [
    ("\"colour\" is not known", ValueError, dict(colour="red")),
    ("model: \"equation\" is not known", ValueError,
     dict(model={"equation": PASSIVE})),
    ("stop: \"minutes\"", ValueError, dict(stop={"minutes": 3})),
    ("stop.rounds", TypeError, dict(stop={"rounds": "many"})),
    ("n_samples", ValueError, dict(n_samples=1.5)),
    ("parameters.g: \"low\"", ValueError, dict(parameters={"g": {"low": 1}})),
    ("bounds of 'g'", TypeError, dict(parameters={"g": 5})),
    ("metrics.v: \"name\"", ValueError, dict(metrics={"v": {"name": "mse"}})),
    ("model", TypeError, dict(model="dv/dt = 1")),
    ("seed", ValueError, dict(seed=-1))])
def test_mistakes_in_a_description(said, error, changes):
    with pytest.raises(error, match=said):
        fit_spec(description(**changes))


def test_a_whole_description():
    spec = fit_spec(description(
        parameters={"g": {"bounds": "[1*nS, 2*nS]", "scale": "log",
                          "start": ["1.5*nS"]}},
        stop={"evaluations": 50, "target": 1 * mV**2, "time": "5*second"},
        model={"equations": PASSIVE, "reset": "", "threshold": "v > 0*mV",
               "periodic": [{"code": "v += 1*mV", "dt": "1*ms"}],
               "timed_arrays": {"s": {"unit": "nA", "dt": "1*ms",
                                      "values": [1, 2]}},
               "method_options": {"adaptable_timestep": True}},
        gate={"enabled": True, "timeout_seconds": 5}, start_iteration=4,
        penalty="v", execution={"max_attempts": 2}))
    assert spec.parameters[0].scale == "log" and spec.parameters[0].start == [
        "1.5*nS"]
    assert spec.model.HasField("reset") and spec.model.reset == ""
    assert spec.model.timed_arrays[0].values == [1, 2]
    assert spec.model.method_options[0].text == "true"
    assert spec.stop.target == "1e-06*volt**2" and spec.start_iteration == 4


def test_endpoint_files(tmp_path, monkeypatch):
    path = tmp_path / "a.endpoint"
    with pytest.raises(somafit.ConnectionLostError, match="somafit-server"):
        Client(path)
    for content in ("", "[]", "{}", "x" * (1 << 21), '{"address": 5}',
                    json.dumps({"address": "a b"}), "\0\1\2"):
        path.write_text(content)
        with pytest.raises(somafit.SomafitError, match="a.endpoint"):
            Client(path)
    path.write_text(json.dumps({"address": "127.0.0.1:1", "token": "secret"}))
    path.chmod(0o644)
    with pytest.warns(somafit.SomafitWarning, match="chmod 600"):
        Client(path)
    path.chmod(0o600)
    monkeypatch.setenv("SOMAFIT_ENDPOINT", str(path))
    begun = time.monotonic()
    with pytest.raises(somafit.ConnectionLostError, match="no coordinator answers"):
        Client().server_info()
    assert time.monotonic() - begun < 20


def test_a_token_that_is_wrong():
    with Cluster() as cluster:
        cluster.start_server()
        endpoint = json.loads(cluster.endpoint.read_text())
        other = cluster.directory / "other.endpoint"
        other.touch(0o600)
        other.write_text(json.dumps({**endpoint, "token": "guess"}))
        assert Client(cluster.endpoint).server_info().version
        with pytest.raises(somafit.AccessError, match="token"):
            Client(other).server_info()


def test_a_coordinator_that_hangs(monkeypatch):
    monkeypatch.setattr(connection.Connection.call, "__defaults__", (1.0,))
    with Cluster() as cluster:
        cluster.start_server()
        client = Client(cluster.endpoint)
        client.server_info()
        os.kill(cluster.server.pid, signal.SIGSTOP)
        with pytest.raises(somafit.DeadlineError, match="did not answer"):
            client.server_info()
        os.kill(cluster.server.pid, signal.SIGCONT)
        assert client.server_info().version


def test_posteriors_at_many_observations(client):
    """Through coordinator and trainer: samplers, batches, a kernel."""
    arguments = passive(client=client)
    del arguments["n_samples"]  # infer takes it
    inferencer = somafit.Inferencer(features={"v": ["mean", "max"]}, **arguments)
    posterior = inferencer.infer(
        300, density_estimator_model="mdn", callback=None,
        train_kwargs={"max_num_epochs": 20, "calibration_kernel": "gaussian",
                      "calibration_bandwidth": 2}, **BOUNDS)
    assert 30 <= posterior.summaries[0].effective_samples < 300
    xs = np.array([posterior.observation, posterior.observation + 1e-3])
    draws = posterior.sample_batched(50, xs, seed=4)
    assert draws.shape == (50, 2, 1)
    assert np.array_equal(posterior.sample_batched(20, xs, seed=4), draws[:20])
    alone = posterior.sample(50, x=xs[0], seed=4)
    assert np.array_equal(posterior.sample_batched(50, xs[:1], seed=4)[:, 0], alone)
    found = posterior.log_prob_batched(draws, xs)
    for i in range(2):
        assert np.array_equal(found[:, i], posterior.log_prob(draws[:, i], x=xs[i]))
    for sampler in ("rejection", "importance"):
        assert posterior.sample(50, sample_with=sampler).shape == (50, 1)
    with pytest.raises(ValueError, match="(?s)drawn from directly.*oversampling_factor"):
        posterior.sample(5, sample_with="vi", oversampling_factor=-1)
    with pytest.raises(ValueError, match="no calibration_kernel \"cosine\""):
        inferencer.infer(300, restart=True, callback=None,
                         train_kwargs={"calibration_kernel": "cosine"}, **BOUNDS)
