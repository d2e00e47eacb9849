"""What arms say, planted: by hand, or by the chance with which a net is right. No net is run."""

from dataclasses import dataclass

import numpy as np

from masktune.trial.hiding import CHANGES, Donors
from masktune.trial.said import Said
from masktune.trial.settings import ARMS

CONTROLS = ARMS[1:-1]


def logits_of(answers, k=2, sure=0.9):
    """Logits whose softmax gives the answer the probability `sure`, and the other classes equal parts."""
    answers, sure = np.asarray(answers), np.broadcast_to(sure, len(answers))
    chances = np.repeat((1 - sure)[:, None] / (k - 1), k, axis=1)
    chances[np.arange(len(answers)), answers] = sure
    return np.log(chances).astype(np.float32)


def said_of(labels, plain, changed=None, *, classes="ab", same_class=None, other_class=None, subjects=None):
    """By hand: per arm the logits, and those of changes; a change that is not given changes nothing."""
    labels = np.array(labels, dtype=np.int64)
    alone = np.arange(len(labels))
    return Said(
        labels=labels,
        classes=tuple(classes),
        plain=plain,
        changed={arm: dict.fromkeys(CHANGES, plain[arm]) | (changed or {}).get(arm, {}) for arm in plain},
        donors=Donors(*(alone if of is None else np.array(of) for of in (other_class, same_class))),
        subjects=None if subjects is None else np.array(subjects),
    )


@dataclass(frozen=True)
class Net:
    """Chances of a right answer."""

    agrees: float
    """On an image whose place speaks for its class."""
    disagrees: float
    """On one whose place speaks for another class."""
    swapped: float
    """On an image that has got the place of another class, there where the untouched classifier looks."""
    hidden: float
    """Without the place."""
    own: float | None = None
    """As `swapped`, where the net looks itself; None for as often."""


SHORTCUT = Net(agrees=0.97, disagrees=0.1, swapped=0.1, hidden=0.6)
ROBUST = Net(agrees=0.93, disagrees=0.93, swapped=0.9, hidden=0.9)


def world(n, seed, masktune, others=SHORTCUT, *, conflict=0.1, private=0.1, classes="ab", subjects=1):
    """Images whose place speaks for another class in a share `conflict`, and what five arms say of them.

    An image is as hard for all nets, save in a share `private` of the cases. A wrong answer is the class that
    the place speaks for, or the next one. `subjects` images each are of one subject and equally hard.
    """
    random, k = np.random.default_rng(seed), len(classes)
    labels = np.arange(n) % k
    wrong = (labels + 1) % k
    misled = random.random(n) < conflict
    same = np.concatenate([np.roll(np.flatnonzero(labels == label), 1) for label in range(k)])
    same_class = np.empty(n, dtype=np.int64)
    same_class[np.concatenate([np.flatnonzero(labels == label) for label in range(k)])] = same
    whose = np.arange(n) // k // subjects * k + labels
    shared, sure = random.random(n)[whose], random.uniform(0.55, 0.99, n)
    plain, changed = {}, {}
    for arm in ARMS:
        net = masktune if arm == "masktune" else others
        hard = np.where(random.random(n) < private, random.random(n), shared)

        def says(chance, hard=hard):
            return logits_of(np.where(hard < chance, labels, wrong), k, sure)

        as_it_is = np.where(misled, net.disagrees, net.agrees)
        plain[arm] = says(as_it_is)
        own = net.swapped if net.own is None else net.own
        changed[arm] = {
            "salient": says(net.hidden),
            "other_class": says(net.swapped),
            "own_other_class": says(own),
            "same_class": says(np.where(misled[same_class], net.swapped, as_it_is)),
        }
    names = None if subjects == 1 else [f"s{of}" for of in whose]
    return said_of(labels, plain, changed, classes=classes, same_class=same_class, subjects=names)
