"""What the checks for people who add a method or a data set let pass, and what they name."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from masktune.data import BiasedDigits, InMemory
from masktune.masking import TopFraction
from masktune.methods import (
    AFR,
    DFR,
    ERM,
    JTT,
    RWG,
    RWY,
    SUBG,
    SUBY,
    XRM,
    ContinueERM,
    CVaRDRO,
    DFRTrain,
    Fitted,
    GroupDRO,
    LastLayerBalanced,
    LeastSalientMask,
    LfF,
    MaskTune,
    RandomMask,
)
from masktune.testing import ShortcutImages, check_dataset, check_method

OURS = MaskTune(saliency="layercam", threshold=TopFraction(0.1))  # Finds a place in any image.


@pytest.mark.parametrize(
    "method",
    [
        ERM(),
        ContinueERM(of=OURS),
        RandomMask(of=OURS),
        LeastSalientMask(of=OURS),
        OURS,
        replace(OURS, masks="online"),
        GroupDRO(step_size=0.5),
        GroupDRO(balanced=False, adjustment=1.0, selection="last"),
        CVaRDRO(alpha=0.5),
        JTT(first_epochs=1, up_weight=3),
        LfF(),
        RWG(),
        RWY(selection="validation_accuracy"),
        SUBG(),
        SUBY(),
        XRM(first_epochs=1),
        DFR(),
        DFRTrain(),
        AFR(),
        LastLayerBalanced(),
    ],
    ids=repr,
)
def test_ours_conform(method):
    check_method(method)


@pytest.mark.parametrize("data", [ShortcutImages(20, seed=0), BiasedDigits.splits().train])
def test_our_data_sets_conform(data):
    check_dataset(data)


@dataclass(frozen=True)
class Wrong:
    """ERM, but for one thing."""

    fault: str
    name: ClassVar[str] = "wrong"

    @property
    def supervision(self):
        return "oracle" if self.fault == "word" else "none"

    def fit(self, task):
        if self.fault == "groups" and task.train.groups is not None:
            seed = int((task.train.groups == task.train.groups[0])[:20] @ (2 ** np.arange(20)))
            return ERM().fit(replace(task, seed=seed % 1000))
        if self.fault == "validation groups":
            seed = int((task.validation.groups == task.validation.groups[0])[:20] @ (2 ** np.arange(20)))
            return ERM().fit(replace(task, seed=seed % 1000))
        if self.fault == "global":
            torch.rand(1)
        if self.fault == "chance":
            task = replace(task, seed=int(np.random.default_rng().integers(10**9)))
        if self.fault == "two classes" and len(task.train.classes) != 2:
            raise ValueError("two classes only")
        if self.fault == "single" and len(task.train) % task.training.batch_size == 1:
            raise RuntimeError("Expected more than 1 value per channel when training")
        fitted = ERM().fit(task)
        if self.fault == "selection":
            return replace(fitted, selection="worst_group")
        if self.fault == "nan":
            next(fitted.classifier.parameters()).data.fill_(float("nan"))
        return fitted


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("word", "supervision: expected one of none, validation_groups, train_groups, got 'oracle'"),
        ("groups", "supervision: other groups of train, which it does not declare, give another net"),
        (
            "validation groups",
            "supervision: other groups of validation, which it does not declare, give another net",
        ),
        ("global", "it changed the images, or torch's or numpy's global random state"),
        ("chance", "seed: fitted twice with one seed it gives two nets"),
        ("two classes", "three classes: ValueError: two classes only"),
        ("single", "two classes with groups: RuntimeError: Expected more than 1 value per channel"),
        ("selection", "selection: worst_group reads group labels, and the method declares none"),
    ],
)
def test_a_fault_of_a_method_is_named(fault, said):
    with pytest.raises(AssertionError, match="the method 'wrong' does not conform:") as caught:
        check_method(Wrong(fault))
    assert any(line.startswith(f"- {said}") for line in str(caught.value).splitlines()), str(caught.value)


@dataclass(frozen=True)
class Forgets:
    """Goes on after a kill from another seed."""

    name: ClassVar[str] = "forgets"
    supervision: ClassVar[str] = "none"

    def fit(self, task) -> Fitted:
        if task.folder is not None:
            task.folder.mkdir(parents=True, exist_ok=True)
            mark = task.folder / "begun"
            if mark.exists():
                task = replace(task, seed=task.seed + 1)
            mark.touch()
        return ERM().fit(replace(task, folder=None))


def test_a_method_that_goes_on_otherwise_than_it_began_is_named():
    with pytest.raises(AssertionError, match="- killed: fitted again in the same folder it gives an"):
        check_method(Forgets())


class Odd(InMemory):
    """A data set with one fault."""

    def __init__(self, fault, **changed):
        made = ShortcutImages(20, seed=0)
        given = {"images": made.images, "labels": made.labels, "ids": made.ids, "classes": made.classes}
        super().__init__(**(given | {"groups": made.groups} | changed))
        self.fault, self.calls = fault, 0

    def __getitems__(self, indices):
        self.calls += 1
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
        return batch


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
    with pytest.raises(AssertionError) as caught:
        check_dataset(data)
    assert any(line.startswith(f"- {said}") for line in str(caught.value).splitlines()), str(caught.value)
