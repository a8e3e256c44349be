"""Results in every form, filtered and ordered."""

import dataclasses
import json
import os
import subprocess

import numpy as np
import pytest

import somafit
from somafit import MSEMetric
from somafit.samples import SampleTable, column_names, join
from somafit.units import mV, nS

from conftest import BOUNDS, PASSIVE, STEPS, passive

BIN = os.environ.get("SOMAFIT_BIN", "")


@pytest.fixture(scope="module")
def fit():
    """Two outputs, three rounds."""
    fitter = somafit.TraceFitter(**passive(
        client=somafit.Client(workers=2), model=PASSIVE + "w = v/mV : 1\n",
        output={"v": passive()["output"]["v"], "w": np.full((2, STEPS), -60.0)}))
    fitter.fit(metric={"v": MSEMetric(normalization=10 * mV),
                       "w": MSEMetric(normalization=4)},
               n_rounds=3, callback=None, **BOUNDS)
    return fitter


def test_list(fit):
    rows = fit.results()
    assert len(rows) == 36
    assert {"g", "error", "objective_errors", "objective_errors_normalized"} <= set(
        rows[0])
    for row in rows:
        own = row["objective_errors_normalized"]
        assert row["error"] == pytest.approx(own["v"] + own["w"])
        assert own["v"] == pytest.approx(row["objective_errors"]["v"] / (
            10 * mV)**2)
        assert own["w"] == pytest.approx(row["objective_errors"]["w"] / 16)
        assert 1 * nS <= row["g"] <= 100 * nS
    plain = fit.results("list", use_units=False)
    assert isinstance(plain[0]["g"], float)
    assert isinstance(plain[0]["objective_errors"]["v"], float)
    assert [row["g"] for row in plain] == [row["g"].value for row in rows]


def test_dict(fit):
    found = fit.results("dict")
    assert found["g"].shape == found["error"].shape == (36,)
    assert found["g"].has_same_dimensions(nS)
    assert set(found["objective_errors"]) == {"v", "w"}
    best = np.nanargmin(found["error"])
    assert found["g"][best] == fit.best_params["g"]
    assert found["error"][best] == fit.best_error
    assert fit.best_objective_errors["v"] == found["objective_errors"]["v"][best]
    assert fit.best_objective_errors_normalized["w"] == found[
        "objective_errors_normalized"]["w"][best]


def test_dataframe(fit):
    pytest.importorskip("pandas")
    frame = fit.results("dataframe")
    assert list(frame.columns) == ["g", "error", "normalized_error_v", "error_v",
                                   "normalized_error_w", "error_w"]
    assert len(frame) == 36 and frame.dtypes.eq(float).all()
    np.testing.assert_allclose(frame.error, frame.normalized_error_v
                               + frame.normalized_error_w, rtol=1e-12)
    with pytest.warns(somafit.SomafitWarning, match="use_units"):
        fit.results("dataframe", use_units=True)


@pytest.mark.parametrize("format", ["csv", "json"])
def test_text_is_that_of_the_command_line(fit, tmp_path, format):
    server = fit.server_fit
    endpoint = fit.client.connection.endpoint.path
    done = subprocess.run(
        [os.path.join(BIN, "somafit"), "results", server.name, "--format", format,
         "--endpoint", endpoint], capture_output=True, check=True)
    text = fit.results(format)
    assert text.encode() == done.stdout
    fit.results(format, file=tmp_path / "samples")
    assert (tmp_path / "samples").read_bytes() == done.stdout
    done = subprocess.run(
        [os.path.join(BIN, "somafit"), "results", server.name, "--format", format,
         "--trace-errors", "--order-by", "g", "--endpoint", endpoint],
        capture_output=True, check=True)
    assert fit.results(format, trace_errors=True, order_by="g"
                       ).encode() == done.stdout
    if format == "json":
        assert len(json.loads(text)["samples"]) == 36
    assert os.listdir(tmp_path) == ["samples"]


def test_npz(fit, tmp_path):
    fit.results("npz", file=tmp_path / "samples.npz")
    with np.load(tmp_path / "samples.npz") as found:
        assert {"g", "total_error", "v_error", "v_error_normalized", "w_error",
                "sample", "status"} <= set(found)
        assert found["g"].shape == (36,) and set(found["status"]) == {2}
        np.testing.assert_array_equal(found["total_error"],
                                      fit.results("dict", False)["error"])
    with pytest.raises(ValueError, match="file"):
        fit.results("npz")
    with pytest.raises(ValueError, match="file"):
        fit.results("list", file=tmp_path / "x")


def test_an_unknown_format_names_those_there_are(fit):
    for format in ("excel", None, "List"):
        with pytest.raises(ValueError, match="list, dict, dataframe, csv"):
            fit.results(format)


def test_pages_and_limits(fit):
    server = fit.server_fit
    pages = list(server.pages(page=10))
    assert [len(page) for page in pages if len(page)] == [10, 10, 10, 6]
    np.testing.assert_array_equal(join(pages).sample, np.arange(36))
    assert len(server.samples(limit=7)) == 7
    assert len(server.samples(stage=0)) == 36 and len(server.samples("all")) == 36
    assert len(server.samples(stage=3)) == 0
    with pytest.raises(ValueError, match="status"):
        server.samples(status="good")
    with pytest.raises((TypeError, ValueError), match="stage"):
        server.samples(stage="first")


def test_filters_and_order_are_the_coordinators(fit):
    server = fit.server_fit
    everything = server.samples()
    ordered = server.samples(order_by="total_error", limit=5)
    np.testing.assert_array_equal(ordered.total_error,
                                  np.sort(everything.total_error)[:5])
    largest = server.samples(order_by="total_error desc", limit=3)
    np.testing.assert_array_equal(largest.total_error,
                                  np.sort(everything.total_error)[::-1][:3])
    some = server.samples(ranges={"g": (2e-8, 5e-8), "round": (1, None)})
    keep = ((everything.parameters[:, 0] >= 2e-8) & (
        everything.parameters[:, 0] <= 5e-8) & (everything.round >= 1))
    np.testing.assert_array_equal(some.sample, everything.sample[keep])
    assert len(server.samples(status="failed")) == 0
    assert len(server.samples(status=["ok", "failed"])) == 36
    rows = fit.results(order_by="v_error", ranges={"round": (2, 2)})
    assert len(rows) == 12 and rows[0]["objective_errors"]["v"] == min(
        row["objective_errors"]["v"] for row in rows)
    with pytest.raises(somafit.InvalidFitError, match="nowhere"):
        server.samples(order_by="nowhere")
    # Pages of what is ordered join without gaps.
    pages = list(server.pages(order_by="g desc", page=7))
    np.testing.assert_array_equal(join(pages).parameters[:, 0],
                                  np.sort(everything.parameters[:, 0])[::-1])


def test_errors_of_each_trace(fit):
    rows = fit.results(trace_errors=True)
    for row in rows[:5]:
        assert row["trace_errors"]["v"].shape == (2,)
        assert row["trace_errors"]["v"].mean() / mV**2 == pytest.approx(
            row["objective_errors"]["v"] / mV**2)
    frame = fit.results("dataframe", trace_errors=True)
    np.testing.assert_allclose(
        (frame.error_w_trace_0 + frame.error_w_trace_1) / 2, frame.error_w,
        rtol=1e-12)


def test_names_of_columns_that_are_taken():
    names = column_names(["round", "g", "G", "v_error"], ["v"])
    assert names["parameters"] == ["round_", "g", "G_", "v_error"]
    assert names["errors"] == ["v_error_"]
    assert names["normalized"] == ["v_error_normalized"]


def test_parameters_of_any_name(client):
    """Also those that arguments of fit, or columns, have."""
    fitter = somafit.TraceFitter(**passive(
        client=client, model=PASSIVE + "metric : 1\nround : 1\nlevel : 1\n"))
    bounds = {**BOUNDS, "metric": [1, 2], "round": [3, 4], "level": [5, 6]}
    fitter.fit(n_rounds=1, callback="text", bounds=bounds)
    assert 1 <= fitter.best_params["metric"] <= 2
    row = fitter.results()[3]
    assert 3 <= row["round"] <= 4 and 5 <= row["level"] <= 6
    assert "round_" in fitter.results("csv").split("\n")[0]


def test_tables_are_cut_and_joined():
    table = SampleTable(*(np.arange(3) for _ in range(4)), np.ones((3, 1)),
                        np.ones(3), np.ones((3, 2)), np.ones((3, 2)))
    assert len(join([table, table])) == 6 and join([table, table]).penalty is None
    assert len(table.rows(table.sample > 0)) == 2
    # What an empty page lacks is not lost.
    full = dataclasses.replace(table, penalty=np.ones(3))
    empty = table.rows(slice(0))
    assert len(join([full, empty]).penalty) == 3 and len(join([empty])) == 0


def test_limits_and_ranges_with_units(fitter):
    fit = fitter()
    fit.fit(n_rounds=3, callback=None, **BOUNDS)
    best = fit.results(order_by="total_error", limit=5)
    assert len(best) == 5 and best[0]["error"] == fit.best_error
    assert fit.results("csv", limit=5).count("\n") == 6
    assert len(fit.results("dict", limit=0)["g"]) == 0
    assert len(list(fit.server_fit.pages(limit=20, page=8))) == 3
    plain = fit.results("csv", ranges={"g": (1e-8, 5e-8)})
    assert 1 < plain.count("\n") < 37
    assert plain == fit.results("csv", ranges={"g": (10 * nS, "50*nS")})
    assert fit.results(ranges={"total_error": fit.best_error}) == best[:1]
    with pytest.raises(somafit.DimensionMismatchError, match="ranges.*'g'"):
        fit.results(ranges={"g": (1 * mV, None)})
    with pytest.raises(TypeError, match="ranges.*'g'"):
        fit.results(ranges={"g": [1, 2, 3] * nS})
