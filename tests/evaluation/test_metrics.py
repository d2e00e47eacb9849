import pytest

from masktune.errors import InputError
from masktune.evaluation import Measure, measure

from .fakes import predictions


def names(measures):
    return [(made.metric, made.group) for made in measures]


def test_without_groups_and_with_more_classes():
    made = measure(predictions([1, 0, 1], labels=[0, 1, 2], classes=3))
    assert names(made) == [("accuracy", None), ("worst_class_accuracy", None), ("balanced_accuracy", None)]
    assert [one.value for one in made] == pytest.approx([2 / 3, 0, 2 / 3])
    assert [one.n for one in made] == [3, 1, 3]


def test_everything_at_once():
    made = measure(
        predictions([1, 1, 0, 1], labels=[0, 0, 1, 1], groups="aabb"), train_groups={"a": 90, "b": 10}
    )
    assert names(made) == [
        ("accuracy", None),
        ("accuracy_group_mean", None),
        ("accuracy_train_weighted", None),
        ("worst_group_accuracy", "b"),
        ("group_accuracy", "a"),
        ("group_accuracy", "b"),
        ("worst_class_accuracy", None),
        ("balanced_accuracy", None),
        ("auroc", None),
    ]
    assert [one.value for one in made] == pytest.approx([0.75, 0.75, 0.95, 0.5, 1, 0.5, 0.5, 0.75, 0.75])
    assert all(0 <= one.low <= one.value <= one.high <= 1 for one in made)


def test_a_group_of_the_training_split_without_images_is_listed():
    made = measure(predictions([1, 0], groups="ab"), train_groups={"a": 9, "b": 9, "c": 1})
    assert Measure("group_accuracy", None, 0, None, None, "c") in made
    assert Measure("accuracy_train_weighted", None, 2, None, None) in made
    assert Measure("auroc", None, 2, None, None) in made  # Both images are of one class.


def test_no_image_is_refused():
    with pytest.raises(InputError, match="expected predictions on at least one image, got none"):
        measure(predictions([]))
