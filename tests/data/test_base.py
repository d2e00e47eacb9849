import numpy as np
import pytest
import torch

from masktune.data import InMemory, KnowsShortcut, Shortcut, Subset, WithoutGroups, batches
from masktune.data.base import Dataset, WithGroups
from masktune.data.biased_images import BiasedDigitImages, GreyDigits
from masktune.errors import InputError


def numbered(n=7, **columns):
    """Image i is all i and of class i % 2."""
    images = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(n, 3, 2, 2).contiguous()
    given = {
        "labels": np.arange(n) % 2,
        "ids": np.array([f"id-{i}" for i in range(n)]),
        "classes": ("even", "odd"),
        "groups": np.array([f"group-{i % 3}" for i in range(n)]),
        "subjects": np.array([f"subject-{i // 2}" for i in range(n)]),
    }
    return InMemory(images, **given | columns)


@pytest.mark.parametrize("indices", [[4, 0, 4], torch.tensor([4, 0, 4])])
def test_samples_come_in_the_order_asked_for(indices):
    batch = numbered().__getitems__(indices)
    assert batch.images[:, 0, 0, 0].tolist() == [4, 0, 4]
    assert batch.images.shape == (3, 3, 2, 2)
    assert batch.labels.tolist() == [0, 0, 0]
    assert batch.ids == ("id-4", "id-0", "id-4")
    assert batch.groups == ("group-1", "group-0", "group-1")
    assert batch.subjects == ("subject-2", "subject-0", "subject-2")


def test_unknown_columns_are_none():
    batch = numbered(groups=None, subjects=None).__getitems__([1])
    assert (batch.groups, batch.subjects) == (None, None)


def test_a_batch_is_a_copy():
    data = numbered()
    data.__getitems__([3]).images.zero_()
    assert data.images[3].unique().tolist() == [3]


def test_batches_from_first_to_last_with_a_small_one_at_the_end():
    drawn = list(batches(numbered(7), 3))
    assert [len(batch) for batch in drawn] == [3, 3, 1]
    assert [name for batch in drawn for name in batch.ids] == [f"id-{i}" for i in range(7)]


def test_batches_in_an_order_and_of_a_part():
    order = torch.tensor([6, 2, 0, 5])
    drawn = list(batches(numbered(7), 3, order))
    assert [batch.images[:, 0, 0, 0].tolist() for batch in drawn] == [[6, 2, 0], [5]]


def test_batches_that_come_out_even_have_no_empty_one():
    assert [len(batch) for batch in batches(numbered(6), 3)] == [3, 3]


def test_groups_are_withheld_and_nothing_else():
    whole = numbered()
    withheld = WithoutGroups(whole)
    assert withheld.groups is None
    batch = withheld.__getitems__([5, 1])
    assert batch.groups is None
    assert batch.ids == ("id-5", "id-1")
    assert batch.subjects == ("subject-2", "subject-0")
    assert batch.labels.tolist() == [1, 1]
    assert all(drawn.groups is None for drawn in batches(withheld, 2))
    assert (len(withheld), withheld.classes) == (7, ("even", "odd"))
    assert withheld.ids is whole.ids
    assert withheld.labels is whole.labels
    assert withheld.subjects is whole.subjects
    assert whole.groups is not None


def test_with_the_groups_the_shortcut_is_withheld_too():
    # Groups are class x shortcut; who may not read them must not read the shortcut's pixels either.
    grey = GreyDigits.of("train", np.zeros((2, 28, 28), np.uint8), np.array([1, 7], np.uint8))
    made = BiasedDigitImages(grey, np.array([True, False]), Shortcut())
    assert isinstance(made, KnowsShortcut)
    assert not isinstance(WithoutGroups(made), KnowsShortcut)
    assert not hasattr(WithoutGroups(made), "carries")


def test_groups_are_replaced_and_nothing_else():
    whole = numbered()
    other = WithGroups(whole, np.array([f"other-{i}" for i in range(7)]))
    assert isinstance(other, Dataset)
    for indices in ([5, 1], torch.tensor([5, 1])):
        batch = other.__getitems__(indices)
        assert batch.groups == ("other-5", "other-1")
        assert batch.ids == ("id-5", "id-1")
        assert batch.subjects == ("subject-2", "subject-0")
        assert batch.labels.tolist() == [1, 1]
    assert Subset(other, torch.tensor([6, 0])).groups.tolist() == ["other-6", "other-0"]
    assert (len(other), other.classes) == (7, ("even", "odd"))
    assert other.ids is whole.ids
    assert other.labels is whole.labels
    assert other.subjects is whole.subjects
    assert whole.groups[5] == "group-2"
    assert WithGroups(WithoutGroups(whole), other.groups).__getitems__([2]).groups == ("other-2",)
    with pytest.raises(InputError, match="expected 7 groups, one an image, got 6"):
        WithGroups(whole, other.groups[1:])


def test_a_subset_is_some_samples_in_its_own_order():
    part = Subset(numbered(), torch.tensor([6, 1, 2]))
    assert len(part) == 3
    assert part.ids.tolist() == ["id-6", "id-1", "id-2"]
    assert part.labels.tolist() == [0, 1, 0]
    assert part.groups.tolist() == ["group-0", "group-1", "group-2"]
    assert part.subjects.tolist() == ["subject-3", "subject-0", "subject-1"]
    assert part.classes == ("even", "odd")
    assert part.__getitems__([2, 0]).ids == ("id-2", "id-6")
    assert [batch.ids for batch in batches(part, 2)] == [("id-6", "id-1"), ("id-2",)]
    without = Subset(numbered(groups=None, subjects=None), torch.tensor([0]))
    assert (without.groups, without.subjects) == (None, None)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"labels": np.zeros(6, np.int64)}, "expected 7 labels, one an image, got 6"),
        ({"ids": np.array(["a"])}, "expected 7 ids, one an image, got 1"),
        ({"groups": np.array(["a"] * 8)}, "expected 7 groups, one an image, got 8"),
        ({"subjects": np.array([])}, "expected 7 subjects, one an image, got 0"),
        ({"ids": np.array(["a"] * 7)}, "expected ids that differ; at least one stands for two images"),
        (
            {"labels": np.array([0, 1, 2, 0, 0, 0, 0])},
            "expected labels from 0 to 1 (2 classes), got 0 to 2; check the labels or pass more class names",
        ),
        (
            {"labels": np.array([0, 1, -1, 0, 0, 0, 0])},
            "expected labels from 0 to 1 (2 classes), got -1 to 1; check the labels or pass more class names",
        ),
        (
            {"labels": np.zeros(7, np.int32)},
            "expected labels as int64, got int32; use labels.astype(np.int64)",
        ),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns, sentence):
    with pytest.raises(InputError) as caught:
        numbered(**columns)
    assert str(caught.value) == sentence


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("images", "came"),
    [
        (torch.zeros(2, 28, 28, dtype=torch.uint8), r"torch.uint8 \(2, 28, 28\)"),
        (torch.zeros(2, 3, 4, 4, dtype=torch.float64), r"torch.float64 \(2, 3, 4, 4\)"),
    ],
)
def test_images_of_another_shape_or_type_are_refused(images, came):
    wanted = r"uint8, or float32 in \[0, 1\], of shape \(n, c, h, w\)"
    with pytest.raises(InputError, match=rf"^expected images as {wanted}, got {came}$"):
        InMemory(images, np.zeros(2, np.int64), np.array(["a", "b"]), ("x", "y"))
