"""What `check_method` names of methods that have a fault, and of what is no method."""

import logging
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from masktune.data import batches
from masktune.methods import ERM, JTT
from masktune.models.classifier import Classifier
from masktune.testing import check_method
from masktune.types import InputSpec

from .faulty import bare, named_in, started


@dataclass(frozen=True)
class Wrong:
    """ERM, but for one thing."""

    fault: str
    name: ClassVar[str] = "wrong"

    @property
    def supervision(self):
        return "oracle" if self.fault == "word" else "none"

    def fit(self, task):
        if self.fault in BEFORE:
            BEFORE[self.fault](task)
        for part, data in (("groups", task.train), ("validation groups", task.validation)):
            if self.fault == part and data.groups is not None:
                task = replace(task, seed=len(np.unique(data.groups)))
        if self.fault == "chance":
            task = replace(task, seed=int(np.random.default_rng().integers(10**9)))
        fitted = ERM().fit(task)
        if self.fault == "selection":
            return replace(fitted, selection="worst_group")
        if self.fault == "nan":
            next(fitted.classifier.parameters()).data.fill_(float("nan"))
        return fitted


def only_two_classes(task):
    if len(task.train.classes) != 2:
        raise ValueError("two\nclasses only")


def never(task):
    raise ValueError


def changes_pixels(task):
    task.train._whole.images[0] = 0


def through_the_net(part, training):
    def run(task):
        net = task.build().train(training)
        for batch in batches(getattr(task, part), task.training.batch_size):
            net(batch.images).squeeze().argmax(1)

    return run


BEFORE = {
    "needs groups": lambda task: task.train.groups.tolist(),
    "global": lambda task: torch.rand(1),
    "global numpy": lambda task: np.random.rand(),  # noqa: NPY002
    "pixels": changes_pixels,
    "two classes": only_two_classes,
    "never": never,
    "train": through_the_net("train", True),
    "validate": through_the_net("validation", False),
}
"""What it does before it is ERM."""


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("word", "supervision: expected one of none, validation_groups, train_groups, got 'oracle'"),
        ("groups", "supervision: without the groups of train, which it does not declare: another net"),
        (
            "validation groups",
            "supervision: without the groups of validation, which it does not declare: another net",
        ),
        (
            "needs groups",
            "supervision: without the groups of train, which it does not declare: AttributeError: 'NoneType'",
        ),
        ("global", "it changed the data, or torch's or numpy's global random state; take seeds from the"),
        ("global numpy", "it changed the data, or torch's or numpy's global random state; take seeds from"),
        ("pixels", "it changed the data, or torch's or numpy's global random state"),
        ("chance", "seed: fitted twice with one seed it gives two results, the second time another net"),
        ("two classes", "three classes: ValueError: two classes only"),
        ("never", "two classes with groups: ValueError"),
        ("train", "a last batch of one training image: ValueError: Expected more than 1 value per channel"),
        ("validate", "a last batch of one validation image: IndexError: Dimension out of range"),
        ("selection", "selection: worst_group reads group labels, and the method declares none"),
        ("nan", "classifier: InputError: expected finite logits, got NaN or infinity for"),
    ],
)
def test_a_fault_of_a_method_is_named(fault, said):
    line, *others = named_in(check_method, Wrong(fault))
    assert line.startswith(said)
    assert bool(others) == (fault in ("pixels", "two classes", "nan"))  # Which show in more than one way.


def after(change):
    """A fit that gives the start net, changed."""
    return lambda task: change(started(task))


def other_net(make):
    def change(fitted):
        classifier = fitted.classifier
        net = make(classifier.net)
        return replace(fitted, classifier=Classifier(net, classifier.spec, classifier.classes))

    return after(change)


class Squeezed(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        return self.net(images).squeeze()


class OverTheBatch(Squeezed):
    def forward(self, images):
        logits = self.net(images)
        return logits - logits.mean(0)


def renamed(fitted):
    net, names = fitted.classifier.net, tuple(f"class {at}" for at, _ in enumerate(fitted.classifier.classes))
    return replace(fitted, classifier=Classifier(net, InputSpec(size=(16, 16)), names))


def hides_by_place(batch):
    """Masks that depend on where in the batch an image is."""
    hidden = torch.zeros(len(batch), 16, 16, dtype=torch.bool)
    hidden[0] = True
    return hidden


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (bare(name=None), "name: expected one such as 'group_dro', got None"),
        (bare(name=3), "name: expected one such as 'group_dro', got 3"),
        (
            bare(supervision=None),
            "supervision: expected one of none, validation_groups, train_groups, got None",
        ),
        (
            bare(supervision=["none"]),
            "supervision: expected one of none, validation_groups, train_groups, got",
        ),
        (bare(fit=None), "fit: expected a function fit(task), it has none"),
        (bare(fit=lambda: None), "two classes with groups: TypeError: "),
        (
            bare(fit=lambda task: None),
            "two classes with groups: expected that fit gives a masktune.methods.Fitted, got a NoneType",
        ),
        (
            bare(fit=after(lambda fitted: replace(fitted, classifier=nn.Flatten()))),
            "two classes with groups: expected a masktune.Classifier in Fitted, got a Flatten",
        ),
        (
            bare(fit=lambda task: task.train.images),
            "two classes with groups: AttributeError: 'Seen' object has no attribute 'images'",
        ),
        (
            bare(fit=after(lambda fitted: replace(fitted, epochs=None))),
            "epochs: expected a whole number of 0 or more, got None",
        ),
        (
            bare(fit=after(lambda fitted: replace(fitted, samples=98.0))),
            "samples: expected a whole number of 0 or more, got 98.0",
        ),
        (
            bare(fit=after(lambda fitted: replace(fitted, seconds="1 s"))),
            "seconds: expected a number of 0 or more, got '1 s'",
        ),
        (
            bare(fit=after(lambda fitted: replace(fitted, seconds=float("nan")))),
            "seconds: expected a number of 0 or more, got nan",
        ),
        (
            bare(fit=after(lambda fitted: replace(fitted, selection=["last"]))),
            "selection: expected one of last, validation_accuracy, worst_class, worst_group, worst_inferred_",
        ),
        (bare(fit=after(renamed)), "classes: expected ('bar', 'stripe'), got ('class 0', 'class 1')"),
        (
            bare(fit=other_net(Squeezed)),
            "classifier: a last batch of one image: InputError: expected logits of shape (1, classes) from",
        ),
        (
            bare(fit=other_net(OverTheBatch)),
            "classifier: in batches, the last of one image, its logits are others than of all images at once",
        ),
        (
            bare(
                fit=after(lambda fitted: replace(fitted, masks=SimpleNamespace(hidden=hides_by_place))),
            ),
            "masks: in a batch of one image another part of it is hidden than among all; draw by its id",
        ),
        (
            bare(fit=after(lambda fitted: replace(fitted, masks=torch.zeros(49, 16, 16)))),
            "masks: AttributeError: 'Tensor' object has no attribute 'hidden'",
        ),
    ],
)
def test_a_method_that_is_none_is_no_crash_but_a_sentence(method, said, unchecked):
    line, *others = named_in(check_method, method)
    assert line.startswith(said)
    assert bool(others) == (said.startswith("classes:"))  # Those of three classes are wrong too.


def test_members_that_raise_are_named_too(unchecked):
    class Broken:
        fit = staticmethod(started)

        @property
        def name(self):
            raise KeyError("name")

        supervision = name

    assert named_in(check_method, Broken())[0] == "it: KeyError: 'name'"


def test_what_a_method_warns_of_on_made_images_is_no_fault(caplog):
    def warns(task):  # Whole classes are wrong after so short a training.
        return JTT(first_epochs=1, up_weight=1).fit(task)

    with caplog.at_level(logging.INFO):
        assert check_method(bare(supervision="validation_groups", fit=warns)) == ()
    assert "wrong after the first training, by class: {'stripe': 24}" in caplog.text
