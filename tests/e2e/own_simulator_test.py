#!/usr/bin/env python3
"""Simulators of the user's own, and inferences that go on: from the command line,
through the real programs, and whatever is killed meanwhile."""
import json
import random
import unittest

from cluster import main, rows, write_spec
from inference_cluster import (CAPACITANCE, InferenceCluster, inference_spec,
                               membrane)

TRUTH = {"a": 0.8e-9, "b": 1.5}


def simulate(row, random_numbers):
    """Two noisy sums, of which the user knows how they come about and we do
    not."""
    a, b = float(row["a [siemens]"]) / 1e-9, float(row["b"])
    return (a + b + 0.1 * random_numbers.gauss(0, 1),
            a - b + 0.1 * random_numbers.gauss(0, 1))


def observed(g, c):
    """Of a membrane without noise, in the order of `somafit posterior`."""
    numbers = []
    for current in (0.1e-9, 0.2e-9):
        trace = [v * 1e-3 for v in membrane(current, g, c)]
        numbers += [trace[-1], sum(trace[5:20]) / 15]
    return numbers


def own_spec(**changes):
    spec = {
        "name": "own",
        "parameters": {"a": "[0*nS, 2*nS]",
                       "b": {"prior": {"name": "normal", "options": {
                           "mean": "1", "sigma": "1"}}}},
        "seed": 5,
        "inference": {
            "algorithm": "npe_b",
            "simulator": {"features": ["total", "difference"]},
            "estimator": {"name": "mdn", "options": {"num_components": 2}},
            "training": {"learning_rate": 2e-3, "stop_after_epochs": 8}}}
    spec["inference"].update(changes.pop("inference", {}))
    spec.update(changes)
    return spec


class OwnCluster(InferenceCluster):
    def refused(self, *arguments, status=1):
        """What is said of a call that must fail."""
        done = self.somafit(*arguments, check=False)
        if done.returncode != status:
            raise AssertionError(f"somafit {arguments} ended with "
                                 f"{done.returncode}: {done.stderr}")
        return done.stderr

    def submit_own(self, **changes):
        return self.somafit("submit", write_spec(self.directory / "own.yaml",
                                                 own_spec(**changes)))

    def simulate_round(self, n, seed, holes=0):
        """Proposes, simulates, appends; what was proposed, and the answer."""
        self.somafit("propose", "own", "-n", n, "-o", "theta.csv")
        theta = rows((self.directory / "theta.csv").read_text())
        numbers = random.Random(seed)
        lines = ["difference,b,total,a [siemens]"]
        for i, row in enumerate(theta):
            total, difference = simulate(row, numbers)
            lines.append(f"{'' if i < holes else difference},{row['b']},{total},"
                         f"{row['a [siemens]']}")
        (self.directory / "simulations.csv").write_text("\n".join(lines) + "\n")
        return theta, self.somafit("append", "own", "simulations.csv").stderr

    def table(self):
        return self.sql('select sample, round, a, b, hex(trace_errors) from '
                        '"fit_own" order by sample')


class LoopTest(unittest.TestCase):
    def test_the_loop(self):
        with OwnCluster(lease=5) as cluster:
            cluster.start_server()
            cluster.submit_own()
            self.assertRegex(cluster.somafit("show", "own").stdout,
                             r"phase +waiting for simulations\n")
            # No worker is there, and none is missed.
            first, said = cluster.simulate_round(300, seed=1, holes=3)
            self.assertIn("Round 0 has 300 simulations, of which 3", said)
            more, said = cluster.simulate_round(300, seed=2)
            self.assertIn("600 simulations", said)
            self.assertNotIn(more[0], first)
            cluster.somafit("train", "own")
            # The second round is drawn for an observation.
            self.assertIn("observation",
                          cluster.refused("propose", "own", "-n", 10))
            observed = f"{0.8 + 1.5},{0.8 - 1.5}"
            cluster.somafit("observe", "own", observed)
            second, said = cluster.simulate_round(400, seed=3)
            self.assertIn("Round 1 has 400", said)
            spread = lambda theta: max(float(row["b"]) for row in theta) - min(
                float(row["b"]) for row in theta)
            self.assertLess(spread(second), spread(first))
            cluster.somafit("train", "own", "--final")
            self.assertEqual(cluster.sql("select state from fits"), "SUCCEEDED")
            cluster.somafit("sample", "own", "-n", 2000, "-o", "draws.csv")
            draws = rows((cluster.directory / "draws.csv").read_text())
            for column, truth, width in (("a [siemens]", TRUTH["a"], 0.1e-9),
                                         ("b", TRUTH["b"], 0.1)):
                values = sorted(float(row[column]) for row in draws)
                self.assertAlmostEqual(values[1000], truth, delta=2 * width)
                self.assertLess(values[1950] - values[50], 8 * width)
            # It goes on, if somebody wants it to.
            self.assertIn("continue",
                          cluster.refused("append", "own", "simulations.csv"))
            cluster.somafit("continue", "own")
            cluster.somafit("propose", "own", "-n", 5, "-o", "theta.csv")

    def test_the_same_whatever_is_killed(self):
        runs = []
        for kill in (False, True):
            with OwnCluster(lease=1) as cluster:
                cluster.start_server()
                cluster.submit_own(inference={"observation": [2.3, -0.7]})

                def accident():
                    if kill:
                        # Nothing else has ended it.
                        self.assertIsNone(cluster.server.poll())
                        cluster.kill(cluster.server)
                        cluster.start_server(listen=cluster.address())

                for round in range(2):
                    # Only the first round may leave some out.
                    cluster.simulate_round(150, seed=round,
                                           holes=2 if round == 0 else 0)
                    accident()
                    _, said = cluster.simulate_round(150, seed=10 + round)
                    self.assertIn(("Round 0 has 300 simulations, of which 2 have",
                                   "Round 1 has 300 simulations\n")[round], said)
                    cluster.somafit("train", "own", "--no-wait")
                    accident()
                    cluster.wait_until("select rounds from fits", str(round + 1))
                self.assertIsNone(cluster.server.poll())
                table, estimators = cluster.table(), cluster.sql(
                    "select round, hex(estimators) from estimators order by round")
                self.assertEqual(len(table.splitlines()), 600)
                self.assertEqual(len(estimators.splitlines()), 2)
                runs.append((table, estimators))
        self.assertEqual(runs[0], runs[1])

    def test_a_failed_training_loses_nothing(self):
        with OwnCluster(lease=5) as cluster:
            cluster.start_server()
            cluster.submit_own()
            cluster.simulate_round(30, seed=1, holes=28)
            self.assertIn("PAUSED", cluster.refused("train", "own"))
            cluster.simulate_round(300, seed=2)
            cluster.somafit("train", "own")
            self.assertEqual(cluster.sql('select count(*) from "fit_own"'), "330")

    def test_mistakes(self):
        with OwnCluster(lease=5) as cluster:
            cluster.start_server()

            def refused(words, *arguments, status=2, **changes):
                if changes:
                    write_spec(cluster.directory / "own.yaml", own_spec(**changes))
                said = cluster.refused(*arguments, status=status)
                for word in words:
                    self.assertIn(word, said)

            submit = ("submit", cluster.directory / "own.yaml")
            refused(["n_features", "features"], *submit,
                    inference={"simulator": {}})
            refused(["\"total\" is given twice"], *submit,
                    inference={"simulator": {"features": ["total", "total"]}})
            refused(["3", "x has 2"], *submit, inference={"observation": [1, 2, 3]})
            refused(["no dt", "no model"], *submit, dt="1*ms",
                    model={"equations": "dv/dt = -v/ms : 1"})
            refused(["20000", "16384"], *submit,
                    inference={"simulator": {"n_features": 20000}})
            cluster.submit_own()
            cluster.somafit("propose", "own", "-n", 20, "-o", "theta.csv")
            text = (cluster.directory / "theta.csv").read_text()
            lines = text.splitlines()
            table = cluster.directory / "table.csv"
            table.write_text(text)
            refused(["\"total\" has no column"], "append", "own", table)
            full = [lines[0] + ",total,difference"] + [
                line + ",1,2" for line in lines[1:]]
            table.write_text("\n".join(full[:1] + ["5e-9,0.5,1,2"]))
            refused(["a = 5e-09", "outside the prior"], "append", "own", table)
            table.write_text("\n".join(full[:1] + ["1e-9,nan,1,2"]))
            refused(["not a finite number"], "append", "own", table)
            table.write_text("\n".join(full))
            refused(["round 0, not in 3"], "append", "own", table, "--round", 3,
                    status=1)
            self.assertEqual(cluster.sql('select count(*) from "fit_own"'), "0")
            refused(["has 0 simulations"], "train", "own", status=1)
            (cluster.directory / "point.csv").write_text("a,b\n1e-9,1\n")
            refused(["no model"], "generate", "own", "--params", "point.csv",
                    "--output", "total", status=1)
            refused(["no model"], "generate", "own", "--output", "total", status=1)
            refused(["no model"], "generate", "own", "--posterior", "3",
                    "--output", "total", status=1)
            refused(["3 numbers", "2 features"], "observe", "own", "1,2,3")


class ContinueTest(unittest.TestCase):
    def test_more_rounds_and_a_restart(self):
        with OwnCluster(lease=5) as cluster:
            cluster.start_server()
            cluster.start_worker(threads=2)
            cluster.submit(inference_spec(cluster.directory, name="whole"))
            cluster.wait_for_end("whole")
            spec = inference_spec(cluster.directory, name="parts",
                                  stop={"rounds": 1})
            cluster.submit(spec)
            cluster.wait_for_end("parts")
            cluster.somafit("continue", "parts")
            cluster.wait_until("select rounds || state from fits where "
                               "name='parts'", "2SUCCEEDED")
            # Two rounds are two rounds, in one go or not, to the bit.
            self.assertEqual(cluster.learned("whole"), cluster.learned("parts"))

            changed = json.loads(json.dumps(spec))
            changed["inference"]["estimator"] = {"name": "maf"}
            path = write_spec(cluster.directory / "changed.yaml", changed)
            said = cluster.refused("continue", "parts", "--file", path, status=2)
            self.assertIn("the estimator would not be what it was", said)
            self.assertIn("restart", said)
            # How many, and how they are trained on, may change.
            more = json.loads(json.dumps(spec))
            more["n_samples"] = 100
            more["inference"]["training"]["stop_after_epochs"] = 3
            path = write_spec(cluster.directory / "more.yaml", more)
            cluster.somafit("continue", "parts", "--file", path, "--rounds", 1)
            cluster.wait_until("select rounds || state from fits where "
                               "name='parts'", "3SUCCEEDED")
            self.assertEqual(cluster.sql(
                'select count(*) from "fit_parts" where round=2'), "100")

            path = write_spec(cluster.directory / "changed.yaml", changed)
            cluster.somafit("continue", "parts", "--restart", "--file", path,
                            "--rounds", 1)
            cluster.wait_until("select stage || '/' || rounds || state from fits "
                               "where name='parts'", "1/1SUCCEEDED")
            shown = cluster.somafit("posterior", "parts").stdout
            self.assertIn("maf", shown)
            self.assertNotIn("Round 1", shown)
            cluster.somafit("sample", "parts", "-n", 20)

    def test_another_observation(self):
        other = 1.5 * CAPACITANCE

        def capacitances(cluster):
            cluster.somafit("sample", "one", "-n", 2000, "--seed", 1, "-o",
                            "draws.csv")
            return sorted(float(row["C [farad]"]) for row in rows(
                (cluster.directory / "draws.csv").read_text()))

        with OwnCluster(lease=5) as cluster:
            cluster.start_server()
            cluster.start_worker(threads=2)
            cluster.submit(inference_spec(cluster.directory, name="one",
                                          stop={"rounds": 1}))
            cluster.wait_for_end("one")
            numbers = ",".join(map(str, observed(20e-9, other)))
            self.assertLess(capacitances(cluster)[1900], CAPACITANCE * 1.25)
            cluster.somafit("observe", "one", numbers)
            shown = cluster.somafit("posterior", "one").stdout
            self.assertRegex(shown, r"v_last_trace_1 +-0\.0622")
            # What was learned is asked at the other one,
            draws = capacitances(cluster)
            self.assertGreater(draws[100], CAPACITANCE * 1.1)
            self.assertAlmostEqual(draws[1000], other, delta=0.1 * other)
            cluster.somafit("continue", "one")
            cluster.wait_until("select rounds || state from fits", "2SUCCEEDED")
            # and what is simulated from now on is likely there.
            least, most = map(float, cluster.sql(
                'select min(C), max(C) from "fit_one" where round=1').split("|"))
            self.assertGreater(least, CAPACITANCE * 0.8)
            self.assertGreater(most, other * 1.2)
            draws = capacitances(cluster)
            self.assertGreater(draws[100], CAPACITANCE * 1.1)
            self.assertAlmostEqual(draws[1000], other, delta=0.1 * other)
            self.assertIn("restart", cluster.refused("observe", "one", numbers))


if __name__ == "__main__":
    main()
