import sys

import pytest

from export.colours import write_folder, write_nets
from masktune.errors import InputError
from masktune.intake import DataChoices, ModelChoices, prepare, trial_run


@pytest.fixture
def prepared(tmp_path):
    def make(counts=None, turned=False, **choices):
        _, name, _, weights = write_nets(tmp_path, turned=turned)
        root = write_folder(tmp_path / "images", counts, size=(16, 16))
        return prepare(DataChoices(data=str(root)), ModelChoices(model=name, weights=weights, **choices))

    return make


def test_a_good_net_arouses_no_suspicion(prepared):
    steps = []
    found = trial_run(prepared({"blue": 20, "red": 20}), batch_size=16, progress=steps.append)
    assert (found.images, found.suspicions) == (40, ())
    assert found.reading > 0
    assert found.predicting > 0
    assert [(step.done, step.total) for step in steps] == [(16, 40), (32, 40), (40, 40)]
    assert found.sentence.startswith(f"reading {found.reading:.0f} images/s, the net alone ")


def test_validation_images_are_tried_before_others(prepared, monkeypatch):
    monkeypatch.setattr(sys.modules["masktune.intake.trial_run"], "_ENOUGH", 1)
    counts = {"train/blue": 9, "train/red": 9, "val/blue": 3, "val/red": 2, "test/blue": 4, "test/red": 4}
    assert trial_run(prepared(counts)).images == 5


def test_test_images_where_there_is_no_validation(prepared, monkeypatch):
    monkeypatch.setattr(sys.modules["masktune.intake.trial_run"], "_ENOUGH", 1)
    counts = {"train/blue": 9, "train/red": 9, "test/blue": 4, "test/red": 4}
    assert trial_run(prepared(counts)).images == 8


def test_at_most_256_each_class_its_share(prepared):
    assert trial_run(prepared({"blue": 200, "red": 100}), batch_size=256).images == 256


def test_another_order_of_the_classes_is_seen(prepared):
    found = trial_run(prepared({"blue": 30, "red": 30}, turned=True))
    (sentence,) = found.suspicions
    assert sentence.startswith("the accuracy jumps from 0.000 to 1.000")
    assert sentence.endswith("--classes red,blue")


@pytest.mark.parametrize(("turned", "expected"), [(False, 1.0), (False, 0.9), (True, 0.0)])
def test_an_accuracy_that_is_as_expected(prepared, turned, expected):
    trial_run(prepared(turned=turned), expect=expected)


def test_an_accuracy_that_is_not_as_expected(prepared):
    # 0 of 8: Wilson's interval ends at z² / (n + z²) = 3.8415 / 11.8415.
    with pytest.raises(InputError, match=r"of 0\.9, got 0\.0000 on 8 images \(95 %: 0\.0000 to 0\.3244\)"):
        trial_run(prepared(turned=True), expect=0.9)


def test_the_net_goes_back_to_evaluation_untouched(prepared):
    given = prepared()
    net = given.model.classifier
    before = {name: value.clone() for name, value in net.state_dict().items()}
    trial_run(given)
    assert not net.training
    assert all((value == before[name]).all() for name, value in net.state_dict().items())


def test_a_few_validation_images_are_not_tried_alone(prepared):
    # On so few, chance looks like a fault: all 26 are taken.
    assert trial_run(prepared({"train/blue": 9, "train/red": 9, "val/blue": 4, "val/red": 4})).images == 26
