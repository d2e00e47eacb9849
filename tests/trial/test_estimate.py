"""How long a trial takes, by arithmetic on planted speeds; and what is timed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from masktune.data import Subset
from masktune.models.weights import weights_sha256
from masktune.training.devices import ALONE, Processes
from masktune.trial import estimate
from masktune.trial.estimate import epochs_of, estimate_trial
from masktune.trial.given import Given
from masktune.trial.settings import ARMS, TrialSettings

from .tiny import SETTINGS, images, untrained


@pytest.mark.parametrize(
    ("settings", "epochs"),
    [
        (TrialSettings(), 6.0),  # Four rates for a quarter each, four arms, MaskTune at a lower rate.
        (TrialSettings(learning_rate=1e-3), 4.0),
        (TrialSettings(epochs=5), 11.0),
        (TrialSettings(rates=(1e-2, 1e-3)), 5.5),
        (TrialSettings(arms=("untouched", "masktune")), 2.0),  # Nothing to hold a lower rate against.
        (TrialSettings(arms=ARMS[:-1]), 4.0),
        (TrialSettings(arms=("masktune",), learning_rate=1e-3), 1.0),
    ],
)
def test_epochs_by_hand(settings, epochs):
    assert epochs_of(settings) == epochs


def given(test=None):
    return Given(
        name="tiny",
        classifier=untrained(),
        train=images(100),
        validation=images(40, seed=1),
        test=None if test is None else images(test, seed=2),
    )


def planted(monkeypatch, *of, training=200.0, predicting=1000.0):
    """The estimate at these speeds, in images a second."""
    monkeypatch.setattr(estimate, "_training_speed", lambda *args: training)
    monkeypatch.setattr(estimate, "_prediction_speed", lambda *args: predicting)
    return estimate_trial(*of)


def test_seconds_by_hand(monkeypatch):
    found = planted(monkeypatch, given(test=30), TrialSettings())
    # 90 images are tuned on and 10 held back. Trained: 6 epochs of 90 at 200 a second, 2.7 s.
    # Each of 40 judged images: as it is, four changes, a map for two passes: 7 passes, with six nets 1680.
    # 30 test images and 10 held back with five nets, 200; maps of 90, 180. Of 2060 at 1000 a second, 2.06 s.
    assert found.seconds == pytest.approx(2.7 + 2.06)
    assert (found.training_speed, found.prediction_speed, found.epochs) == (200.0, 1000.0, 6.0)


def test_seconds_of_a_given_rate_without_test_images(monkeypatch):
    settings = TrialSettings(arms=("untouched", "masktune"), learning_rate=1e-3)
    # One epoch of 90; 40 x 7 passes with two nets, 10 held back with two, maps of 90 for two passes.
    expected = 90 / 200 + (40 * 7 * 2 + 10 * 2 + 180) / 1000
    assert planted(monkeypatch, given(), settings).seconds == pytest.approx(expected)


def test_processes_share_the_predictions_and_shared_the_steps_that_were_timed(monkeypatch):
    found = planted(monkeypatch, given(test=30), TrialSettings(), Processes(0, 2))
    assert found.seconds == pytest.approx(2.7 + 2.06 / 2)


def test_megabytes_are_those_of_the_weights_and_a_little(monkeypatch):
    # 4 x 3 x 3 x 3 + 4 numbers of the convolution, 2 x 16 + 2 of the head, of 4 bytes each, for five nets.
    weights = 4 * (108 + 4 + 32 + 2)
    found = planted(monkeypatch, given(test=30), TrialSettings())
    assert found.megabytes == pytest.approx((5 * weights + 5_000_000 + 100 * 70 * 5) / 1e6)


def test_real_speeds_are_positive_and_the_net_is_left_as_it_was():
    of, settings = given(), replace(SETTINGS, batch_size=8)
    before = weights_sha256(of.classifier)
    found = estimate_trial(of, settings)
    assert found.training_speed > 0
    assert found.prediction_speed > 0
    assert weights_sha256(of.classifier) == before


def test_speeds_are_images_by_seconds(monkeypatch):
    # A clock on which each look takes a second.
    seconds = iter(range(1000))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(seconds)))
    settings = TrialSettings(batch_size=8)
    # 4 steps of 8 images in the second epoch, which lasts from one look to the next.
    assert estimate._training_speed(untrained(), images(100), settings, ALONE) == 32.0
    assert estimate._prediction_speed(untrained(), images(100), 8) == 64.0
    # Of few images all are taken.
    assert estimate._training_speed(untrained(), images(20), settings, ALONE) == 20.0
    assert estimate._prediction_speed(untrained(), images(20), 8) == 20.0


def test_only_images_that_may_be_trained_on_are_read():
    read = []

    class Watched(Subset):
        def __getitems__(self, indices):
            read.extend(np.asarray(indices).tolist())
            return super().__getitems__(indices)

    validation = Watched(images(40, seed=1), torch.arange(40))
    estimate_trial(replace(given(), validation=validation), SETTINGS)
    assert read == []
