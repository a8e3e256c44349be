"""The published Hodgkin-Huxley example, through server and worker."""

import unittest

from cluster import SHARED, Cluster, main, published_spec, rows

# Best samples of ten rounds as the original's tutorial prints them
# (g_kd, g_na, gl, error in V^2).
TUTORIAL = [
    (9.850944960633812e-05, 5.136956717618642e-05, 1.132001753695881e-07,
     0.00023112503428419085),
    (2.5885625978001192e-05, 5.994175009416155e-05, 1.132001753695881e-07,
     0.0001351283127819249),
    (2.358033085911261e-05, 5.2863196016834924e-05, 7.255743458079185e-08,
     8.600916130059129e-05),
    (2.013515980650059e-05, 4.5888592959196316e-05, 7.3254174819061e-08,
     5.704891495098806e-05),
    (9.666300621928093e-06, 3.471303670631636e-05, 2.6927249265934296e-08,
     3.237910401003197e-05),
    (8.037164838105382e-06, 2.155149445338687e-05, 1.9305129338706338e-08,
     1.080794896277778e-05),
    (7.161113899555702e-06, 2.2680883630214104e-05, 2.369859751788268e-08,
     4.527456021770018e-06),
    (7.471475084450997e-06, 2.3920164839406964e-05, 1.7956856689140395e-08,
     4.4765688852930405e-06),
    (6.511156620775884e-06, 2.209792671051356e-05, 1.368667359118384e-08,
     1.8105782339584402e-06),
]
TRUTH = (6e-6, 2e-5, 1e-8, 9.950799e-7)


def points(vectors):
    return "g_kd,g_na,gl\n" + "".join(
        ",".join(repr(x) for x in v[:3]) + "\n" for v in vectors)


@unittest.skipUnless((SHARED / "data/hh").exists(),
                     f"the published recordings are not in {SHARED}")
class PublishedTest(unittest.TestCase):

    def test_documented_errors(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            fit = cluster.submit(published_spec(stop={"rounds": 0}))
            (cluster.directory / "points.csv").write_text(
                points(TUTORIAL + [TRUTH]))
            found = rows(cluster.somafit("evaluate", fit, "--params",
                                         "points.csv", "--format", "csv").stdout)
            self.assertEqual(len(found), 10)
            for row, vector in zip(found, TUTORIAL):
                error = float(row["total_error"])
                self.assertLessEqual(abs(error / vector[3] - 1), 1e-9)
                self.assertEqual(row["v_error"], row["total_error"])
            self.assertAlmostEqual(float(found[9]["total_error"]) / TRUTH[3], 1,
                                   delta=1e-7)
            # Stored as a stage of its own.
            self.assertEqual({row["stage"] for row in found}, {"1"})
            stored = rows(cluster.csv(fit, "--stage", "1"))
            self.assertEqual(stored, found)

    def test_free_capacitance(self):
        with Cluster() as cluster:
            cluster.start_server()
            cluster.start_worker()
            fit = cluster.submit(published_spec(True, stop={"rounds": 0}))
            (cluster.directory / "points.csv").write_text(
                "gl,g_na,g_kd,Cm\n5.2683644082576014e-08,2.1510226912854076e-05,"
                "6.352133831297902e-06,1.9806267104593407e-10\n")
            found = rows(cluster.somafit("evaluate", fit, "--params",
                                         "points.csv", "--format", "csv").stdout)
            error = float(found[0]["total_error"]) * 1e6
            self.assertLessEqual(abs(error / 27.335309724632 - 1), 1e-9)

    def test_differential_evolution_finds_it(self):
        with Cluster() as cluster:
            cluster.start_server()
            for _ in range(2):
                cluster.start_worker()
            best = []
            for seed in range(1, 11):
                fit = cluster.submit(published_spec(seed=seed))
                cluster.somafit("watch", fit)
                best.append(min(float(row["total_error"])
                                for row in rows(cluster.csv(fit))))
            print("best errors of seeds 1-10 [V^2]:", best)
            self.assertGreaterEqual(sum(error <= 1e-5 for error in best), 9)


if __name__ == "__main__":
    main()
