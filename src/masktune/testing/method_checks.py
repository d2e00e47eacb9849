"""Does a method keep what the bench relies on? For whoever adds one.

It is fitted about a dozen times to data so small that each fit takes about a second: without the groups that
it must not read, with three classes, a missing group, last batches of one image, and killed here and there.
"""

import pickle
import warnings
from collections.abc import Iterator
from dataclasses import replace
from numbers import Integral, Real
from typing import get_args

import numpy as np
import torch

from masktune.data.base import Dataset, WithoutGroups
from masktune.errors import MasktuneWarning
from masktune.methods.base import Fitted, Method, Task
from masktune.methods.masks import Masks
from masktune.models.classifier import Classifier
from masktune.testing.attempts import SHORT, Attempts, Build, hash_of, in_words, small_cnn
from masktune.testing.dataset_checks import report, tried
from masktune.testing.kills import killed
from masktune.training.settings import Training
from masktune.training.together import predict_all
from masktune.types import Selection, Supervision

_OTHER_PIXELS = 0.01
"""Share of an image that may be hidden otherwise, where rounding lifts a pixel over the threshold."""


def check_method(
    method: Method, *, build: Build | None = None, training: Training | None = None
) -> tuple[str, ...]:
    """Try a method out on made data.

    Args:
        method: what is tried.
        build: the classifiers to start from; a small CNN if not given.
        training: settings; two epochs of batches of 8 if not given.

    Returns:
        What could not be tried, or to no purpose, a sentence each: a method that keeps nothing in its folder
        has nothing to go on from. Each of them is a `MasktuneWarning` too.

    Raises:
        AssertionError: names everything that is not as `masktune.methods.Method` says, a line each.
    """
    notes: list[str] = []
    attempts = Attempts(method, build or small_cnn, training or SHORT)
    what = f"method {_name_of(method)!r}"
    report(what, [*tried("it", _declared(method)), *tried("it", _problems(attempts, notes))])
    for note in notes:
        warnings.warn(f"the {what} conforms as far as it was tried; {note}", MasktuneWarning, stacklevel=2)
    return tuple(notes)


def _name_of(method: Method) -> str:
    """What it is called in sentences, whatever is wrong with its name."""
    try:
        return method.name
    except Exception:  # noqa: BLE001 - it is named where names are looked at.
        return type(method).__name__


def _declared(method: Method) -> Iterator[str]:
    name = getattr(method, "name", None)
    if not isinstance(name, str) or not name.isidentifier() or name != name.lower():
        yield f"name: expected one such as 'group_dro', got {name!r}"
    supervision = getattr(method, "supervision", None)
    if supervision not in get_args(Supervision):
        yield f"supervision: expected one of {', '.join(get_args(Supervision))}, got {supervision!r}"
    if not callable(getattr(method, "fit", None)):
        yield "fit: expected a function fit(task), it has none"


def _problems(attempts: Attempts, notes: list[str]) -> Iterator[str]:
    """All that is wrong with what it does."""
    if not callable(getattr(attempts.method, "fit", None)):
        return
    task = attempts.task()
    before = _state(task)
    fitted = attempts.fitted(task)
    if isinstance(fitted, str):
        yield _why(attempts, fitted)
        return
    if _state(task) != before:
        yield "it changed the data, or torch's or numpy's global random state; take seeds from the task"
    wanted = hash_of(fitted)
    yield from tried("result", _said(fitted, attempts.method, task))
    yield from tried("classifier", _classifies(fitted.classifier, attempts))
    yield from tried("masks", _hides(fitted.masks, task.train))
    yield from tried("other data", _other_data(attempts))
    again = list(tried("seed", _repeated(attempts, wanted, task)))
    yield from again
    if not again:  # Otherwise each result is another one.
        yield from tried("supervision", _withheld(attempts, wanted, task))
        yield from tried("killed", killed(attempts, wanted, task, notes))


def _state(task: Task) -> tuple[object, ...]:
    """What must be as it was: random states, and the data. Python's own state is beartype's playground."""
    numbers = pickle.dumps(np.random.get_state(legacy=False))  # noqa: NPY002 - looked at only.
    parts: list[object] = [torch.random.get_rng_state().numpy().tobytes(), numbers]
    for data in (task.train, task.validation):
        images = data.__getitems__(range(len(data))).images
        parts += [images.numpy().tobytes(), data.labels.tobytes(), data.ids.tobytes()]
    return tuple(parts)


def _why(attempts: Attempts, said: str) -> str:
    """What it cannot: be fitted at all, or have a last batch of one image."""
    if isinstance(attempts.fitted(attempts.task(rests=(0, 0))), Fitted):
        for part, rests, advice in (
            ("training", (1, 0), "; let the batch before it have that image too"),
            ("validation", (0, 1), ""),
        ):
            again = attempts.fitted(attempts.task(rests=rests))
            if isinstance(again, str):
                return f"a last batch of one {part} image: {again}{advice}"
    return f"two classes with groups: {said}"


def _said(fitted: Fitted, method: Method, task: Task) -> Iterator[str]:
    """What stands beside the weights."""
    if fitted.classifier.classes != task.train.classes:
        yield f"classes: expected {task.train.classes}, got {fitted.classifier.classes}"
    known = (*get_args(Selection), "worst_inferred_group")
    if fitted.selection not in known:
        yield f"selection: expected one of {', '.join(known)}, got {fitted.selection!r}"
    if getattr(method, "supervision", None) == "none" and fitted.selection == "worst_group":
        yield "selection: worst_group reads group labels, and the method declares none"
    for name, count in (("epochs", fitted.epochs), ("samples", fitted.samples)):
        uncounted = name == "samples" and count is None
        if not uncounted and (not isinstance(count, Integral) or count < 0):
            yield f"{name}: expected a whole number of 0 or more, got {count!r}"
    seconds = fitted.seconds
    if not isinstance(seconds, Real) or not seconds >= 0:
        yield f"seconds: expected a number of 0 or more, got {seconds!r}"


def _classifies(classifier: Classifier, attempts: Attempts) -> Iterator[str]:
    """Images that it has not seen: all at once, and in batches of which the last is one image."""
    test = attempts.test(classifier.classes)
    whole = predict_all(classifier, test).logits

    def in_batches() -> Iterator[str]:
        parts = predict_all(classifier, test, batch_size=attempts.training.batch_size).logits
        if not np.allclose(parts, whole, rtol=1e-4, atol=1e-4 * float(np.abs(whole).max())):
            yield (
                "classifier: in batches, the last of one image, its logits are others than of all images at "
                "once; what it says of an image must not depend on the rest of the batch"
            )

    yield from tried("classifier: a last batch of one image", in_batches())


def _hides(masks: Masks | None, data: Dataset) -> Iterator[str]:
    """The mask of the last image, in a batch of its own."""
    if masks is None:
        return
    last = len(data) - 1
    whole, alone = (masks.hidden(data.__getitems__(at)) for at in (range(len(data)), [last]))
    if (whole[last] ^ alone[0]).float().mean() > _OTHER_PIXELS:
        yield "masks: in a batch of one image another part of it is hidden than among all; draw by its id"


def _repeated(attempts: Attempts, wanted: str, task: Task) -> Iterator[str]:
    again = attempts.fitted(task)
    if hash_of(again) != wanted:
        yield f"seed: fitted twice with one seed it gives two results, the second time {in_words(again)}"


def _withheld(attempts: Attempts, wanted: str, task: Task) -> Iterator[str]:
    """The same bits without groups that it does not declare, as the bench gives it the data."""
    supervision = getattr(attempts.method, "supervision", None)
    if supervision not in ("none", "validation_groups"):
        return
    if hash_of(attempts.fitted(task.supervised_by(supervision))) == wanted:
        return
    undeclared = {"train": replace(task, train=WithoutGroups(task.train))}
    if supervision == "none":
        undeclared["validation"] = replace(task, validation=WithoutGroups(task.validation))
    for part, withheld in undeclared.items():
        other = attempts.fitted(withheld)
        if hash_of(other) != wanted:
            yield f"supervision: without the groups of {part}, which it does not declare: {in_words(other)}"


def _other_data(attempts: Attempts) -> Iterator[str]:
    three = ("bar", "stripe", "band")
    for what, task in (
        ("three classes", attempts.task(three)),
        ("no image of one group", attempts.task(without="bar, corner 1")),
        ("three classes, no image of one group", attempts.task(three, without="band, corner 1")),
    ):
        fitted = attempts.fitted(task)
        if isinstance(fitted, str):
            yield f"{what}: {fitted}"
        else:
            yield from tried(what, _fits(fitted.classifier, task, what))


def _fits(classifier: Classifier, task: Task, what: str) -> Iterator[str]:
    if classifier.classes != task.train.classes:
        yield f"{what}: expected the classes {task.train.classes}, got {classifier.classes}"
    predict_all(classifier, task.validation)  # Refuses other than one finite logit a class.
