"""Bad input: one clear message with the place, a status, nothing half-created."""

import sqlite3
import subprocess
import unittest

from cluster import BIN, Cluster, main, small_spec, write_spec


class BadInputTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.cluster.start_server()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__(None, None, None)

    def refused(self, spec, *wanted):
        """Submits; checks status, message, and that nothing was created."""
        path = write_spec(self.cluster.directory / "fit.yaml", spec)
        done = self.cluster.somafit("submit", path, check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertEqual(done.stdout, "")
        for text in wanted:
            self.assertIn(text, done.stderr)
        self.assertEqual(self.cluster.sql("select count(*) from fits"), "0")
        return done.stderr

    def changed(self, **model):
        spec = small_spec(self.cluster.directory)
        spec["model"].update(model)
        return spec

    def test_unknown_unit(self):
        self.refused(self.changed(
            equations="dv/dt = (g*(El - v) + I)/C : vollt\n"
                      "g : siemens (constant)\n"),
            "vollt", "volt", "model.equations:1")

    def test_milliampere_added_to_millivolt(self):
        message = self.refused(self.changed(
            equations="dv/dt = (10*mV + 2*mA)/ms + (g*(El-v)+I)/C : volt\n"
                      "g : siemens (constant)\n"), "volt", "amp")
        lines = message.split("\n")
        caret = next(i for i, line in enumerate(lines) if line.strip("| ") == "^")
        self.assertEqual(lines[caret - 1][lines[caret].index("^")], "+")

    def test_both_errors_of_a_model(self):
        self.refused(self.changed(
            equations="dv/dt = (g*(El - v) + I)/Cx : volt\n"
                      "dw/dt = (1 - w)*q : 1\ng : siemens (constant)\n"),
            "Cx", "q", ":1:", ":2:")

    def test_bounds(self):
        spec = small_spec(self.cluster.directory)
        spec["model"]["equations"] += "k : volt\n"
        self.refused(spec, '"k"', "bounds")
        for bounds in ("[5*nS, 5*nS]", "[9*nS, 5*nS]"):
            spec = small_spec(self.cluster.directory,
                              parameters={"g": bounds})
            self.refused(spec, "parameters.g.bounds", "lower")
        self.refused(small_spec(self.cluster.directory,
                                parameters={"g": "[1*nS, 5*mV]"}),
                     "parameters.g.bounds", "volt", "siemens")
        self.refused(small_spec(self.cluster.directory, parameters={
            "g": "[1*nS, 5*nS]", "gg": "[1*nS, 5*nS]"}), "gg")

    def test_shapes(self):
        spec = small_spec(self.cluster.directory)
        (self.cluster.directory / "input.csv").write_text(
            ",".join(["0.5"] * 40) + "\n" + ",".join(["1.0"] * 40) + "\n")
        self.refused(spec, "40", "50")
        spec = small_spec(self.cluster.directory)
        (self.cluster.directory / "input.csv").write_text(
            ",".join(["0.5"] * 50) + "\n")
        self.refused(spec, "1", "2", "trace")

    def test_text_in_a_csv(self):
        spec = small_spec(self.cluster.directory)
        (self.cluster.directory / "input.csv").write_text(
            ",".join(["0.5"] * 50) + "\n" +
            ",".join(["1.0"] * 16 + ["abc"] + ["1.0"] * 33) + "\n")
        self.refused(spec, "input.csv:2:", "abc")

    def test_nan_in_an_input(self):
        spec = small_spec(self.cluster.directory)
        (self.cluster.directory / "input.csv").write_text(
            ",".join(["0.5"] * 50) + "\n" +
            ",".join(["1.0"] * 16 + ["nan"] + ["1.0"] * 33) + "\n")
        message = self.refused(spec, "I")
        self.assertIn("nan", message.lower())

    def test_missing_file(self):
        spec = small_spec(self.cluster.directory)
        spec["data"]["inputs"]["I"]["file"] = "nowhere.csv"
        self.refused(spec, "nowhere.csv")

    def test_optimizer(self):
        self.refused(small_spec(self.cluster.directory,
                                optimizer={"name": "dee"}),
                     "dee", "de", "random")
        self.refused(small_spec(self.cluster.directory, optimizer={
            "name": "de", "options": {"populaton": 30}}),
            "populaton", "population", "CR")
        self.refused(small_spec(self.cluster.directory, optimizer={
            "name": "de", "options": {"population": 1}}), "population", "1")

    def test_metric(self):
        self.refused(small_spec(self.cluster.directory,
                                metrics={"v": "msee"}), "msee", "mse")
        self.refused(small_spec(self.cluster.directory, metrics={"v": {
            "metric": "mse", "options": {"t_start": "5*mV"}}}),
            "t_start", "volt")
        self.refused(small_spec(self.cluster.directory,
                                metrics={"w": "mse"}), "w")

    def test_stop(self):
        self.refused(small_spec(self.cluster.directory, stop={}), "stop")
        self.refused(small_spec(self.cluster.directory,
                                stop={"target": "1*mV"}), "volt")

    def test_unknown_key(self):
        spec = small_spec(self.cluster.directory)
        spec["optimiser"] = {"name": "de"}
        self.refused(spec, "optimiser", "optimizer")

    def test_server_not_reachable(self):
        for command in (["list"], ["submit", "fit.yaml"], ["show", "fits/x"]):
            write_spec(self.cluster.directory / "fit.yaml",
                       small_spec(self.cluster.directory))
            (self.cluster.directory / "nobody.endpoint").write_text(
                '{"address": "127.0.0.1:9", "token": "x"}')
            done = self.cluster.somafit(*command, "--endpoint",
                                        "nobody.endpoint", check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("127.0.0.1:9", done.stderr)

    def test_wrong_token(self):
        import json
        endpoint = json.loads(self.cluster.endpoint.read_text())
        endpoint["token"] = "0" * 32
        wrong = self.cluster.directory / "wrong.endpoint"
        wrong.write_text(json.dumps(endpoint))
        done = self.cluster.somafit("list", "--endpoint", wrong, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("token", done.stderr)
        self.assertNotIn("0" * 32, done.stderr)
        worker = subprocess.run(
            [BIN / "somafit-worker", "--endpoint", wrong, "--threads", "1"],
            capture_output=True, text=True, timeout=60)
        self.assertNotEqual(worker.returncode, 0)
        self.assertIn("token", worker.stderr)

    def test_wrong_fit_name(self):
        for command in ("show", "watch", "results", "pause", "resume", "cancel"):
            done = self.cluster.somafit(command, "fits/nobody", check=False)
            self.assertNotEqual(done.returncode, 0, command)
            self.assertIn("fits/nobody", done.stderr, command)

    def test_evaluate(self):
        with Cluster() as cluster:
            cluster.start_server()
            fit = cluster.submit(small_spec(cluster.directory,
                                            stop={"rounds": 0}))
            for text, wanted in (("h\n1\n", "h"), ("g\nx\n", "x"),
                                 ("g,g\n1,2\n", "g"), ("g\n1,2\n", "2"),
                                 ("g\nnan\n", "nan"), ("", "points.csv")):
                (cluster.directory / "points.csv").write_text(text)
                done = cluster.somafit("evaluate", fit, "--params",
                                       "points.csv", check=False)
                self.assertNotEqual(done.returncode, 0, text)
                self.assertIn(wanted, done.stderr.lower(), text)
            self.assertEqual(cluster.csv(fit, "--stage", "all").count("\n"), 1)

    def test_foreign_old_and_newer_databases(self):
        def start(path):
            return subprocess.run(
                [BIN / "somafit-server", "--listen", "127.0.0.1:0", "--db", path,
                 "--endpoint", self.cluster.directory / "other.endpoint"],
                capture_output=True, text=True, timeout=30)

        text = self.cluster.directory / "text.db"
        text.write_text("this is no database, but it is long enough " * 50)
        foreign = self.cluster.directory / "foreign.db"
        connection = sqlite3.connect(foreign)
        connection.execute("create table mine(x)")
        connection.commit()
        connection.close()
        newer = self.cluster.directory / "newer.db"
        with Cluster() as other:
            other.start_server()
            other.server.terminate()
            other.server.wait(timeout=30)
            newer.write_bytes(other.database.read_bytes())
        connection = sqlite3.connect(newer)
        connection.execute("pragma user_version = 999")
        connection.commit()
        connection.close()
        for path in (text, foreign, newer):
            before = path.read_bytes()
            done = start(path)
            self.assertNotEqual(done.returncode, 0, path)
            self.assertIn(path.name, done.stderr)
            self.assertEqual(path.read_bytes(), before)
        self.assertIn("999", start(newer).stderr)
        # A second coordinator on the same file.
        done = start(self.cluster.database)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("fits.db", done.stderr)

    def test_beyond_loopback_needs_tls(self):
        done = subprocess.run(
            [BIN / "somafit-server", "--listen", "0.0.0.0:0", "--db",
             self.cluster.directory / "open.db", "--endpoint",
             self.cluster.directory / "open.endpoint"],
            capture_output=True, text=True, timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("--tls-cert", done.stderr)
        self.assertFalse((self.cluster.directory / "open.endpoint").exists())


if __name__ == "__main__":
    main()
