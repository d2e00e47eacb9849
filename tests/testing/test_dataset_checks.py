"""What `check_dataset` names of data sets that have a fault, and of what is no data set."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from masktune.data import InMemory
from masktune.testing import ShortcutImages, check_dataset

from .faulty import named_in


class Odd(InMemory):
    """A data set with one fault."""

    def __init__(self, fault, **changed):
        made = ShortcutImages(20, seed=0)
        given = {"images": made.images, "labels": made.labels, "ids": made.ids, "classes": made.classes}
        super().__init__(**(given | {"groups": made.groups} | changed))
        self.fault, self.calls = fault, 0

    def __getitems__(self, indices):
        self.calls += 1
        if self.fault == "list only" and not isinstance(indices, list):
            raise TypeError("expected a list\nof positions")
        if self.fault == "more than one" and len(indices) == 1:
            raise ValueError("not enough values to unpack")
        if self.fault == "pair":
            return self.images[torch.as_tensor(indices)], self.labels
        batch = super().__getitems__(indices)
        if self.fault == "augments":
            return replace(batch, images=batch.images + self.calls)
        if self.fault == "sorts":
            order = torch.as_tensor(indices).sort().values
            return replace(super().__getitems__(order), images=super().__getitems__(order).images)
        if self.fault == "normalises":
            return replace(batch, images=batch.images / 127.5 - 1)
        if self.fault == "groups":
            return replace(batch, groups=None)
        if self.fault in FORMS:
            name, change = FORMS[self.fault]
            return replace(batch, **{name: change(getattr(batch, name))})
        return batch


FORMS = {
    "image array": ("images", lambda images: images.numpy()),
    "image list": ("images", list),
    "flat images": ("images", lambda images: images.flatten(1)),
    "int images": ("images", lambda images: images.int()),
    "label list": ("labels", lambda labels: labels.tolist()),
    "short labels": ("labels", lambda labels: labels.int()),
    "id list": ("ids", list),
    "group array": ("groups", np.array),
}
"""What of a batch has another type."""


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("augments", "images: the same positions gave other pixels the second time"),
        ("sorts", "images: asked for in another order they are not the same images in that order"),
        ("normalises", "images: expected floats in [0, 1]; normalising belongs to the Classifier"),
        ("groups", "groups: a batch has others than the data set at these positions"),
        ("twice", "ids: some come twice"),
        ("nameless", "groups: some have no name"),
        ("labels", "labels: expected 0 to 1, got 0 to 2"),
        ("type", "labels: expected int64, got int32"),
    ],
)
def test_a_fault_of_a_data_set_is_named(fault, said):
    data = Odd(fault)
    if fault == "twice":
        data.ids = np.array(["a"] * 20)
    elif fault == "nameless":
        data.groups = np.array([""] + ["x"] * 19)
    elif fault == "labels":
        data.labels = np.arange(20) % 3
    elif fault == "type":
        data.labels = data.labels.astype(np.int32)
    lines = named_in(check_dataset, data)
    assert any(line.startswith(said) for line in lines), lines


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("labels", [0, 1] * 10, "labels: expected a numpy array of shape (20,), got a list"),
        (
            "labels",
            np.zeros((20, 1), np.int64),
            "labels: expected a numpy array of shape (20,), got a ndarray of shape (20, 1)",
        ),
        ("labels", np.zeros(20), "labels: expected int64, got float64"),
        ("labels", np.array(["dark", "bright"] * 10), "labels: expected int64, got <U6"),
        ("labels", np.array([0, None] * 10), "labels: expected int64, got object"),
        (
            "labels",
            torch.zeros(20, dtype=torch.int64),
            "labels: expected a numpy array of shape (20,), got a Te",
        ),
        ("ids", [f"{at}" for at in range(20)], "ids: expected a numpy array of shape (20,), got a list"),
        ("ids", np.arange(20), "ids: expected strings, got int64 (int)"),
        ("ids", np.array(["a", 3] * 10, object), "ids: expected strings, got object (int)"),
        ("ids", np.array([b"a"] * 20), "ids: expected strings, got |S1 (bytes)"),
        ("subjects", "Ann", "subjects: expected a numpy array of shape (20,), got a str"),
        ("groups", ["one"] * 20, "groups: expected a numpy array of shape (20,), got a list"),
        ("groups", np.array(["one", None] * 10), "groups: expected strings, got object (NoneType)"),
        ("classes", ["dark", "bright"], "classes: expected a tuple of names, got ['dark', 'bright'] (list)"),
        ("classes", (0, 1), "classes: expected a tuple of names, got (0, 1) (tuple)"),
        ("classes", 2, "classes: expected a tuple of names, got 2 (int)"),
    ],
)
def test_a_column_of_another_type_is_no_crash_but_the_one_sentence(name, value, said, unchecked):
    data = Odd("")
    setattr(data, name, value)
    (line,) = named_in(check_dataset, data)
    assert line.startswith(said)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            "image array",
            "images: expected a tensor of shape (9, channels, height, width), got a ndarray of uint8",
        ),
        ("image list", "images: expected a tensor of shape (9, channels, height, width), got a list"),
        (
            "flat images",
            "images: expected a tensor of shape (9, channels, height, width), got a Tensor of torch",
        ),
        ("int images", "images: expected uint8, or floats in [0, 1], got torch.int32"),
        ("label list", "labels: expected an int64 tensor of shape (9,) in a batch, got a list"),
        (
            "short labels",
            "labels: expected an int64 tensor of shape (9,) in a batch, got a Tensor of torch.int32",
        ),
        ("id list", "ids: expected a tuple of strings in a batch, got a list"),
        ("group array", "groups: expected a tuple of strings in a batch, got a ndarray"),
        ("pair", "images: expected a masktune.types.Batch from __getitems__, got a tuple"),
        ("list only", "images asked for by a tensor of positions: TypeError: expected a list of positions"),
        ("more than one", "images asked for alone: ValueError: not enough values to unpack"),
    ],
)
def test_a_batch_of_another_type_is_no_crash_but_the_one_sentence(fault, said, unchecked):
    (line,) = named_in(check_dataset, Odd(fault))
    assert line.startswith(said)


def test_a_data_set_that_lacks_members_is_no_crash(unchecked):
    data = SimpleNamespace(classes=("dark", "bright"))
    assert named_in(check_dataset, data) == [
        "it: TypeError: object of type 'types.SimpleNamespace' has no len()"
    ]

    class Short:
        classes = ("dark", "bright")

        def __len__(self):
            return 20

        @property
        def labels(self):
            raise OSError("the disk is gone")

    assert named_in(check_dataset, Short()) == [
        "ids: it has no such member",
        "labels: OSError: the disk is gone",
        "groups: it has no such member; None says that it knows none",
        "subjects: it has no such member; None says that it knows none",
    ]
