"""A classifier and images with their roles."""

import numpy as np
import pytest
import torch
from torch import nn

from data.listed import make
from masktune.data import InMemory
from masktune.data.image_files import ImageFiles
from masktune.errors import InputError
from masktune.models.classifier import Classifier
from masktune.trial.given import given_of, given_parts
from masktune.trial.seen import Listed
from masktune.trial.settings import TrialSettings
from masktune.types import InputSpec

CLASSES = ("cat", "dog")
SPLITS = ["train"] * 8 + ["validation"] * 6 + ["test"] * 4 + ["calibration"] * 2


def classifier(classes=CLASSES):
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, len(classes)))
    return Classifier(net, InputSpec(size=(2, 2), channels=1), classes)


def data_of(labels, classes=CLASSES, subjects=None, grey=0.0):
    """Images of one grey with these labels."""
    ids = np.array([f"i{at:02d}" for at in range(len(labels))])
    named = None if subjects is None else np.array(subjects)
    return InMemory(torch.full((len(labels), 1, 2, 2), grey), np.array(labels), ids, classes, subjects=named)


def given(labels, splits=None, settings=TrialSettings(), net=None, **others):  # noqa: B008 - it is frozen.
    data = data_of(labels)
    listed = Listed(data.ids, data.labels, data.classes, splits=None if splits is None else np.array(splits))
    return given_of("pets", net or classifier(), data, listed, settings, **others)


def test_each_image_goes_where_its_split_says():
    net = classifier()
    found = given([0, 1] * 10, SPLITS, net=net)
    assert found.classifier is net
    assert found.train.ids.tolist() == [f"i{at:02d}" for at in range(8)]
    assert found.validation.ids.tolist() == [f"i{at:02d}" for at in range(8, 14)]
    assert found.test.ids.tolist() == [f"i{at:02d}" for at in range(14, 18)]
    assert found.counts == {
        "train": {"cat": 4, "dog": 4},
        "validation": {"cat": 3, "dog": 3},
        "test": {"cat": 2, "dog": 2},
        "calibration": {"cat": 1, "dog": 1},
    }
    assert list(found.counts) == ["train", "validation", "test", "calibration"]
    assert list(found.roles.items())[7:9] == [("i07", "train"), ("i08", "validation")]
    assert len(found.roles) == 20


def test_classes_are_counted_apart():
    found = given([0] * 5 + [1] * 3 + [0, 0, 0, 0, 1, 1], SPLITS[:14])
    assert found.counts == {"train": {"cat": 5, "dog": 3}, "validation": {"cat": 4, "dog": 2}}
    assert found.test is None


def test_columns_are_those_of_the_judged_images():
    numbers = np.arange(20)
    columns = {"age": numbers, "camera": np.where(numbers < 10, "north", "south")}
    found = given([0, 1] * 10, SPLITS, columns=columns)
    assert found.columns["age"].tolist() == list(range(8, 14))
    assert found.columns["camera"].tolist() == ["north"] * 2 + ["south"] * 4


def test_what_the_weights_have_seen_is_told_and_left_out():
    found = given([0, 1] * 10, SPLITS, notes=("an earlier note",))
    assert found.seen.startswith(
        "the weights are assumed to have been trained on the 8 images of split train"
    )
    assert (found.cap, found.notes) == (None, ("an earlier note",))


def test_unknown_weights_have_a_cap():
    found = given([0, 1] * 20)
    assert found.cap == found.seen
    assert found.cap.startswith("it is not known which of these images the weights were trained on")
    assert found.notes[0].startswith(
        "40 images may not have been trained on: 6 are judged on, 34 are tuned on"
    )
    assert (len(found.train), len(found.validation)) == (34, 6)


def test_weights_that_the_trial_trains_have_seen_nothing():
    found = given([0, 1] * 20, settings=TrialSettings(epochs=2))
    assert found.seen == "the trial trains the weights itself, so they have seen none of the images before"
    assert found.cap is None


def test_a_file_of_names_keeps_its_images_from_being_judged_on(tmp_path):
    path = tmp_path / "seen.txt"
    path.write_text("i09\ni10\n")
    found = given([0, 1] * 10, SPLITS, TrialSettings(trained_on=str(path)))
    assert found.validation.ids.tolist() == ["i08", "i11", "i12", "i13"]
    assert found.notes == ("2 of the 6 images of validation were trained on and are left out",)
    assert found.counts["unused"] == {"cat": 1, "dog": 1}


def test_names_of_other_images_are_noted(tmp_path):
    path = tmp_path / "seen.txt"
    path.write_text("i09\nj10\n")
    first, second = given([0, 1] * 10, SPLITS, TrialSettings(trained_on=str(path))).notes
    assert first.startswith("names in seen.txt that are no images here: 'j10'; ")
    assert second == "1 of the 6 images of validation were trained on and are left out"


def test_a_validation_share_reaches_the_division():
    found = given([0, 1] * 50, settings=TrialSettings(trained_on="none", validation_share=0.5))
    assert (len(found.train), len(found.validation)) == (50, 50)


def test_seed_and_calibration_share_reach_the_division():
    settings = TrialSettings(trained_on="none", calibration_share=0.2, seed=5)
    first, again = (given([0, 1] * 50, settings=settings) for _ in range(2))
    other = given([0, 1] * 50, settings=TrialSettings(trained_on="none", calibration_share=0.2, seed=6))
    assert first.counts["calibration"] == {"cat": 10, "dog": 10}
    assert first.roles == again.roles != other.roles
    judged = [name for name, role in first.roles.items() if role == "validation"]
    assert judged == first.validation.ids.tolist()


def test_a_classifier_of_other_classes_is_refused():
    many = classifier(tuple(f"n{at}" for at in range(1000)))
    with pytest.raises(InputError) as caught:
        given([0, 1] * 10, SPLITS, net=many)
    assert str(caught.value) == (
        "expected a classifier of the data's classes ('cat', 'dog') to tune, got one of 'n0', 'n1', 'n2' and "
        "997 more; --epochs 5 gives it a fresh head and trains it first"
    )
    with pytest.raises(InputError, match=r"\('cat', 'dog'\) to tune, got one of 'dog', 'cat'; "):
        given([0, 1] * 10, SPLITS, net=classifier(("dog", "cat")))


def test_an_operating_point_for_three_classes_is_refused_before_anything_is_done():
    classes = ("a", "b", "c")
    data = data_of([0, 1, 2] * 10, classes)
    settings = TrialSettings(operating_point="threshold=.3")
    with pytest.raises(InputError) as caught:
        given_of("abc", classifier(classes), data, Listed.of_dataset(data), settings)
    assert str(caught.value) == (
        "expected two classes for --operating-point threshold=.3, got 3; leave it out"
    )


PARTS = ([0, 1] * 6, [0, 1] * 3, [0, 1] * 2)


def test_validation_that_comes_apart_is_judged_on():
    # Their ids are alike.
    train, validation, test = (
        data_of(labels, grey=grey) for labels, grey in zip(PARTS, (0.0, 0.5, 1.0), strict=True)
    )
    found = given_parts("pets", classifier(), train, validation, test)
    assert [part.ids.tolist() for part in (found.train, found.validation, found.test)] == [
        part.ids.tolist() for part in (train, validation, test)
    ]
    assert found.counts == {
        "train": {"cat": 6, "dog": 6},
        "validation": {"cat": 3, "dog": 3},
        "test": {"cat": 2, "dog": 2},
    }
    assert found.seen == (
        "the weights are assumed to have seen the images to tune on, and none of those to judge on"
    )
    assert (found.cap, found.notes) == (None, ())
    assert given_parts("pets", classifier(), train, validation).test is None


@pytest.mark.parametrize(("told", "capped"), [("none", False), ("unknown", True)])
def test_what_can_be_said_of_parts(told, capped):
    train, validation = data_of(PARTS[0]), data_of(PARTS[1], grey=0.5)
    found = given_parts("pets", classifier(), train, validation, trained_on=told)
    assert (found.cap is not None) == capped


@pytest.mark.parametrize("told", ["all", "names.txt"])
def test_a_net_that_has_seen_its_validation_is_refused(told):
    with pytest.raises(InputError) as caught:
        given_parts("pets", classifier(), data_of(PARTS[0]), data_of(PARTS[1]), trained_on=told)
    assert str(caught.value) == (
        f"expected trained_on none or unknown where validation is given apart, got {told!r}; images that the "
        "net has seen are no validation"
    )


def test_parts_of_other_classes_are_refused():
    with pytest.raises(InputError, match=r"the classifier's classes \(cat, dog\), got cat, dog / cat, fox$"):
        given_parts("pets", classifier(), data_of(PARTS[0]), data_of(PARTS[1], ("cat", "fox")))


def test_parts_without_an_image_to_judge_a_class_by_are_refused():
    with pytest.raises(
        InputError, match="expected at least 2 images of each class to judge on, got 1 of 'dog'"
    ):
        given_parts("pets", classifier(), data_of(PARTS[0]), data_of([0, 0, 0, 1], grey=0.5))


def test_subjects_that_are_tuned_on_are_left_out_of_the_other_parts():
    train = data_of(PARTS[0], subjects=[f"s{at // 2}" for at in range(12)])
    validation = data_of(PARTS[1], grey=0.5, subjects=["s0", "s1", "t", "t", "u", "u"])
    test = data_of(PARTS[2], grey=1.0, subjects=["s5"] * 4)
    found = given_parts("pets", classifier(), train, validation, test)
    assert found.validation.subjects.tolist() == ["t", "t", "u", "u"]
    assert found.test is None
    assert found.notes == (
        "2 of the 6 images of validation were trained on and are left out",
        "4 of the 4 images of test were trained on and are left out",
    )
    # Without subjects of all parts nobody can know.
    found = given_parts("pets", classifier(), train, data_of(PARTS[1], grey=0.5), test)
    assert (len(found.validation), len(found.test)) == (6, 4)


def test_parts_that_share_images_are_refused():
    train, validation = data_of(PARTS[0]), data_of(PARTS[1], grey=0.5)
    with pytest.raises(InputError) as caught:
        given_parts("pets", classifier(), train, validation, validation)
    assert str(caught.value) == (
        "expected other images in test than in validation, got 6 that are in both, such as 'i00'; leave them "
        "out of one of the two"
    )


def test_columns_of_validation_that_comes_apart_are_those_of_the_judged_images():
    columns = {"site": np.array(list("abcdef"), dtype=object)}
    listed = make(PARTS[1], subjects=["s0", "s1", "t", "t", "u", "u"], columns=columns)
    train = data_of(PARTS[0], subjects=[f"s{at // 2}" for at in range(12)])
    found = given_parts("pets", classifier(), train, ImageFiles(listed, InputSpec((2, 2), channels=1)))
    assert found.validation.subjects.tolist() == ["t", "t", "u", "u"]
    assert found.columns["site"].tolist() == ["c", "d", "e", "f"]
