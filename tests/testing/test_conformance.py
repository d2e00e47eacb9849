"""What the checks for people who add a method or a data set let pass, and what they name."""

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from masktune.data import BiasedDigits, InMemory, batches
from masktune.errors import MasktuneWarning
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
from masktune.models.classifier import Classifier
from masktune.testing import ShortcutImages, check_dataset, check_method
from masktune.testing.attempts import SHORT, Attempts, small_cnn
from masktune.types import InputSpec, Step

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
        DFR(repeats=5),
        DFRTrain(),
        AFR(gammas=(1.0, 4.0), penalties=(0.0, 0.1), steps=100),  # All of them would take a minute.
        LastLayerBalanced(),
    ],
    ids=repr,
)
def test_ours_conform(method):
    assert check_method(method) == ()


@pytest.mark.parametrize("data", [ShortcutImages(20, seed=0), BiasedDigits.splits().train])
def test_our_data_sets_conform(data):
    check_dataset(data)


@pytest.mark.parametrize("masks", ["saved", "online"])
def test_controls_hide_as_many_pixels_and_take_as_many_steps_as_masktune(masks):
    of = replace(OURS, masks=masks)
    images = Attempts(of, small_cnn, SHORT).task().train.__getitems__(range(49))
    for method in (of, RandomMask(of=of), LeastSalientMask(of=of), ContinueERM(of=of)):
        sizes = []

        def count(net, given, sizes=sizes):
            if net.training:
                sizes.append(len(given[0]))

        def watched(classes, count=count):
            made = small_cnn(classes)
            made.register_forward_pre_hook(count)
            return made

        attempts = Attempts(method, watched, SHORT)
        fitted = attempts.fit(attempts.task())
        # Two epochs of ERM and one of tuning; of 49 images the last one joins the sixth batch.
        assert sizes == [8, 8, 8, 8, 8, 9] * 3
        assert (fitted.epochs, fitted.samples) == (3, 147)
        if method.name != "continue_erm":
            # A tenth of 16 x 16 pixels.
            assert fitted.masks.hidden(images).sum((1, 2)).tolist() == [26] * 49


def named_in(check, *given):
    """The lines of faults."""
    with pytest.raises(AssertionError, match="does not conform:") as caught:
        check(*given)
    first, *lines = str(caught.value).splitlines()
    assert first.endswith("does not conform:")
    assert all(line.startswith("- ") for line in lines)  # A sentence each, however many lines an error has.
    return [line.removeprefix("- ") for line in lines]


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


def started(task):
    """The quickest method that there is."""
    return Fitted(task.build(), "last", 0, 0.0)


def bare(**members):
    """A method with these members; those that are None it has not."""
    given = {"name": "bare", "supervision": "none", "fit": started} | members
    return SimpleNamespace(**{name: value for name, value in given.items() if value is not None})


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


@dataclass(frozen=True)
class Forgets:
    """Goes on from another seed after a kill, if it was killed before, or only after, its first epoch."""

    when: str
    name: ClassVar[str] = "forgets"
    supervision: ClassVar[str] = "none"

    def fit(self, task) -> Fitted:
        if task.folder is None:
            return ERM().fit(task)
        begun, half = task.folder / "begun", task.folder / "half"
        task.folder.mkdir(exist_ok=True)
        ends = {"early": begun.exists() and not half.exists(), "late": half.exists(), "both": begun.exists()}
        begun.touch()

        def watch(step):
            if step.what.startswith("erm, epoch 2"):
                half.touch()
            task.progress(step)

        changed = replace(task, seed=task.seed + ends[self.when])
        return ERM().fit(replace(changed, folder=None, progress=watch))


@pytest.mark.parametrize(
    ("when", "where"),
    [
        # An epoch is six steps and one of validating.
        ("early", r"step 1 of 14 \('erm, epoch 1 of 2'\)"),
        ("late", r"step (8|9|1.) of 14 \('(erm, epoch 2 of 2|validating)'\)"),
        ("both", r"step 1 of 14 \('erm, epoch 1 of 2'\)"),
    ],
)
def test_a_method_that_goes_on_otherwise_than_it_began_is_named(when, where):
    with pytest.raises(
        AssertionError, match=f"killed at {where}: fitted again in the same folder: another net"
    ):
        check_method(Forgets(when))


@dataclass(frozen=True)
class Silent:
    """Forgets, without telling any step."""

    name: ClassVar[str] = "silent"
    supervision: ClassVar[str] = "none"

    def fit(self, task) -> Fitted:
        return Forgets("both").fit(replace(task, progress=lambda step: None))


def test_a_method_that_tells_no_step_is_killed_at_reads_of_images():
    # An epoch reads six batches of training images and all validation images; the check itself reads none.
    said = r"killed at read 1 of 14 of its images: fitted again in the same folder: another net"
    with pytest.raises(AssertionError, match=said):
        check_method(Silent())


def deaf(task):
    """Goes on whatever happens."""
    with suppress(BaseException):
        task.progress(Step("working", 1, 1))
    return started(task)


def wrapping(task):
    try:
        task.progress(Step("working", 1, 1))
    except BaseException as end:
        raise RuntimeError("it failed") from end
    return started(task)


@pytest.mark.parametrize(
    ("fit", "said"),
    [
        (deaf, "killed at step 1 of 1 ('working'): it went on; let a BaseException through"),
        (
            wrapping,
            "killed at step 1 of 1 ('working'): what ended it came out as RuntimeError: it failed; let a",
        ),
    ],
)
def test_a_method_that_cannot_be_ended_is_named(fit, said):
    (line,) = named_in(check_method, bare(fit=fit))
    assert line.startswith(said)


def in_one_go(task):
    """Trains with neither steps nor folder, as somebody's first method may."""
    classifier = task.build().train()
    batch = task.train.__getitems__(range(len(task.train)))
    for _ in range(5):
        classifier.zero_grad()
        functional.cross_entropy(classifier(batch.images), batch.labels).backward()
        with torch.no_grad():
            for weight in classifier.parameters():
                weight -= 0.1 * weight.grad
    return Fitted(classifier, "last", 5, 0.0)


NO_STEPS = "it tells task.progress no steps, so it was killed at reads of its images instead"
NO_READS = "it tells no steps and reads no images, so there was no moment to kill it at"
NO_FOLDER = "it keeps nothing in task.folder, so a run that is killed begins anew"


@pytest.mark.parametrize(
    ("fit", "notes"),
    [
        (in_one_go, (NO_STEPS, NO_FOLDER)),
        (started, (NO_READS, NO_FOLDER)),
        (lambda task: ERM().fit(replace(task, folder=None)), (NO_FOLDER,)),
    ],
)
def test_what_could_not_be_tried_is_given_and_warned_of(fit, notes):
    with pytest.warns(MasktuneWarning) as caught:
        assert check_method(bare(fit=fit)) == notes
    said = [f"the method 'bare' conforms as far as it was tried; {note}" for note in notes]
    assert [str(one.message) for one in caught] == said


def test_steps_by_the_clock_are_no_fault():
    told = []

    def by_the_clock(task):
        # Three steps in the run that is watched, fewer in those that are to be killed at each of them.
        for done in range(1 if told and task.folder else 3):
            task.progress(Step("working", done, 3))
        if task.folder:
            told.append(task.folder.name)
            task.folder.mkdir()
            (task.folder / "state").touch()
        return started(task)

    assert check_method(bare(fit=by_the_clock)) == ()
    assert told == ["whole", "0", "1", "2"]


def test_what_a_method_warns_of_on_made_images_is_no_fault(caplog):
    def warns(task):
        return JTT(first_epochs=1, up_weight=1).fit(
            task
        )  # Whole classes are wrong after so short a training.

    with caplog.at_level(logging.INFO):
        assert check_method(bare(supervision="validation_groups", fit=warns)) == ()
    assert "wrong after the first training, by class: {'stripe': 24}" in caplog.text


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
