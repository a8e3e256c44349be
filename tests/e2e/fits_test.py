#!/usr/bin/env python3
"""What a fit can be asked for, through the real programs: going on after its
end, penalties, fixed and logarithmic parameters, groups of outputs, errors in the
model language, filters, and what `generate` may change."""
import json
import math
import struct
import unittest
import zipfile

from cluster import ROOT, Cluster, main, rows, small_spec, write_spec


def samples(cluster, fit, *arguments):
    return rows(cluster.csv(fit, *arguments))


class ContinueTest(unittest.TestCase):
    def test_parts_are_the_whole(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker(threads=2)
            whole = cluster.submit(small_spec(cluster.directory, name="whole"))
            parts = cluster.submit(small_spec(cluster.directory, name="parts",
                                              stop={"rounds": 2}))
            cluster.somafit("watch", whole)
            cluster.somafit("watch", parts)
            cluster.somafit("continue", parts, "--rounds", 1)
            cluster.somafit("watch", parts)
            # Also of a coordinator that was away.
            cluster.kill(cluster.server)
            cluster.start_server()
            # Equal by value: the fit's own bounds and metric in other units.
            path = write_spec(cluster.directory / "same.yaml", small_spec(
                cluster.directory, stop={"rounds": 2},
                parameters={"g": "[0.001*usiemens, 0.1*usiemens]"},
                metrics={"v": {"metric": "mse"}}))
            cluster.somafit("continue", parts, "--file", path)
            cluster.somafit("watch", parts)
            self.assertEqual(cluster.csv(parts), cluster.csv(whole))
            # With nothing more to do it has succeeded at once.
            cluster.somafit("continue", parts, "--rounds", 0)
            self.assertEqual(cluster.csv(parts), cluster.csv(whole))

    def test_changes_need_a_restart(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            fit = cluster.submit(small_spec(cluster.directory,
                                            stop={"rounds": 2}))
            cluster.somafit("watch", fit)
            before = cluster.csv(fit)
            for change, words in (
                    ({"parameters": {"g": "[2*nS, 3*nS]"}}, "bounds of \"g\""),
                    ({"metrics": {"v": {"metric": "rmse"}}},
                     "was mse and would become rmse"),
                    ({"optimizer": {"name": "random"}}, "was de"),
                    ({"n_samples": 21}, "had 20 samples"),
                    ({"penalty": "v"}, "penalty")):
                path = write_spec(cluster.directory / "change.yaml", small_spec(
                    cluster.directory, **{"stop": {"rounds": 1}, **change}))
                done = cluster.somafit("continue", fit, "--file", path,
                                       check=False)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(words, done.stderr)
            self.assertEqual(cluster.csv(fit), before)
            path = write_spec(cluster.directory / "change.yaml", small_spec(
                cluster.directory, stop={"rounds": 3}, n_samples=10,
                parameters={"g": {"bounds": "[20*nS, 80*nS]", "scale": "log"}},
                optimizer={"name": "random"}))
            cluster.somafit("continue", fit, "--restart", "--file", path)
            cluster.somafit("watch", fit)
            self.assertEqual(cluster.csv(fit, "--stage", "0"), before)
            again = samples(cluster, fit)
            self.assertEqual(len(again), 30)
            self.assertEqual({row["stage"] for row in again}, {"1"})
            self.assertEqual([row["sample"] for row in again],
                             [str(40 + i) for i in range(30)])
            for row in again:
                self.assertTrue(20e-9 <= float(row["g"]) <= 80e-9)
            # The best is that of the new stage.
            best = min(again, key=lambda row: float(row["total_error"]))
            self.assertIn(f"sample {best['sample']}",
                          cluster.somafit("results", fit).stdout)

    def test_mistakes_are_said(self):
        with Cluster() as cluster:
            cluster.start_server()
            fit = cluster.submit(small_spec(cluster.directory))
            for arguments, status, words in (
                    (["nobody", "--rounds", 1], 4, "nobody"),
                    ([fit], 2, "how far"),
                    ([fit, "--rounds", 1], 1, "once it has ended"),
                    ([fit, "--rounds", 1, "--set", "a=b"], 2, "--file"),
                    ([fit, "--rounds", -1], 2, "--rounds")):
                done = cluster.somafit("continue", *arguments, check=False)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn(words, done.stdout + done.stderr)
            cluster.somafit("cancel", fit)
            done = cluster.somafit("continue", fit, "--rounds", 1, check=False)
            self.assertIn("restart", done.stderr)

    def test_iteration_counts_on(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            # The error is iteration + 1 - g, g is next to 1.
            spec = small_spec(cluster.directory, n_samples=3, start_iteration=17,
                              stop={"rounds": 2})
            spec["model"] = {"equations": "v = (iteration + g)*volt + 0*ohm*I : volt\n"
                                          "g : 1 (constant)\n"}
            spec["metrics"] = {"v": {"metric": "max"}}
            spec["parameters"] = {"g": "[0.999, 1.001]"}
            (cluster.directory / "output.csv").write_text("0,0,0\n" * 2)
            (cluster.directory / "input.csv").write_text("0,0,0\n" * 2)
            fit = cluster.submit(spec)
            cluster.somafit("watch", fit)
            cluster.somafit("continue", fit, "--rounds", 2)
            cluster.somafit("watch", fit)
            cluster.somafit("continue", fit, "--rounds", 1, "--start-iteration",
                            3)
            cluster.somafit("watch", fit)
            cluster.somafit("continue", fit, "--rounds", 1, "--restart")
            cluster.somafit("watch", fit)
            seen = [round(float(row["total_error"])) - 1
                    for row in samples(cluster, fit, "--stage", "all")][::3]
            self.assertEqual(seen, [17, 18, 19, 20, 3, 0])
            # And where generate is told to.
            for iteration, value in ((None, 1e9 + 1), (5, 6)):
                more = [] if iteration is None else ["--iteration", iteration]
                table = rows(cluster.somafit("generate", fit, "--output", "v",
                                             *more).stdout)
                self.assertAlmostEqual(float(table[0]["v"]), value, delta=0.01)


class ErrorTest(unittest.TestCase):
    def test_a_penalty_has_a_column(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            spec = small_spec(cluster.directory, penalty="toll")
            spec["model"]["equations"] += "toll = 1e-5*volt**2 : volt**2\n"
            fit = cluster.submit(spec)
            cluster.somafit("watch", fit)
            table = samples(cluster, fit)
            self.assertEqual(list(table[0])[-1], "penalty")
            for row in table:
                self.assertEqual(float(row["penalty"]), 1e-5)
                self.assertAlmostEqual(float(row["total_error"]),
                                       float(row["v_error"]) + 1e-5, 15)
            name = fit.removeprefix("fits/")
            self.assertEqual(
                cluster.sql(f'select count(*) from "fit_{name}" '
                            "where penalty=1e-5"), "100")
            spec["penalty"] = "v"
            done = cluster.somafit(
                "submit", write_spec(cluster.directory / "wrong.yaml", spec),
                check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn("penalty", done.stderr)

    def test_fixed_logarithmic_and_started(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            spec = small_spec(cluster.directory, stop={"rounds": 1})
            spec["model"]["equations"] += "C : farad (constant)\n"
            del spec["model"]["constants"]["C"]
            spec["parameters"] = {
                "g": {"bounds": "[1*nS, 100*nS]", "scale": "log",
                      "start": ["3*nS", "30*nS"]},
                "C": {"fixed": "200*pF"}}
            fit = cluster.submit(spec)
            cluster.somafit("watch", fit)
            table = samples(cluster, fit)
            self.assertEqual({float(row["C"]) for row in table}, {200e-12})
            for row, value in zip(table, (3e-9, 3e-8)):
                self.assertAlmostEqual(float(row["g"]) / value, 1, 14)
            middle = sum(float(row["g"]) < 10e-9 for row in table)
            self.assertTrue(5 <= middle <= 15, middle)
            # A point needs no value of what is fixed.
            (cluster.directory / "points.csv").write_text(
                "g,C\n3e-9,2e-10\n3e-9,4e-10\n")
            same, other = rows(cluster.somafit(
                "evaluate", fit, "--params", "points.csv", "--format",
                "csv").stdout)
            self.assertEqual(same["total_error"], table[0]["total_error"])
            self.assertNotEqual(other["total_error"], same["total_error"])

    def test_groups_and_expressions(self):
        steps = 200
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker(threads=2)
            (cluster.directory / "x.csv").write_text(",".join(
                repr(math.sin(0.1 * k)) for k in range(steps)) + "\n")
            for i, name in enumerate("abc"):
                (cluster.directory / f"{name}.csv").write_text(",".join(
                    repr(math.cos(0.1 * k + i)) for k in range(steps)) + "\n")
            spec = {
                "model": {
                    "equations": "da/dt = (x - a)/(10*ms) : 1\n"
                                 "db/dt = (g*a - b)/(10*ms) : 1\n"
                                 "dc/dt = (b*b - c)/(10*ms) : 1\ng : 1\n",
                    "method": "rk4"},
                "data": {"inputs": {"x": {"file": "x.csv", "unit": "1"}},
                         "outputs": {n: {"file": f"{n}.csv", "unit": "1"}
                                     for n in "abc"}},
                "dt": "1*ms", "parameters": {"g": "[0.5, 2]"},
                "metrics": {
                    "together": {"metric": "fc_correlation",
                                 "outputs": ["a", "b", "c"]},
                    "dynamics": {"metric": "fcd_ks", "outputs": ["a", "b", "c"],
                                 "options": {"normalization": "4"}},
                    "top": {"metric": "max", "outputs": ["b"]},
                    "cost": {"metric": "expression", "options": {
                        "expression": "abs(a - a_target) + g",
                        "t_start": "10*ms"}}},
                "n_samples": 20, "stop": {"rounds": 2}}
            fit = cluster.submit(spec)
            cluster.somafit("watch", fit)
            table = samples(cluster, fit)
            self.assertEqual(
                list(table[0]),
                ["sample", "stage", "round", "status", "g", "total_error",
                 "together_error", "dynamics_error",
                 "dynamics_error_normalized", "top_error", "cost_error"])
            for row in table:
                self.assertEqual(row["status"], "ok")
                self.assertAlmostEqual(
                    float(row["total_error"]),
                    float(row["together_error"]) + float(row["top_error"])
                    + float(row["dynamics_error"]) / 4
                    + float(row["cost_error"]), 12)
                self.assertAlmostEqual(
                    float(row["dynamics_error_normalized"]),
                    float(row["dynamics_error"]) / 4, 15)
            # The traces that generate gives are those that were compared.
            recorded = rows(cluster.somafit("generate", fit, "--output",
                                            "a,b").stdout)
            best = min(table, key=lambda row: float(row["total_error"]))
            top = max(float(row["b"]) for row in recorded)
            target = max(math.cos(0.1 * k + 1) for k in range(steps))
            self.assertAlmostEqual(abs(top - target), float(best["top_error"]),
                                   12)
            cost = sum(abs(float(row["a"]) - math.cos(0.1 * k)) +
                       float(best["g"])
                       for k, row in enumerate(recorded) if k >= 10) / 190
            self.assertAlmostEqual(cost, float(best["cost_error"]), 12)
            checked = cluster.somafit(
                "check", write_spec(cluster.directory / "fit.yaml", spec)).stdout
            self.assertIn("fc_correlation (together)", checked)
            for change, words in (
                    ({"outputs": ["a", "b"]}, "at least 3"),
                    ({"outputs": ["a", "b", "d"]}, 'no output "d"'),
                    ({"metric": "mse"}, "compares a trace")):
                wrong = json.loads(json.dumps(spec))
                wrong["metrics"]["together"].update(change)
                path = write_spec(cluster.directory / "wrong.yaml", wrong)
                for command in ("submit", "check"):
                    done = cluster.somafit(command, path, check=False)
                    self.assertNotEqual(done.returncode, 0)
                    self.assertIn(words, done.stdout + done.stderr)

    def test_abandoned_samples_change_nothing_else(self):
        """Parameters, statuses and the errors of all that could matter are
        those of a fit that simulates everything, whoever is killed."""
        with Cluster() as cluster:
            cluster.start_server()
            worker = cluster.start_worker()
            changes = {"n_samples": 40, "stop": {"rounds": 12}}
            full = cluster.submit(small_spec(
                cluster.directory, name="full", **changes))
            cluster.somafit("watch", full)
            changes["execution"] = {"abandon": True}
            one = cluster.submit(small_spec(
                cluster.directory, name="one", **changes))
            cluster.somafit("watch", one)
            # A coordinator that is killed while a round is open, then two
            # workers.
            changes["stop"] = {"rounds": 6}
            parts = cluster.submit(small_spec(
                cluster.directory, name="parts", **changes))
            cluster.somafit("watch", parts)
            cluster.kill(worker)
            cluster.somafit("continue", parts, "--rounds", 6)
            cluster.kill(cluster.server)
            cluster.start_server()
            cluster.start_worker()
            cluster.start_worker(threads=2)
            cluster.somafit("watch", parts)
            table, less = samples(cluster, full), samples(cluster, one)
            self.assertEqual(cluster.csv(one), cluster.csv(parts))
            self.assertEqual(len(less), len(table))
            abandoned = [row for row in less if row["status"] == "abandoned"]
            self.assertGreater(len(abandoned), 100)
            for row, complete in zip(less, table):
                self.assertEqual(row["g"], complete["g"])
                if row["status"] == "abandoned":
                    self.assertEqual(row["total_error"], "")
                else:
                    self.assertEqual(row, complete)
            self.assertEqual(
                samples(cluster, one, "--best", "3"),
                samples(cluster, full, "--best", "3"))
            self.assertEqual(samples(cluster, one, "--status", "abandoned"),
                             abandoned)
            # Where it is not exact it is refused.
            refused = cluster.somafit(
                "submit", write_spec(cluster.directory / "no.yaml", small_spec(
                    cluster.directory, penalty="v**2",
                    execution={"abandon": True})), check=False)
            self.assertEqual(refused.returncode, 2)
            self.assertIn("penalty", refused.stderr)

    def test_nothing_stops_a_fit(self):
        """A target with holes, a silent recording, a silent model, samples that
        diverge: all of them are in the results."""
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            spec = small_spec(cluster.directory, stop={"rounds": 3})
            spec["model"] = {
                "equations": "dv/dt = (g*v*abs(v)/mV - 60*mV + I*Mohm)/ms : volt"
                             "\ng : 1 (constant)\n",
                "threshold": "v > 1*volt", "reset": "v = 0*mV",
                "initial_values": {"v": "-10*mV"}, "method": "euler"}
            spec["parameters"] = {"g": "[-1, 40]"}
            (cluster.directory / "output.csv").write_text(
                "-60" + ",nan" * 24 + ",-50" * 25 + "\n" + "nan," * 49 +
                "nan\n")
            (cluster.directory / "spikes.csv").write_text("nan\n1.5 \n")
            spec["data"]["outputs"]["spikes"] = {"file": "spikes.csv",
                                                 "unit": "ms"}
            spec["metrics"] = {
                "v": {"metric": "mse", "options": {"normalization": "1*mV"}},
                "spikes": {"metric": "gamma_factor",
                           "options": {"delta": "0.5*ms"}}}
            fit = cluster.submit(spec)
            self.assertIn("succeeded", cluster.somafit("watch", fit).stdout)
            table = samples(cluster, fit, "--trace-errors")
            states = {row["status"] for row in table}
            self.assertEqual(states, {"ok", "nonfinite"})
            for row in table:
                self.assertEqual(row["status"] == "ok",
                                 row["total_error"] != "")
                self.assertEqual(row["v_error_trace_1"], "")
                if row["status"] == "ok":
                    self.assertNotEqual(row["spikes_error_trace_0"], "")
            broken = samples(cluster, fit, "--status", "nonfinite")
            self.assertEqual(len(broken), sum(
                row["status"] == "nonfinite" for row in table))


class ExamplesTest(unittest.TestCase):
    def test_every_example_runs(self):
        files = sorted((ROOT / "client/examples").glob("*/*.yaml"))
        self.assertGreaterEqual(len(files), 3)
        with Cluster() as cluster:
            for path in files:
                with self.subTest(path.parent.name):
                    done = cluster.somafit(
                        "run", path, "--db", cluster.directory / "run.db",
                        "--set", "n_samples=10", "--set", "stop.rounds=2")
                    self.assertIn("20 samples", done.stdout)
                    cluster.somafit("check", path)


class ResultsTest(unittest.TestCase):
    def test_filters_orders_and_formats(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            fit = cluster.submit(small_spec(cluster.directory))
            cluster.somafit("watch", fit)
            table = samples(cluster, fit)
            ordered = sorted(table, key=lambda row: (float(row["total_error"]),
                                                     int(row["sample"])))
            self.assertEqual(samples(cluster, fit, "--best", "7"), ordered[:7])
            self.assertEqual(
                samples(cluster, fit, "--order-by", "g desc", "--limit", "5"),
                sorted(table, key=lambda row: (-float(row["g"]),
                                               -int(row["sample"])))[:5])
            self.assertEqual(
                samples(cluster, fit, "--where", "round=2..3", "--where",
                        "g=..5e-8"),
                [row for row in table
                 if row["round"] in "23" and float(row["g"]) <= 5e-8])
            traces = samples(cluster, fit, "--trace-errors")
            for row in traces:
                mean = (float(row["v_error_trace_0"]) +
                        float(row["v_error_trace_1"])) / 2
                self.assertAlmostEqual(mean, float(row["v_error"]), 15)
            cluster.somafit("results", fit, "--format", "npz", "-o", "out.npz")
            with zipfile.ZipFile(cluster.directory / "out.npz") as archive:
                self.assertIsNone(archive.testzip())
                self.assertEqual(
                    archive.namelist(),
                    [f"{name}.npy" for name in table[0]])
                data = archive.read("g.npy")
                start = 10 + struct.unpack("<H", data[8:10])[0]
                self.assertIn(b"'shape': (100,)", data[:start])
                self.assertEqual(
                    [float(row["g"]) for row in table],
                    list(struct.unpack("<100d", data[start:])))
            for arguments, words in (
                    (["--order-by", "total_eror"], "did you mean"),
                    (["--where", "g"], "COLUMN=LOW..HIGH"),
                    (["--where", "h=0..1"], "no column"),
                    (["--status", "good"], "none of"),
                    (["--best", "3", "--limit", "2"], "--best"),
                    (["--format", "npz"], "--output")):
                done = cluster.somafit("results", fit, *arguments, check=False)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(words, done.stderr)

    def test_generate_takes_initial_values(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            fit = cluster.submit(small_spec(cluster.directory,
                                            stop={"rounds": 1}))
            cluster.somafit("watch", fit)
            first = [float(rows(cluster.somafit(
                "generate", fit, "--output", "v", *more).stdout)[0]["v"])
                for more in ([], ["--initial", "v=-80*mV"],
                             ["--initial", "v=El - 1*mV"])]
            self.assertEqual(first, [-0.065, -0.08, -0.066])
            for given, words in (("w=1", "no variable `w`"), ("v=1*amp", "volt"),
                                 ("g=1*nS", "is a parameter"),
                                 ("v", "NAME=VALUE")):
                done = cluster.somafit("generate", fit, "--output", "v",
                                       "--initial", given, check=False)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(words, done.stderr)


if __name__ == "__main__":
    main()
