"""An Inferencer's steps, and going on, against a coordinator that is made up."""

import hashlib

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

import somafit
from fake_inferencer import (  # noqa: F401
    BOUNDS, STEPS, arguments, fake, inferencer, posterior)
from somafit import Inferencer, posterior_nn
from somafit.inference_run import Inference
from somafit.units import mV


def test_theta_alone_is_no_data(inferencer):
    inferencer.init_prior(**BOUNDS)
    inference = inferencer.init_inference("SNPE", "maf")
    inferencer.theta, inferencer.x = np.ones((9, 2)), np.ones((9, 6))
    for options in ({"theta": np.ones((9, 2))}, {"x": np.ones((9, 6))}):
        with pytest.raises(ValueError, match="give both"):
            inferencer.train(inference, callback=None, **options)
        with pytest.raises(ValueError, match="give both"):
            inferencer.infer_step(None, inference, 20, callback=None, **options)


def test_proposals_of_elsewhere(fake, inferencer, posterior):
    first = inferencer._inference
    second = inferencer.init_inference("SNPE_C", "mdn")
    for call in (lambda: inferencer.infer_step(posterior, second, 20),
                 lambda: inferencer.train(second, np.ones((9, 2)), np.ones((9, 6)),
                                          posterior)):
        with pytest.raises(ValueError, match="begins with the prior"):
            call()
    other = inferencer.infer_step(None, second, 20, callback=None)
    for proposal, said in ((other, "posterior of another inference"),
                           (posterior.set_default_x([1] * 6), "at another x"),
                           (fake.client.posterior(posterior.name, 3), "of round 3")):
        with pytest.raises(ValueError, match=said):
            inferencer.infer_step(proposal, first, 20)
    assert not fake.fits.continued
    same = posterior.set_default_x(posterior.observation)
    inferencer.infer_step(same, first, 20, callback=None)
    assert len(fake.fits.continued) == 1


def test_training_options_of_more_rounds(fake, inferencer):
    inferencer.infer(50, callback=None, train_kwargs={
        "training_batch_size": 10, "average_weights": False, "learning_rate": 1e-3},
        **BOUNDS)
    inferencer.infer(callback=None, train_kwargs={
        "dataloader_kwargs": {"batch_size": 32}, "average_weights": None})
    training = fake.fits.continued[-1].inference.training
    assert training.training_batch_size == 32 and training.learning_rate == 1e-3
    assert not training.HasField("average_weights")


def test_what_stays_while_it_goes_on(fake, inferencer, tmp_path):
    class Net:
        def save_to_buffer(self):
            return b"net"
    net, file = Net(), tmp_path / "net.pt"
    file.write_bytes(b"net")
    fake.client.upload_script = lambda module: hashlib.sha256(b"net").hexdigest()
    described = posterior_nn("nsf", num_bins=5)
    same = dict(callback=None, density_estimator_model=described, sbi_device="cuda")
    inferencer.infer(50, inference_kwargs={"embedding_net": net}, **same, **BOUNDS)
    inferencer.infer(inference_kwargs={"embedding_net": net, "num_bins": 5}, **same)
    for changes, said in (
            ({"sbi_device": "gpu"}, "sbi_device"),
            ({"density_estimator_model": posterior_nn("nsf", num_bins=6)},
             "density_estimator_model"),
            ({"density_estimator_model": posterior_nn("maf")},
             "density_estimator_model"),
            ({"inference_kwargs": {"num_bins": 5, "embedding_net": Net()}},
             "inference_kwargs"),
            ({"inference_kwargs": {"num_bins": 6}}, "inference_kwargs")):
        with pytest.raises(ValueError, match=f"{said}: given anew.*restart=True"):
            inferencer.infer(**changes)
    # In another process.
    inferencer.save_posterior(tmp_path / "posterior.zip")
    other = Inferencer(**arguments(client=fake.client))
    other.load_posterior(tmp_path / "posterior.zip")
    for same in (net, Net(), file, b"net"):
        other.infer(callback=None, inference_kwargs={"num_bins": 5,
                                                     "embedding_net": same})
    with pytest.raises(ValueError, match="inference_kwargs"):
        other.infer(inference_kwargs={"num_bins": 5, "embedding_net": b"other"})


def test_a_line_where_nobody_is_told(fake, inferencer, capsys):
    inferencer.infer(50, callback=None, **BOUNDS)
    assert capsys.readouterr().out == ""
    other = Inferencer(**arguments(client=fake.client))
    other.infer(50, callback=None, train_kwargs={"show_train_summary": True}, **BOUNDS)
    assert capsys.readouterr().out.startswith("Round 0: validation loss")


def test_columns_of_a_posterior_by_name(fake, inferencer, posterior):
    class Swapped(somafit.Posterior):
        """Its coordinator has the parameters the other way round."""
        @property
        def parameter_names(self):
            return super().parameter_names[::-1]

        def sample(self, *arguments, **options):
            return super().sample(*arguments, **options)[..., ::-1]
    swapped = Swapped(fake.client, posterior.name)
    assert swapped.parameter_names == ["k", "g"]
    draws = inferencer.sample((100,), swapped)
    assert draws[:, 0].max() < 1e-6 and draws[:, 1].mean() > 1  # g, k
    assert inferencer.samples is draws
    shown = inferencer.pairplot()[1]
    inferencer.posterior = swapped
    other = inferencer.pairplot()[1]
    for i in range(2):
        assert shown[i, i].get_xlim() == pytest.approx(other[1 - i, 1 - i].get_xlim())
    matplotlib.pyplot.close("all")
    strange = fake.client.posterior(posterior.name)
    strange._parameters = strange._parameters[:1]
    with pytest.raises(ValueError, match="its parameters are g"):
        inferencer.sample(1, strange)


def test_raw_traces_of_ones_own(fake):
    inferencer = Inferencer(**arguments(
        client=fake.client, features=None, threshold=None, reset=None,
        output={"v": np.full((2, STEPS), -60.0) * mV}))
    inferencer.init_prior(**BOUNDS)
    for x in (np.ones((9, 2 * STEPS + 1)), 3):
        with pytest.raises(ValueError, match=rf"be \[9 x {2 * STEPS}\], which are"):
            inferencer.infer(theta=np.ones((9, 2)), x=x)
    inference = Inference("SNPE", "maf", "cpu", {})
    made = inferencer._trainer(inference, ["v[0][0]", "v[0][1]"])._settings
    assert [(each.kind, each.size) for each in made.estimator.embedding] == [
        ("fully_connected", 50), ("fully_connected", 20)]
    assert made.estimator.options[0].text == "structured"
    assert not inference.estimator.embedding and not inference.estimator.options
    for options in ({"embedding": "gru"}, {"embedding_net": b"net"}):
        inference = Inference("SNPE", "maf", "cpu", options)
        assert inferencer._trainer(inference, [])._settings is inference
    inference = Inference("SNPE", "maf", "cpu", {"z_score_x": None})
    made = inferencer._trainer(inference, [])._settings
    assert [each.text for each in made.estimator.options] == ["none"]
    # What the coordinator said counts from then on.
    inferencer.infer(30, callback=None)
    assert inferencer._n_columns() == 6
