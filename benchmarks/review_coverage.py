"""How often the interval of a review holds the truth, and how wide it is beside a plain sample's.

    python benchmarks/review_coverage.py --populations 500 --first 10000

Made populations of two classes with a mark in the top left corner of most images of class a (`aligned` of
them; as many of b have none). A classifier leans on it: it is right on 97 % of the aligned images, on 65 %
of a without the mark and on 40 % of b with it, the worst group. `seen` is how often the salient mask touches
the mark. Each population is made anew, reviewed by `draw_review` with true answers, and read by
`labelled_group_accuracy`. Of the worst group: images labelled, how often its interval holds its accuracy in
the population, how often Bonferroni's intervals hold all groups' at once, how often the worst group is named,
mean width; and the width from as many images drawn plainly (Clopper and Pearson's; 1 where there is none).
"""

import argparse
import os
import platform
import time

import numpy as np

from masktune.evaluation import Predictions, clopper_pearson
from masktune.evaluation.weighted import LabelledSample, labelled_group_accuracy, labelled_worst_group
from masktune.findings.finding import Finding
from masktune.findings.observed import Observed
from masktune.findings.review import draw_review

WORST = "b, mark"

FINDING = Finding(
    code="MT002",
    title="a mark?",
    verdict="problem",
    reason="made",
    about={"class": "a", "place": "top left corner"},
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--populations", type=int, default=500)
    parser.add_argument("--first", type=int, default=10000, help="seed of the first population")
    args = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, {args.populations} populations a line")
    print(
        "| images | aligned | drawn | seen | labelled | held | at once | named | width | plain: width | s |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for images, share, count, seen in (
        (300, 0.9, 100, 0.8),
        (1000, 0.95, 100, 0.8),
        (1000, 0.95, 100, 0.2),
        (1000, 0.95, 200, 0.2),
        (2000, 0.9, 100, 0.1),
        (1000, 0.95, 60, 0.8),
        (5000, 0.95, 100, 0.8),
        (5000, 0.99, 100, 0.8),
        (5000, 0.95, 300, 0.8),
        (1000, 0.6, 100, 0.8),
    ):
        start = time.perf_counter()
        results = [
            trial(images, share, count, seen, seed)
            for seed in range(args.first, args.first + args.populations)
        ]
        means = np.nanmean(np.array(results, dtype=float), axis=0)
        cells = [
            f"{images}",
            f"{share}",
            f"{count}",
            f"{seen}",
            f"{means[0]:.1f}",
            *(f"{x:.3f}" for x in means[1:]),
        ]
        print("|", " | ".join([*cells, f"{time.perf_counter() - start:.0f}"]), "|", flush=True)


def trial(images: int, share: float, count: int, seen: float, seed: int) -> tuple[float, ...]:
    """What one population and its review gave: see the head of the table."""
    random = np.random.default_rng([seed, images, int(1000 * share), count])
    observed, groups = population(images, share, seen, random)
    correct = observed.predictions.correct
    truth = {name: correct[groups == name].mean() for name in np.unique(groups)}
    review = draw_review(observed, [FINDING], count=count, seed=seed)
    at = np.array([int(one.id) for one in review.asked])
    sample = LabelledSample(
        observed.ids[at],
        groups[at],
        np.array([one.stratum for one in review.asked]),
        {one.stratum: one.stratum_size for one in review.asked},
    )
    rates = labelled_group_accuracy(correct[at], sample)
    together = labelled_group_accuracy(correct[at], sample, simultaneous=True)
    at_once = all(together[name].low <= truth[name] <= together[name].high for name in together)
    plain = random.choice(images, size=len(at), replace=False)
    inside = plain[groups[plain] == WORST]
    simple = clopper_pearson(int(correct[inside].sum()), len(inside))
    plain_width = 1.0 if simple.low is None else simple.high - simple.low
    if WORST not in rates:
        return 0, np.nan, at_once, 0, 1.0, plain_width
    rate = rates[WORST]
    named = labelled_worst_group(correct[at], sample).name == min(truth, key=truth.get)
    held = rate.low <= truth[WORST] <= rate.high
    return rate.n, held, at_once, named, rate.high - rate.low, plain_width


def population(
    images: int, share: float, seen: float, random: np.random.Generator
) -> tuple[Observed, np.ndarray]:
    """What a scan observes of a classifier that leans on the mark, and the true groups.

    `share` of class a bear the mark, as many of class b do not; where it is, the salient mask touches it with
    the chance `seen`, elsewhere with 0.1.
    """
    labels = random.integers(2, size=images)
    mark = (random.random(images) < share) == (labels == 0)
    right = random.random(images) < np.select([mark == (labels == 0), mark], [0.97, 0.4], 0.65)
    touched = random.random(images) < np.where(mark, seen, 0.1)
    margin = np.abs(random.normal(np.where(mark == (labels == 0), 3, 1.5), 1, size=images)) + 0.01
    flips = random.random(images) < np.where(touched, 0.5, 0.05)
    predicted = np.where(right, labels, 1 - labels)
    where = np.zeros((images, 16, 16), np.uint8)
    where[touched, :3, :3] = 255
    observed = observed_of(labels, predicted, margin, np.where(flips, 1 - predicted, predicted), where)
    words = np.where(mark, ", mark", ", no mark")
    return observed, np.char.add(np.array(["a", "b"])[labels], words)


def observed_of(
    labels: np.ndarray, predicted: np.ndarray, margin: np.ndarray, after: np.ndarray, where: np.ndarray
) -> Observed:
    """The record of these numbers; pictures and maps, which a review does not look at, are empty."""
    n = len(labels)
    logits = (np.eye(2)[predicted] * margin[:, None]).astype(np.float32)
    ids = np.array([f"{index:05d}" for index in range(n)])
    return Observed(
        predictions=Predictions(logits, labels.astype(np.int64), ids, ("a", "b")),
        data_classes=("a", "b"),
        same_classes=True,
        hidden_logits={"salient": np.eye(2, dtype=np.float32)[after]},
        low=np.zeros((n, 1, 1), np.float16),
        empty=np.zeros(n, bool),
        hidden=np.zeros(n),
        where=where,
        tiny=np.zeros((n, 32, 32, 3), np.uint8),
        seen=np.ones(n),
        properties={},
        facts={},
        columns={},
    )


if __name__ == "__main__":
    main()
