"""Small trials whose numbers are known, for the tests of reports."""

from dataclasses import replace

import numpy as np
from tests.report.scans import map_at, picture_of

from masktune.evaluation import Measure, Predictions, measure
from masktune.masking import MeanPlusStd
from masktune.trial.changes import changes
from masktune.trial.judging import ArmScore, Gain, Judged
from masktune.trial.power import smallest_effects
from masktune.trial.rates import RateChoice, TriedRate
from masktune.trial.scores import SCORES
from masktune.trial.settings import ARMS
from masktune.trial.trialled import BeforeAfter, TrialArm, Trialled
from masktune.trial.verdict import Verdict

CLASSES = ("cat", "dog")
N = 200
REASONS = {
    "gain": "with the place swapped it is right on 80.0 % of its worst class",
    "no_effect": "no effect: it follows the place as much as after the best control",
    "threshold_shift": "what looks like a gain vanishes when every model gives each class equally often",
    "not_confirmed": "the tuned model follows the place less, but of 17 such images it has 9 right",
    "too_few": "too few images: with 100 in the smallest class a gain cannot be told from none",
    "cannot_be_known": "it is not known which of these images the weights were trained on",
    "worse": "its worst class is right on 40.0 % of its images, 12.0 points less than before",
    "collapsed": "tuning was given up, since it lost 31 points of accuracy",
}
WORDS = {"gain": "helped", "worse": "harmful", "collapsed": "harmful"}


def predictions_of(wrong, classes=CLASSES, n=N, ids=None, groups=True, subjects=None):
    """Image i is of class i modulo k; those whose place is in `wrong` are called the next class."""
    k = len(classes)
    labels = np.arange(n, dtype=np.int64) % k
    said = np.where(np.isin(np.arange(n), list(wrong)), (labels + 1) % k, labels)
    logits = np.zeros((n, k), dtype=np.float32)
    logits[np.arange(n), said] = 2.0
    grounds = np.where(np.arange(n) % 5 == 0, "water", "grass")
    names = np.array([f"{classes[label]} on {ground}" for label, ground in zip(labels, grounds, strict=True)])
    return Predictions(
        logits=logits,
        labels=labels,
        ids=np.array(
            [f"{classes[label]}/{at:04}.jpg" for at, label in enumerate(labels)] if ids is None else ids
        ),
        classes=tuple(classes),
        groups=names if groups else None,
        subjects=subjects,
    )


WRONG = {
    "untouched": set(range(0, 100, 5)),
    "continue_erm": set(range(0, 90, 5)),
    "random_mask": set(range(0, 80, 5)),
    "least_salient_mask": set(range(5, 105, 5)),
    "masktune": {*range(0, 30, 5), *range(150, 159, 2)},
}
"""Which judged images each arm has wrong: 20, 18, 16, 20 and 11 of 200. MaskTune gains 14 and loses 5."""


def judged_of(name, arms, *, equal_shares=False):
    """MaskTune at 0.8; the arm at place i at 0.5 + 0.05 i, so that the control before it is the best."""
    scores, gains = {}, []
    for at, arm in enumerate(arms):
        value = 0.8 if arm == "masktune" else 0.5 + 0.05 * at
        scores[arm] = ArmScore(value, value - 0.06, value + 0.05, "dog", 20)
        if arm != "masktune":
            gains.append(Gain(arm, 0.8 - value, 0.8 - value - 0.07, 0.8 - value + 0.06, 0.004))
    return Judged(name, equal_shares, N, 100, scores, tuple(gains), 0.024)


def verdict_of(why, arms):
    """With every score; those of right answers at equal shares too."""
    scores = [judged_of(name, arms) for name in SCORES]
    scores += [judged_of(name, arms, equal_shares=True) for name in ("swapped", "worst_class")]
    return Verdict(
        word=WORDS.get(why, "no_evidence"),
        why=why,
        reason=REASONS[why],
        scores=tuple(scores) if "masktune" in arms else (),
        conflicting=17,
        right_on_conflicting={arm: 3 + at for at, arm in enumerate(arms)} if "masktune" in arms else {},
        notes=("it would be the same with MaskTune at the lower rate 0.0003",),
    )


def arm_of(name, by_split, stopped=None):
    """One epoch of 30 seconds, but for the untouched one."""
    measures = {split: tuple(measure(said)) for split, said in by_split.items()}
    if name == "masktune" and stopped is None:
        measures["train"] = (
            Measure("image_hidden", 0.123, 720, 0.1, 0.149),
            Measure("empty_masks", 0.01, 720, 0.005, 0.02),
        )
    tuned = name != "untouched"
    return TrialArm(
        name=name,
        epochs=int(tuned),
        seconds=30.0 * tuned,
        stopped=stopped,
        threshold=None,
        measures=measures,
    )


def shown_of(before, after, size=(56, 56)):
    """Two images of each kind that occurs."""
    found = []
    for old, new in ((False, True), (True, False), (True, True), (False, False)):
        places = np.flatnonzero((before.correct == old) & (after.correct == new))[:2]
        found += [picture(before, after, at, size) for at in places.tolist()]
    return tuple(found)


def picture(before, after, at, size):
    """The old model looks at the upper left corner, the tuned one at the middle."""
    names = before.classes
    return BeforeAfter(
        id=str(before.ids[at]),
        label=names[before.labels[at]],
        before=names[before.predicted[at]],
        after=names[after.predicted[at]],
        jpeg=picture_of(at, size),
        low_before=map_at(1, 1),
        low_after=map_at(3, 3),
    )


def trial_of(
    why="gain",
    arms=ARMS,
    *,
    classes=CLASSES,
    ids=None,
    groups=True,
    subjects=None,
    stopped=None,
    size=(56, 56),
    sites=("north", "south"),
    test=True,
    **more,
):
    """A trial with all arms, groups, a column, a test split and pictures; `stopped` are arms given up."""
    stopped = stopped or {}
    wrong = {arm: WRONG["untouched" if arm in stopped else arm] for arm in arms}
    about = {"classes": classes, "groups": groups}
    said = {
        arm: {"validation": predictions_of(wrong[arm], ids=ids, subjects=subjects, **about)}
        | ({"test": predictions_of(wrong[arm], n=120, **about)} if test else {})
        for arm in arms
    }
    before = said["untouched"]["validation"]
    after = said["masktune"]["validation"] if "masktune" in arms else None
    column = np.where(np.arange(N) < 120, *sites)
    parts = {
        ("column", "site = "): column,
        ("area", "looks at the "): np.where(np.arange(N) % 3 == 0, "top left corner", "centre"),
    }
    if before.groups is not None:
        parts = {("group", ""): before.groups, **parts}
    fields = {
        "name": "pets",
        "sha256": "ab" * 32,
        "weights_sha256": "cd" * 32,
        "classes": tuple(classes),
        "about": {
            "model": "timm:resnet18",
            "maps": "xgradcam at layer4",
            "salient area": "MeanPlusStd(k=2.0)",
            "device": "cpu",
        },
        "settings": {"seed": 0, "batch_size": 32, "optimizer": "adam", "trained_on": None},
        "seen": "the weights are assumed to have been trained on the 800 images of split train",
        "notes": ("12 of the 212 images of validation were trained on and are left out",),
        "counts": {
            "train": dict.fromkeys(classes, 360),
            "held back": dict.fromkeys(classes, 40),
            "validation": dict.fromkeys(classes, 100),
            "test": dict.fromkeys(classes, 60),
        },
        "subjects": None if subjects is None else len(set(subjects.tolist())),
        "rate": RateChoice(
            1e-3,
            (
                TriedRate(3e-3, None, None, None),
                TriedRate(1e-3, 0.925, 0.0125, 0.0151),
                TriedRate(3e-4, 0.9375, 0.0, 0.01),
            ),
        ),
        "effects": smallest_effects(before.labels, tuple(classes), subjects),
        "verdict": verdict_of(why, arms),
        "arms": tuple(arm_of(arm, said[arm], stopped.get(arm)) for arm in arms),
        "changes": () if after is None else changes(before, after, parts),
        "predictions": said,
        "threshold": MeanPlusStd(2.0),
        "shown": () if after is None else shown_of(before, after, size),
        "licences": ("The images are CC BY 4.0.",),
    }
    return Trialled(**{**fields, **more})


SECRETS = ["ueller", "ward-", "PAT-", "Charit", "on grass", "on water", "split train", "/home", ".jpg"]


def secret_trial(**more):
    """Names, paths, values and subjects that are told nowhere else."""
    ids = [f"ward-7/Mueller_{at:03}/scan{at:03}.jpg" for at in range(N)]
    subjects = np.array([f"PAT-{at // 2:03}" for at in range(N)])
    trialled = trial_of(ids=ids, subjects=subjects, sites=("Charité", "Charité Mitte"), test=False)
    verdict = replace(trialled.verdict, notes=("PAT-002 at Charité is cat on grass, top left",))
    fields = {
        "name": "/home/mueller/pets",
        "verdict": verdict,
        "about": {**trialled.about, "model": "/home/mueller/net.py:build", "weights": "/home/mueller/w.pt"},
        "settings": {**trialled.settings, "trained_on": "/home/mueller/list.txt"},
        "seen": "the weights were trained on 12 of the 200 images, as mueller list.txt says; 3 of its 15 "
        "names are no images here",
        "notes": ("read /home/mueller/pets",),
        "licences": ("The images of /home/mueller/pets are nobody else's business.",),
    }
    return replace(trialled, **{**fields, **more})
