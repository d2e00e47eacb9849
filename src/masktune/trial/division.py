"""Which images a trial tunes on, which it judges on, and which it leaves alone.

Arms are judged on `validation`. No image is there that the given weights were trained on: the untouched
classifier knows such images by heart, and what tuning does to them is not what it does to others.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from masktune.data.names import SPLITS, in_order_of_splits
from masktune.data.splits import SHARES, cells, drawn_splits
from masktune.errors import InputError
from masktune.trial.seen import Listed, Seen
from masktune.types import Number

GIVEN = (*SPLITS, "calibration")
"""Splits that mean a role. A trial reads neither `test` nor `calibration`, which `select` needs unread."""

ROLES = (*GIVEN, "unused")
"""What an image can be for."""

LEAST = 2
"""Images of each class that are needed to judge."""

_OPTION = "--validation-share"

_JUDGED = ("validation", "test")
"""Given splits that are judged on, the first of them that there is."""

_MOST = 0.5
"""The largest share that may be reserved for calibration."""


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """The role of each image in a trial."""

    roles: Shaped[np.ndarray, " n"]
    """(n,) one of `ROLES` each."""
    notes: tuple[str, ...]
    """What a person should know of it, one sentence each."""
    made: tuple[str, ...]
    """The roles that were not given as splits."""
    cap: str | None = None
    """Why no verdict can be reached, whatever the numbers; None where one can."""


def divide(
    listed: Listed,
    seen: Seen,
    *,
    calibration_share: Number = 0.0,
    validation_share: Number | None = None,
    seed: int,
) -> Division:
    """Give each image its role.

    Splits that are given stay, except that an image which was trained on is never judged on, and that `test`
    is judged on where there is no `validation`. Where there is neither, validation is drawn from images that
    were not trained on: `validation_share` of them; without it all of them if they are at most half, else
    15 % of all images. Calibration images are drawn before, from all that were not trained on and are not
    `test`. What is drawn follows from the seed and the names alone, has its share of each class, and divides
    no subject. Where it is not known what was trained on, roles are as if nothing was, and `cap` says so.

    Args:
        listed: the images.
        seen: what the weights to start from were trained on.
        calibration_share: of the images that calibration may be drawn from, 0 to 0.5.
        validation_share: of the images that are left to judge on, above 0; 1 takes all of them.
        seed: of what is drawn.

    Raises:
        InputError: no images to train or to judge on, or of one class only, or fewer than two of a class to
            judge on; no such share, or calibration or judged images that are given as a split too.
    """
    _check_shares(calibration_share, validation_share, listed)
    trained = np.zeros(len(listed), dtype=bool) if seen.seen is None else seen.seen
    roles = _given(listed, trained)
    notes = list(_notes_on_given(listed, trained))
    made = ["train"] if listed.splits is None else []
    unseen = ~trained & np.isin(roles, ("train", "validation"))
    if calibration_share > 0:
        # Of each class in each role its share, so that few images to judge on become no fewer than they must.
        chosen = _drawn(listed, unseen, cells(listed.labels, roles), calibration_share, seed, least=1)
        roles[chosen] = "calibration"
        notes.append(f"{chosen.sum()} images are reserved for calibration; nothing reads them before select")
        made.append("calibration")
    if not _split_names(listed).intersection(_JUDGED):
        chosen, why = _to_judge_on(listed, roles, unseen, validation_share, seed)
        roles[chosen] = "validation"
        notes.append(f"{_where_unseen_go(roles, unseen, seen)}, {why}")
        made.append("validation")
    notes += _without_tuned_subjects(listed, roles)
    _check_roles(listed, roles, seen)
    return Division(roles, tuple(notes), in_order_of_splits(made), None if seen.known else seen.told)


def _split_names(listed: Listed) -> set[str]:
    return set() if listed.splits is None else set(listed.splits.tolist())


def _given(listed: Listed, trained: Bool[np.ndarray, " n"]) -> Shaped[np.ndarray, " n"]:
    """The role of each image by its split; all are for training where none is given."""
    splits = np.full(len(listed), "train") if listed.splits is None else listed.splits
    roles = np.where(np.isin(splits, GIVEN), splits, "unused").astype(f"<U{max(map(len, ROLES))}")
    if "validation" not in _split_names(listed):
        roles[roles == "test"] = "validation"
    roles[trained & (roles != "train")] = "unused"
    return roles


def _notes_on_given(listed: Listed, trained: Bool[np.ndarray, " n"]) -> Iterator[str]:
    if listed.splits is None:
        return
    names = _split_names(listed)
    for name in in_order_of_splits(names):
        here = listed.splits == name
        left_out = (trained & here).sum()
        if name not in GIVEN:
            yield f"the {here.sum()} images of split {name!r} are not used; the splits are {', '.join(GIVEN)}"
        elif name != "train" and left_out:
            yield f"{left_out} of the {here.sum()} images of {name} were trained on and are left out"
    if "test" in names and "validation" not in names:
        yield "no split validation is given, so the images of test are judged on: no untouched test is left"


def _without_tuned_subjects(listed: Listed, roles: Shaped[np.ndarray, " n"]) -> list[str]:
    """Take images out, in place, whose subject or copy is tuned on: given splits may divide them."""
    tuned = np.isin(listed.units, listed.units[roles == "train"])
    left_out = tuned & np.isin(roles, ("validation", "test", "calibration"))
    roles[left_out] = "unused"
    n = int(left_out.sum())
    what = "are copies of images" if listed.subjects is None else "show subjects"
    return [f"{n} images {what} that are tuned on, and are left out of what is judged"] if n else []


def _to_judge_on(
    listed: Listed,
    roles: Shaped[np.ndarray, " n"],
    unseen: Bool[np.ndarray, " n"],
    share: Number | None,
    seed: int,
) -> tuple[Bool[np.ndarray, " n"], str]:
    """The images that become validation, and why so many."""
    pool = unseen & (roles == "train")
    n = int(np.isin(roles, ("train", "calibration")).sum())
    some_seen = bool((roles[~pool] == "train").any())
    if share is None and unseen.sum() <= n / 2:
        return pool, f"since they are at most half of all; {_OPTION} judges on fewer"
    if share == 1:
        if pool.any() and not some_seen:
            raise InputError(
                f"expected images to tune on, got none: {_OPTION} 1 judges on all {pool.sum()}, none known "
                "to have been trained on; give a smaller share"
            )
        return pool, f"as {_OPTION} 1 says"
    drawn = SHARES["validation"] * n / pool.sum() if share is None else share
    chosen = _drawn(listed, pool, listed.labels, drawn, seed, least=LEAST)
    if share is not None:
        return chosen, f"drawn by seed {seed}, as {_OPTION} {share} says"
    return chosen, f"drawn by seed {seed}; {_OPTION} {'1 judges on all' if some_seen else 'judges on more'}"


def _where_unseen_go(roles: Shaped[np.ndarray, " n"], unseen: Bool[np.ndarray, " n"], seen: Seen) -> str:
    """How many images that were not trained on are for what."""
    purposes = {"calibration": "reserved", "validation": "judged on", "train": "tuned on"}
    counts = {role: int((unseen & (roles == role)).sum()) for role in purposes}
    told = ", ".join(f"{count} are {purposes[role]}" for role, count in counts.items() if count)
    return f"{unseen.sum()} images {'were not' if seen.known else 'may not have been'} trained on: {told}"


def _drawn(
    listed: Listed,
    pool: Bool[np.ndarray, " n"],
    labels: Int64[np.ndarray, " n"],
    share: Number,
    seed: int,
    *,
    least: int,
) -> Bool[np.ndarray, " n"]:
    """A share of the pool: whole subjects, of each label its share and `least` where there are so many."""
    chosen = np.zeros(len(listed), dtype=bool)
    splits = drawn_splits(listed.units[pool], labels[pool], {"chosen": share}, seed, least=least)
    chosen[pool] = splits == "chosen"
    return chosen


def _check_shares(calibration: Number, validation: Number | None, listed: Listed) -> None:
    if not 0 <= calibration <= _MOST:
        raise InputError(f"expected a --calibration-share from 0 to {_MOST}, got {calibration}")
    if calibration > 0 and "calibration" in _split_names(listed):
        raise InputError(
            "expected calibration images by their split or by --calibration-share, got both "
            f"({calibration}); leave the share out"
        )
    given = [name for name in _JUDGED if name in _split_names(listed)]
    if validation is not None and given:
        raise InputError(
            f"expected images to judge on by their split or by {_OPTION}, got both: split {given[0]!r} and "
            f"the share {validation}; leave the share out"
        )


def _check_roles(listed: Listed, roles: Shaped[np.ndarray, " n"], seen: Seen) -> None:
    """Refuse what no trial can be made of."""
    train, judged = listed.labels[roles == "train"], listed.labels[roles == "validation"]
    if not len(train):
        given = " and ".join(in_order_of_splits(_split_names(listed)))
        got = f"{given} only" if given else "none"
        raise InputError(f"expected training images, got {got}; give a split 'train' too")
    if not len(judged):
        raise InputError(
            f"expected images to judge on that were not trained on, got none ({seen.told}); give others, or "
            "name those that were trained on with --trained-on FILE"
        )
    for what, labels in (("tune on", train), ("judge on", judged)):
        if len(np.unique(labels)) < 2:
            raise InputError(
                f"expected images of two classes or more to {what}, got {len(labels)} of "
                f"{listed.classes[labels[0]]!r} only; give images of others too"
            )
    for label in np.union1d(train, judged).tolist():
        n = (judged == label).sum()
        if n < LEAST:
            reserved = ", or leave --calibration-share out" if (roles == "calibration").any() else ""
            raise InputError(
                f"expected at least {LEAST} images of each class to judge on, got {n} of "
                f"{listed.classes[label]!r}; give more of it that were not trained on{reserved}"
            )
