"""The scripts of client/examples, in small."""

import importlib.util
import pathlib
import sys

import numpy as np
import pytest

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "client/examples"
SCRIPTS = sorted(path.relative_to(EXAMPLES).as_posix()
                 for path in EXAMPLES.glob("*/*.py")
                 if path.name not in ("model.py", "inference.py", "raw_traces.py")
                 and path.parent.name != "own_simulator")


def load(script, monkeypatch):
    """As it is when it is run: with its folder to import from."""
    path = EXAMPLES / script
    monkeypatch.syspath_prepend(str(path.parent))
    sys.modules.pop("model", None)
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("script", SCRIPTS)
def test_example(script, monkeypatch, client, capsys):
    fitter = load(script, monkeypatch).main(n_rounds=3, n_samples=20)
    assert fitter.best_params is not None and len(fitter.results()) == 60
    assert np.isfinite(fitter.results("dict", use_units=False)["error"]).any()
    assert capsys.readouterr().out


@pytest.mark.parametrize("script", (
    "hodgkin_huxley/inference.py", "integrate_and_fire/inference.py",
    "hodgkin_huxley/raw_traces.py"))
def test_inference_example(script, monkeypatch, client, capsys):
    inferencer = load(script, monkeypatch).main(
        n_rounds=1, n_samples=200, max_num_epochs=5)
    assert inferencer.samples.shape[1] >= 2
    assert np.isfinite(inferencer.samples).all()
    assert capsys.readouterr().out


def test_own_simulator(monkeypatch, client, capsys):
    inference, draws = load("own_simulator/tuning.py", monkeypatch).main(
        n_rounds=2, n_simulations=200, client=client, max_num_epochs=20)
    assert draws.shape == (1000, 4) and np.isfinite(draws).all()
    assert len(inference.get_simulations()[0]) == 400
    assert "preferred: " in capsys.readouterr().out


def test_spikes_of_the_exponential_neuron(monkeypatch, client):
    """Times that are known from elsewhere."""
    module = load("integrate_and_fire/exponential.py", monkeypatch)
    VT, Delta = module.VT, module.Delta  # noqa: F841, constants of the equations
    spikes = module.make((2.5, 5), [[], []]).generate_spikes(params={
        "gL": "30*nS", "C": "1*nF", "EL": "-70*mV"})
    np.testing.assert_allclose(spikes[0] / module.ms, [14.1, 23.3])
    np.testing.assert_allclose(spikes[1] / module.ms, [9.2, 13.5, 17.8, 22.1, 26.4])


def test_twins_are_the_same_fit(monkeypatch, client):
    """fit.py and fit.yaml of one folder."""
    from cluster import Cluster
    import somafit
    for folder in ("hodgkin_huxley", "integrate_and_fire"):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            name = cluster.somafit("submit", EXAMPLES / folder / "fit.yaml", "--set",
                                   "stop.rounds=2").stdout.strip()
            cluster.somafit("watch", name)
            monkeypatch.setenv("SOMAFIT_ENDPOINT", str(cluster.endpoint))
            fitter = load(f"{folder}/fit.py", monkeypatch).main(n_rounds=2)
            yaml = somafit.Client().fit(name)
            mine, other = fitter.server_fit, yaml
            assert mine.message.dataset == other.message.dataset
            assert fitter.results("csv") == other.results("csv")
            monkeypatch.delenv("SOMAFIT_ENDPOINT")
