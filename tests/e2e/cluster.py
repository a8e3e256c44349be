"""Real processes for tests: a coordinator, workers and the command line."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("SOMAFIT_BIN", ROOT / "build/release/bin"))
SHARED = pathlib.Path(os.environ.get("SOMAFIT_SHARED", ROOT.parent / "shared"))
EXAMPLE = ROOT / "client/examples/hodgkin_huxley/fit.yaml"
SKIPPED = 77  # exit status that CTest shows as a skipped test

EQUATIONS = """
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
"""


def published_spec(free_capacitance=False, **changes):
    """The set-up of the published example, as a dict for a YAML file."""
    constants = {"El": "-65*mV", "EK": "-90*mV", "ENa": "50*mV", "VT": "-63*mV"}
    parameters = {
        "gl": "[2*psiemens, 200*nS]",
        "g_na": "[200*nS, 0.4*msiemens]",
        "g_kd": "[200*nS, 200*usiemens]",
    }
    equations = EQUATIONS
    metric = {"metric": "mse"}
    if free_capacitance:
        equations += "Cm : farad (constant)\n"
        parameters["Cm"] = "[100*pF, 400*pF]"
        metric["options"] = {"t_start": "5*ms"}
    else:
        constants["Cm"] = "200*pF"
    spec = {
        "model": {
            "equations": equations,
            "method": "exponential_euler",
            "constants": constants,
            "initial_values": {"v": "VT" if free_capacitance else "-65*mV"},
        },
        "data": {
            "inputs": {"I": {"file": str(SHARED / "data/hh/input_traces_hh.csv"),
                             "unit": "amp"}},
            "outputs": {"v": {"file": str(SHARED / "data/hh/output_traces_hh.csv"),
                              "unit": "mV"}},
        },
        "dt": "0.01*ms",
        "parameters": parameters,
        "metrics": {"v": metric},
        "optimizer": {"name": "de", "options": {"population": 30}},
        "n_samples": 100,
        "stop": {"rounds": 10},
        "seed": 1,
    }
    spec.update(changes)
    return spec


def small_spec(directory, **changes):
    """A passive membrane with one trace, that simulates in no time."""
    directory = pathlib.Path(directory)
    (directory / "input.csv").write_text(
        ",".join(["0.5"] * 50) + "\n" + ",".join(["1.0"] * 50) + "\n")
    (directory / "output.csv").write_text(
        ",".join(["-60"] * 50) + "\n" + ",".join(["-58"] * 50) + "\n")
    spec = {
        "model": {
            "equations": "dv/dt = (g*(El - v) + I)/C : volt\n"
                         "g : siemens (constant)\n",
            "constants": {"El": "-65*mV", "C": "200*pF"},
            "initial_values": {"v": "El"},
        },
        "data": {
            "inputs": {"I": {"file": "input.csv", "unit": "nA"}},
            "outputs": {"v": {"file": "output.csv", "unit": "mV"}},
        },
        "dt": "0.1*ms",
        "parameters": {"g": "[1*nS, 100*nS]"},
        "n_samples": 20,
        "stop": {"rounds": 5},
        "seed": 7,
    }
    spec.update(changes)
    return spec


def write_spec(path, spec):
    """JSON is YAML."""
    path = pathlib.Path(path)
    path.write_text(json.dumps(spec, indent=1))
    return path


class Cluster:
    """A directory with a database, and the processes that work on it."""

    def __init__(self, lease=1.0):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="somafit-test-"))
        self.database = self.directory / "fits.db"
        self.endpoint = self.directory / "fits.endpoint"
        self.server_log = self.directory / "server.log"
        self.worker_log = self.directory / "worker.log"
        self.lease = lease
        self.server = None
        self.workers = []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for process in [*self.workers, self.server]:
            if process and process.poll() is None:
                process.kill()
            if process:
                process.wait()
        if kind and self.server_log.exists():
            sys.stderr.write(self.server_log.read_text()[-4000:])
        if kind and self.worker_log.exists():
            sys.stderr.write(self.worker_log.read_text()[-2000:])
        shutil.rmtree(self.directory, ignore_errors=True)

    def start_server(self, *arguments, faults="", listen="127.0.0.1:0",
                     log_level="info"):
        before = self.endpoint.stat().st_mtime_ns if self.endpoint.exists() else 0
        with open(self.server_log, "ab") as log:
            self.server = subprocess.Popen(
                [BIN / "somafit-server", "--listen", listen, "--db",
                 self.database, "--endpoint", self.endpoint, "--lease",
                 str(self.lease), "--log-level", log_level, *arguments],
                stdout=log, stderr=log,
                env={**os.environ, "SOMAFIT_FAULTS": faults})
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.endpoint.exists() and self.endpoint.stat().st_mtime_ns != before:
                return self.server
            if self.server.poll() is not None:
                return self.server
            time.sleep(0.01)
        raise AssertionError("the coordinator did not start")

    def start_worker(self, threads=1, faults="", name=None, kernel="native"):
        with open(self.worker_log, "ab") as log:
            worker = subprocess.Popen(
                [BIN / "somafit-worker", "--endpoint", self.endpoint,
                 "--threads", str(threads), "--name",
                 name or f"w{len(self.workers)}", "--kernel", kernel],
                stdout=log, stderr=log,
                env={**os.environ, "SOMAFIT_FAULTS": faults})
        self.workers.append(worker)
        return worker

    def start_trainer(self, *arguments, faults=""):
        """One of its own: a coordinator starts one where none is connected."""
        with open(self.worker_log, "ab") as log:
            trainer = subprocess.Popen(
                [BIN / "somafit-trainer", "--endpoint", self.endpoint,
                 *arguments],
                stdout=log, stderr=log,
                env={**os.environ, "SOMAFIT_FAULTS": faults})
        self.workers.append(trainer)
        return trainer

    def address(self):
        """Where the coordinator listens, for the next one."""
        return json.loads(self.endpoint.read_text())["address"]

    def kill(self, process, how=signal.SIGKILL):
        process.send_signal(how)
        process.wait(timeout=30)

    def somafit(self, *arguments, check=True, timeout=300, **options):
        done = subprocess.run(
            [BIN / "somafit", *map(str, arguments)], capture_output=True,
            text=True, timeout=timeout, cwd=self.directory,
            env={**os.environ, "SOMAFIT_ENDPOINT": str(self.endpoint)}, **options)
        if check and done.returncode != 0:
            raise AssertionError(
                f"somafit {arguments} ended with {done.returncode}\n"
                f"{done.stdout}\n{done.stderr}")
        return done

    def submit(self, spec, *arguments):
        path = write_spec(self.directory / "fit.yaml", spec)
        return self.somafit("submit", path, *arguments).stdout.strip()

    def csv(self, fit, *arguments):
        return self.somafit("results", fit, "--format", "csv", *arguments).stdout

    def sql(self, statement):
        return subprocess.run(["sqlite3", self.database, statement], text=True,
                              capture_output=True, check=True).stdout.strip()


def rows(csv):
    lines = csv.strip().split("\n")
    names = lines[0].split(",")
    return [dict(zip(names, line.split(","))) for line in lines[1:]]


def main():
    if not BIN.exists():
        print(f"no programs in {BIN}: set SOMAFIT_BIN")
        sys.exit(1)
    program = unittest.main(exit=False, verbosity=2)
    if not program.result.wasSuccessful():
        sys.exit(1)
    for test, why in program.result.skipped:
        print(f"skipped {test}: {why}")
    sys.exit(SKIPPED if program.result.skipped else 0)
