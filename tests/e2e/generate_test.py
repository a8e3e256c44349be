"""Whole traces through the real programs."""

import math
import struct
import subprocess
import time
import unittest

from cluster import (BIN, EXAMPLE, Cluster, main, rows, small_spec)


def read_npy(path):
    """Shape and numbers of a float64 array, without NumPy."""
    data = path.read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    length = struct.unpack("<H", data[8:10])[0]
    assert (10 + length) % 64 == 0 and data[9 + length:10 + length] == b"\n"
    header = eval(data[10:10 + length].decode(), {})
    assert header["descr"] == "<f8" and not header["fortran_order"]
    body = data[10 + length:]
    assert len(body) == 8 * math.prod(header["shape"])
    return header["shape"], struct.unpack(f"<{len(body) // 8}d", body)


def targets():
    """The recordings of the example, by trace [V]."""
    text = (EXAMPLE.parent / "output.csv").read_text()
    return [[float(cell) * 1e-3 for cell in line.split(",")[1:]]
            for line in text.strip().split("\n")[1:]]


def wide_points(n):
    return "g [nS]\n" + "".join(f"{1 + i / 3}\n" for i in range(n))


class GenerateTest(unittest.TestCase):

    def test_the_best_sample_of_the_example(self):
        with Cluster() as cluster:
            cluster.start_server()
            fit = cluster.somafit("submit", EXAMPLE, "--set",
                                  "stop.rounds=3").stdout.strip()
            early = cluster.somafit("generate", fit, "--output", "v",
                                    check=False)
            self.assertEqual(early.returncode, 1)
            self.assertIn("no finished sample", early.stderr)
            cluster.start_worker(threads=2)
            cluster.somafit("watch", fit)
            samples = rows(cluster.csv(fit))
            best = min(samples, key=lambda row: float(row["total_error"]))
            done = cluster.somafit("generate", fit, "--best", "--output", "v,m",
                                   "-o", "best.csv")
            self.assertIn(f"Sample {best['sample']}, the best", done.stderr)
            self.assertEqual(done.stdout, "")
            text = (cluster.directory / "best.csv").read_text()
            self.assertTrue(text.startswith("point,trace,t,v,m\n0,0,0,-0.065,0\n"))
            table = rows(text)
            recorded = targets()
            self.assertEqual(len(table), sum(map(len, recorded)))
            errors = []
            for trace, target in enumerate(recorded):
                series = [row for row in table if row["trace"] == str(trace)]
                self.assertEqual(len(series), len(target))
                self.assertEqual([float(row["t"]) for row in series],
                                 [k * 1e-5 for k in range(len(target))])
                errors.append(math.fsum(
                    (float(row["v"]) - x)**2
                    for row, x in zip(series, target)) / len(target))
            error = math.fsum(errors) / len(errors)
            self.assertAlmostEqual(error / float(best["total_error"]), 1,
                                   delta=1e-12)
            # The same numbers as an array, and on stdout.
            cluster.somafit("generate", fit, "--output", "v,m", "-o", "best.npy")
            shape, numbers = read_npy(cluster.directory / "best.npy")
            self.assertEqual(shape, (1, 5, 2, len(recorded[0])))
            steps = shape[3]
            for trace in range(5):
                series = table[trace * steps:(trace + 1) * steps]
                for output, name in enumerate(("v", "m")):
                    start = (trace * 2 + output) * steps
                    self.assertEqual([float(row[name]) for row in series],
                                     list(numbers[start:start + steps]))
            plain = cluster.somafit("generate", fit, "--output", "v", "--output",
                                    "m").stdout
            self.assertEqual(plain, text)
            wrong = cluster.somafit("generate", fit, "--output", "alpham",
                                    check=False)
            self.assertEqual(wrong.returncode, 2)
            self.assertIn('Did you mean "alpha_m"?', wrong.stderr)
            # A subexpression, a parameter and an input beside it change nothing.
            more = rows(cluster.somafit("generate", fit, "--output",
                                        "alpha_m,g_na,v,I").stdout)
            self.assertEqual([row["v"] for row in more],
                             [row["v"] for row in table])
            self.assertEqual({float(row["g_na"]) for row in more},
                             {float(best["g_na"])})
            self.assertEqual(max(float(row["I"]) for row in more), 40e-9)

    def test_mistakes(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            fit = cluster.submit(small_spec(cluster.directory))
            cluster.somafit("watch", fit)
            (cluster.directory / "points.csv").write_text("g\n1e-8\n")
            (cluster.directory / "many.csv").write_text(wide_points(10_001))
            (cluster.directory / "wrong.csv").write_text("gl\n1e-8\n")
            names = ",".join(["v", "g", "I"])
            for arguments, status, message in [
                    (["--output", "vv"], 2, 'no variable "vv"'),
                    (["--output", "El"], 2, "Known are: v, g, I."),
                    (["--output", "v,v"], 2, '"v" is given twice'),
                    (["--output", "v,"], 2, "empty name"),
                    (["--output", "v", "--params", "wrong.csv"], 2, '"gl"'),
                    (["--output", "v", "--params", "many.csv"], 2,
                     "at most 10000"),
                    (["--output", names, "-o", "no/such.csv"], 2, "no/such")]:
                refused = cluster.somafit("generate", fit, *arguments,
                                          check=False)
                self.assertEqual(refused.returncode, status, refused.stderr)
                self.assertIn(message, refused.stderr)
                self.assertEqual(refused.stdout, "")
            refused = cluster.somafit("generate", "fits/nobody", "--output", "v",
                                      check=False)
            self.assertEqual(refused.returncode, 4)
            self.assertIn("fits/nobody", refused.stderr)
            # Divergence is none: it is a value, and said.
            (cluster.directory / "wild.csv").write_text("g\n1e-8\n-1\n")
            done = cluster.somafit("generate", fit, "--output", "v", "--params",
                                   "wild.csv")
            self.assertIn("1 of 2 points diverged", done.stderr)
            values = [float(row["v"]) for row in rows(done.stdout)]
            self.assertTrue(all(map(math.isfinite, values[:100])))
            self.assertFalse(math.isfinite(values[-1]))

    def test_waits_for_workers_and_shares_them_with_the_fit(self):
        with Cluster() as cluster:
            cluster.start_server()
            fit = cluster.submit(small_spec(cluster.directory,
                                            stop={"rounds": 100000}))
            (cluster.directory / "points.csv").write_text(wide_points(300))
            waiting = subprocess.Popen(
                [BIN / "somafit", "generate", fit, "--params", "points.csv",
                 "--output", "v", "-o", "v.npy", "--endpoint", cluster.endpoint],
                cwd=cluster.directory, stderr=subprocess.PIPE, text=True)
            time.sleep(0.5)
            self.assertIsNone(waiting.poll())
            self.assertFalse((cluster.directory / "v.npy").exists())
            cluster.start_worker()
            _, said = waiting.communicate(timeout=60)
            self.assertEqual(waiting.returncode, 0, said)
            self.assertIn("no worker is connected", said)
            shape, numbers = read_npy(cluster.directory / "v.npy")
            self.assertEqual(shape, (300, 2, 1, 50))
            self.assertEqual(len(set(numbers[1::50])), 600)
            self.assertIn("RUNNING", cluster.somafit("show", fit).stdout)
            self.assertGreater(len(rows(cluster.csv(fit))), 20)
            cluster.somafit("cancel", fit)
            again = cluster.somafit("generate", fit, "--params", "points.csv",
                                    "--output", "v", "-o", "again.npy")
            self.assertEqual(again.stderr, "")
            self.assertEqual(read_npy(cluster.directory / "again.npy"),
                             (shape, numbers))

    def test_killed_workers_and_a_killed_coordinator(self):
        with Cluster() as cluster:
            cluster.start_server()
            fit = cluster.somafit("submit", EXAMPLE, "--set",
                                  "stop.rounds=0").stdout.strip()
            points = "g_na [uS],g_kd [uS],gl [nS]\n" + "".join(
                f"{10 + i},{5 + i / 7},{8 + i / 3}\n" for i in range(300))
            (cluster.directory / "points.csv").write_text(points)
            arguments = [BIN / "somafit", "generate", fit, "--params",
                         "points.csv", "--output", "v,m", "--endpoint",
                         cluster.endpoint, "-o"]

            def generate(file):
                return subprocess.Popen([*arguments, file], text=True,
                                        cwd=cluster.directory,
                                        stderr=subprocess.PIPE)

            steady = generate("steady.npy")
            worker = cluster.start_worker(threads=2)
            _, said = steady.communicate(timeout=120)
            self.assertEqual(steady.returncode, 0, said)
            cluster.kill(worker)
            # The first worker dies in its second task, another one just before
            # its report; the third does all the rest.
            shaken = generate("shaken.npy")
            first = cluster.start_worker(faults="worker_mid_task:crash:2")
            self.assertEqual(first.wait(timeout=60), 137)
            second = cluster.start_worker(faults="worker_before_report:crash:1")
            self.assertEqual(second.wait(timeout=60), 137)
            self.assertFalse((cluster.directory / "shaken.npy").exists())
            third = cluster.start_worker(threads=2)
            _, said = shaken.communicate(timeout=120)
            self.assertEqual(shaken.returncode, 0, said)
            self.assertEqual((cluster.directory / "steady.npy").read_bytes(),
                             (cluster.directory / "shaken.npy").read_bytes())
            cluster.kill(third)
            # Nothing of it outlives the coordinator.
            lost = generate("lost.npy")
            time.sleep(0.5)
            cluster.kill(cluster.server)
            _, said = lost.communicate(timeout=60)
            self.assertEqual(lost.returncode, 3)
            self.assertIn("was lost while traces were simulated", said)
            self.assertEqual([p.name for p in cluster.directory.glob("lost*")],
                             [])

    def test_who_goes_away_is_not_worked_for(self):
        with Cluster() as cluster:
            cluster.start_server()
            fit = cluster.somafit("submit", EXAMPLE, "--set",
                                  "stop.rounds=0").stdout.strip()
            (cluster.directory / "points.csv").write_text(
                "g_na [uS],g_kd [uS],gl [nS]\n" + "10,5,8\n" * 2000)
            leaving = subprocess.Popen(
                [BIN / "somafit", "generate", fit, "--params", "points.csv",
                 "--output", "v", "--endpoint", cluster.endpoint],
                cwd=cluster.directory, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            cluster.start_worker()
            deadline = time.monotonic() + 20
            while "traces" not in cluster.somafit("workers").stdout:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
            cluster.kill(leaving)
            deadline = time.monotonic() + 10
            while "idle" not in cluster.somafit("workers").stdout:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)


if __name__ == "__main__":
    main()
