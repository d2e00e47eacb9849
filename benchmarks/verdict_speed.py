"""How long a verdict takes: all scores of five arms, compared by 2,000 draws of the images.

    OMP_NUM_THREADS=1 python benchmarks/verdict_speed.py

The answers are noise around the truth: no image is like another one, which is the slowest case.
"""

import argparse
import resource
import time

import numpy as np

from masktune.trial.hiding import CHANGES, Donors
from masktune.trial.judging import judged
from masktune.trial.said import Said
from masktune.trial.scores import scores_of
from masktune.trial.settings import ARMS
from masktune.trial.verdict import verdict_of


def noisy(n: int, classes: int, subjects: int) -> Said:
    """What arms might say of so many images, `subjects` of which are of one subject each."""
    random = np.random.default_rng(0)
    labels = random.integers(classes, size=n)

    def said(known: float) -> np.ndarray:
        logits = random.normal(size=(n, classes))
        logits[np.arange(n), labels] += known
        return logits.astype(np.float32)

    return Said(
        labels=labels,
        classes=tuple(map(str, range(classes))),
        plain={arm: said(2.5) for arm in ARMS},
        changed={arm: {change: said(2) for change in CHANGES} for arm in ARMS},
        donors=Donors(random.permutation(n), np.arange(n)),
        subjects=None if subjects == 1 else (np.arange(n) // subjects).astype(str),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--classes", type=int, nargs="+", default=(2, 10))
    parser.add_argument("--of-a-subject", type=int, default=1, help="images of each subject")
    given = parser.parse_args()
    print(" images  classes    scores     draws   verdict, seconds")
    for classes in given.classes:
        said = noisy(given.images, classes, given.of_a_subject)
        times = [time.perf_counter()]
        scores = scores_of(said)
        times.append(time.perf_counter())
        judged(scores, said.units)
        times.append(time.perf_counter())
        verdict_of(said)
        times.append(time.perf_counter())
        print(f"{len(said):7,} {classes:8}", *(f"{one:9.1f}" for one in np.diff(times)), flush=True)
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f} MB at most")


if __name__ == "__main__":
    main()
