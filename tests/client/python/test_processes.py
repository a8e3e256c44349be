"""Processes that die, hang, or are there twice."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from cluster import Cluster
import somafit
import somafit.units
from somafit import embedded
from somafit.watch import RoundEvent

from conftest import BOUNDS, passive

HERE = os.path.dirname(__file__)


def start(script, **environment):
    """Another Python, with the package and the model of conftest.py."""
    return subprocess.Popen(
        [sys.executable, "-c", "import sys\nsys.path.insert(0, sys.argv[1])\n"
         "from conftest import *\n" + textwrap.dedent(script), HERE],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment, "PYTHONWARNINGS": "ignore"})


FIT = """
import os
os.environ["SOMAFIT_ENDPOINT"] = {endpoint!r}
fitter = somafit.TraceFitter(**passive(name="killed"))
def callback(*told):
    print(told[4], flush=True)
    return False
fitter.fit(n_rounds={rounds}, callback={callback}, **BOUNDS)
"""


def until_round(client, name, rounds):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if client.fit(name).rounds >= rounds:
                return
        except somafit.NotFoundError:
            pass
        time.sleep(0.01)
    raise AssertionError("the fit does not get on")


@pytest.mark.parametrize("gated", [False, True])
def test_a_killed_process_reattaches_and_sees_all_rounds(gated):
    with Cluster() as cluster:
        cluster.start_server()
        cluster.start_worker()
        client = somafit.Client(cluster.endpoint)
        reference = somafit.TraceFitter(**passive(client=client, n_samples=12))
        rounds = 60 if gated else 3000
        process = start(FIT.format(
            endpoint=str(cluster.endpoint), rounds=rounds,
            callback="callback" if gated else "None"))
        until_round(client, "killed", 20)
        process.kill()
        process.wait()
        # Another process, which knows the name only.
        fit = somafit.Client(cluster.endpoint).reattach("killed")
        seen = []
        for event in fit.watch():
            if isinstance(event, RoundEvent):
                seen.append(event.round)
                # Rounds that were answered are behind; one may wait.
                if event.gated and fit.state == "GATED" and fit.rounds == (
                        event.round + 1):
                    fit.ack(event)
        assert seen == list(range(rounds))
        assert fit.state == "SUCCEEDED" and len(fit.samples()) == 12 * rounds
        reference.fit(n_rounds=20, callback=None, **BOUNDS)
        assert fit.results("csv", ranges={}).startswith(reference.results("csv"))


def test_a_coordinator_that_is_killed_meanwhile():
    """The watch goes on with the one that follows it, at another address."""
    with Cluster() as cluster:
        cluster.start_server()
        cluster.start_worker()
        client = somafit.Client(cluster.endpoint)
        fitter = somafit.TraceFitter(**passive(client=client))

        def kill_it(*told):
            if told[4] == 2:
                cluster.kill(cluster.server)
                cluster.start_server()

        fitter.fit(n_rounds=6, callback=kill_it, **BOUNDS)
        assert fitter.iteration == 6 and len(fitter.results()) == 72


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


EMBEDDED = """
import time
client = somafit.Client(workers=2)
print(*(child.pid for child in client.embedded._children),
      client.embedded._folder.path, flush=True)
{rest}
"""


@pytest.mark.parametrize("rest, how", [
    ("", None), ("raise SystemExit(3)", None), ("time.sleep(60)", signal.SIGKILL),
    # A shell may have it ignored in what it runs in the background.
    ("import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
     "print(flush=True)\nwhile True: time.sleep(0.01)", signal.SIGINT)])
def test_what_was_started_ends_with_the_process(rest, how):
    process = start(EMBEDDED.format(rest=rest))
    *pids, folder = process.stdout.readline().split()
    assert len(pids) == 3 and os.stat(folder).st_mode & 0o777 == 0o700
    if how == signal.SIGINT:
        process.stdout.readline()
    if how is not None:
        process.send_signal(how)
    process.wait(30)
    deadline = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(alive, pids))
    if how == signal.SIGKILL:
        # The next that is started clears it away.
        assert os.path.isdir(folder)
        start(EMBEDDED.format(rest="")).wait(30)
    assert not os.path.exists(folder)


def test_threads_share_one_coordinator():
    embedded.stop_all()
    found, threads = [], []
    for _ in range(8):
        threads.append(threading.Thread(
            target=lambda: found.append(somafit.Client(workers=1))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    # It outlives the thread that started it.
    time.sleep(0.5)
    assert len({id(client.embedded) for client in found}) == 1
    assert found[0].server_info().version
    results = []

    def fit():
        fitter = somafit.TraceFitter(**passive(client=found[0]))
        fitter.fit(n_rounds=3, callback=lambda *_: None, **BOUNDS)
        results.append(fitter.results("csv"))

    threads = [threading.Thread(target=fit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and len(set(results)) == 1
    embedded.stop_all()
    with pytest.raises(somafit.ConnectionLostError, match="stopped"):
        found[0].server_info()


def test_a_worker_that_dies_is_said_at_once():
    client = somafit.Client(workers=1, database=None)
    fitter = somafit.TraceFitter(**passive(client=client))

    def kill(*told):
        os.kill(client.embedded._children[1].pid, signal.SIGKILL)

    with pytest.raises(somafit.ConnectionLostError, match="somafit-worker ended"):
        fitter.fit(n_rounds=50, callback=kill, **BOUNDS)
    with pytest.raises(somafit.ConnectionLostError, match="somafit-worker ended"):
        fitter.generate(params={"g": "1*nS"})
    # The next Client starts another.
    assert somafit.Client(workers=1).server_info().version
    embedded.stop_all()


def test_a_worker_that_dies_while_traces_are_waited_for():
    client = somafit.Client(workers=1)
    fitter = somafit.TraceFitter(**passive(client=client))
    fitter.fit(n_rounds=1, callback=None, **BOUNDS)
    worker = client.embedded._children[1].pid
    os.kill(worker, signal.SIGSTOP)
    threading.Timer(0.5, os.kill, (worker, signal.SIGKILL)).start()
    with pytest.raises(somafit.ConnectionLostError, match="somafit-worker ended"):
        fitter.generate()
    embedded.stop_all()


def test_a_database_is_kept(tmp_path):
    path = tmp_path / "kept.db"
    client = somafit.Client(database=path, workers=1)
    somafit.TraceFitter(**passive(client=client, name="mine")).fit(
        n_rounds=2, callback=None, **BOUNDS)
    assert somafit.Client(database=path).embedded is client.embedded
    client.embedded.stop()
    again = somafit.Client(database=str(path), workers=1)
    assert again.embedded is not client.embedded
    assert len(again.reattach("mine").results()) == 24
    assert [fit.name for fit in again.fits()] == ["fits/mine"]
    embedded.stop_all()
    with pytest.raises(somafit.SomafitError, match="no folder"):
        somafit.Client(database=tmp_path / "nowhere" / "a.db")
    with pytest.raises(ValueError, match="database"):
        somafit.Client("a.endpoint", database="a.db")


def test_a_fork_gets_a_coordinator_of_its_own():
    process = start("""
        client = somafit.Client(workers=1)
        client.server_info()
        pid = os.fork()
        if pid == 0:
            # What is its parent's is not stopped by it.
            somafit.embedded.stop_all()
            try:
                client.server_info()
            except somafit.ConnectionLostError as error:
                print("refused" if "forked" in str(error) else error, flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        print(client.server_info().version, flush=True)
        """)
    out, err = process.communicate(timeout=60)
    assert out.split()[-1] == somafit.__version__, (out, err)


def test_programs_that_are_not_there(monkeypatch, tmp_path):
    embedded.stop_all()
    monkeypatch.setenv("SOMAFIT_BIN", str(tmp_path))
    with pytest.raises(somafit.ProgramNotFoundError, match="SOMAFIT_BIN"):
        somafit.Client()
    broken = tmp_path / "somafit-server"
    broken.write_text("#!/bin/sh\necho out of luck\nexit 3\n")
    broken.chmod(0o755)
    (tmp_path / "somafit-worker").symlink_to(broken)
    with pytest.raises(somafit.ConnectionLostError,
                       match="(?s)exit status 3.*out of luck"):
        somafit.Client()


def test_ctrl_c_at_any_moment():
    """Also within gRPC, whose locks it may leave locked."""
    process = start("""
        import signal, threading
        signal.signal(signal.SIGINT, signal.default_int_handler)
        client = somafit.Client(workers=1)
        fitter = somafit.TraceFitter(**passive(client=client))
        fitter.fit(n_rounds=0, callback=None, **BOUNDS)
        for i in range(12):
            threading.Timer(0.05 + 0.02*i, os.kill,
                            (os.getpid(), signal.SIGINT)).start()
            try:
                fitter.fit(n_rounds=100000, callback=None)
            except KeyboardInterrupt:
                pass
        fitter.fit(n_rounds=1, callback=None)
        whole = somafit.TraceFitter(**passive(client=client))
        whole.fit(n_rounds=fitter.iteration, callback=None, **BOUNDS)
        print(whole.results("csv") == fitter.results("csv"), flush=True)
        """)
    try:
        out, err = process.communicate(timeout=90)
    finally:
        process.kill()
    assert out.split() == ["True"], (out, err)


def test_torchscript_is_run_where_it_is_allowed(tmp_path, monkeypatch):
    """A module as embedding, by a coordinator of one's own."""
    monkeypatch.delenv("SOMAFIT_ENDPOINT", raising=False)
    maker = pathlib.Path(os.environ["SOMAFIT_BIN"], "make_script_module")
    subprocess.run([maker, "40", "4", tmp_path / "net.pt"], check=True)
    units = somafit.units

    def infer(client):
        return somafit.Inferencer(
            0.1 * units.ms, "dv/dt = (g*(El - v) + I)/C : volt\n"
            "g : siemens (constant)\n", {"I": np.full((2, 20), 0.1) * units.nA},
            {"v": np.full((2, 20), -60.0) * units.mV}, param_init={"v": "El"},
            client=client, namespace={"El": -65 * units.mV, "C": 200 * units.pF}
        ).infer(50, callback=None, train_kwargs={"max_num_epochs": 2},
                inference_kwargs={"embedding_net": tmp_path / "net.pt"},
                g=[1 * units.nS, 100 * units.nS])

    plain = somafit.Client(database=tmp_path / "plain.db", workers=1)
    with pytest.raises(somafit.SomafitError, match="--allow-torchscript"):
        infer(plain)
    with pytest.raises(somafit.SomafitError, match="started without it"):
        somafit.Client(database=tmp_path / "plain.db", allow_torchscript=True)
    allowing = somafit.Client(database=tmp_path / "fits.db", workers=1,
                              allow_torchscript=True)
    assert infer(allowing).sample((3,)).shape == (3, 1)
