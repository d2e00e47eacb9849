"""Methods that are killed: what goes on otherwise than it began, and what no kill can show."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from torch.nn import functional

from masktune.errors import MasktuneWarning
from masktune.methods import ERM, Fitted
from masktune.testing import check_method
from masktune.types import Step

from .faulty import bare, named_in, started


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
