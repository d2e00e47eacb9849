"""Judge the verdict on trials whose groups it did not see, as `verdict_trials.py` left them.

    python benchmarks/verdict_rule.py /tmp/trials --half b

Truth is MaskTune's worst group less the best control's, on test. `rose`: at least 5 points, the lower end of
its 95 % bootstrap interval above 0; `did not`: 0 or less; `between`: the rest. Trials whose validation has
no conflicting image are shown apart: there the right verdict is `no_evidence`.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from masktune.evaluation import clopper_pearson
from masktune.trial.hiding import CHANGES
from masktune.trial.judging import Judged
from masktune.trial.said import Said
from masktune.trial.scores import SCORES
from masktune.trial.settings import ARMS, CONTROLS
from masktune.trial.verdict import MUCH, SURE, Verdict, verdict_of

DRAWS = 1000


@dataclass(frozen=True)
class Tried:
    """One trial: what is true, and what was said."""

    kind: str
    seed: int
    half: str
    gain: float
    low: float
    conflicting: int | None
    """Images of validation whose group contradicts the shortcut; None where there is none to contradict."""
    verdict: Verdict

    @property
    def truth(self) -> str:
        """What happened on test."""
        if self.gain >= 0.05 and self.low > 0:
            return "rose"
        return "did not" if self.gain <= 0 else "between"

    @property
    def apart(self) -> bool:
        """Whether validation has no conflicting image."""
        return self.conflicting == 0


def tried(path: Path) -> Tried:
    """Read one trial and judge it."""
    found = dict(np.load(path))
    about = json.loads(str(found["about"]))
    gain, low = true_gain(found)
    stopped = about["stopped"].get("masktune")
    return Tried(
        about["kind"],
        about["seed"],
        about["half"],
        gain,
        low,
        conflicting(found),
        verdict_of(said(found), stopped=stopped),
    )


def said(found: Mapping[str, np.ndarray]) -> Said:
    """What the arms said of the validation images; no group is in it."""
    return Said(
        labels=found["validation/labels"],
        classes=tuple(map(str, range(found["untouched/validation"].shape[1]))),
        plain={arm: found[f"{arm}/validation"] for arm in ARMS},
        changed={arm: {change: found[f"{arm}/{change}"] for change in CHANGES} for arm in ARMS},
        same_class=found["donors/same_class"],
        subjects=found.get("validation/subjects"),
    )


def true_gain(found: Mapping[str, np.ndarray]) -> tuple[float, float]:
    """MaskTune's worst group less the best control's on test, and the lower end of its interval.

    Where the data have no groups, classes take their place. Whole subjects are drawn again, within groups.
    """
    labels = found["test/labels"]
    groups = found.get("test/groups", labels.astype(str))
    units = found.get("test/subjects", np.arange(len(labels)))
    right = np.stack([found[f"{arm}/test"].argmax(1) == labels for arm in (*CONTROLS, "masktune")], 1)
    sums = [of_units(right[groups == name], units[groups == name]) for name in np.unique(groups)]
    whole = np.array([rights.sum(0) / images.sum() for rights, images in sums]).min(0)
    best = int(whole[:-1].argmax())
    random = np.random.default_rng(0)
    worst = np.full((DRAWS, 2), np.inf)
    for rights, images in sums:
        drawn = random.multinomial(len(images), np.full(len(images), 1 / len(images)), size=DRAWS)
        rates = (drawn @ rights[:, [best, -1]]) / np.maximum(drawn @ images, 1)[:, None]
        worst = np.minimum(worst, rates)
    return float(whole[-1] - whole[best]), float(np.quantile(worst[:, 1] - worst[:, 0], 0.025))


def of_units(right: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Right answers by arm, and images, of each subject."""
    names, at = np.unique(units, return_inverse=True)
    rights = np.zeros((len(names), right.shape[1]))
    np.add.at(rights, at.reshape(-1), right)
    return rights, np.bincount(at.reshape(-1)).astype(float)


def conflicting(found: Mapping[str, np.ndarray]) -> int | None:
    """Validation images that are of no group that is its class's largest in training."""
    if "train/groups" not in found:
        return None
    names, counts = np.unique(found["train/groups"], return_counts=True)
    largest: dict[str, tuple[int, str]] = {}
    for name, count in zip(names.tolist(), counts.tolist(), strict=True):
        label = name.partition(" with")[0]
        largest[label] = max(largest.get(label, (0, "")), (count, name))
    aligned = {name for _, name in largest.values()}
    test = set(np.unique(found["test/groups"]).tolist())
    if test <= aligned:
        return None
    return int((~np.isin(found["validation/groups"], sorted(aligned))).sum())


def alone(judged: Judged) -> bool:
    """What one score alone would have said: a gain over every control, corrected, of five points."""
    return judged.over_control.value >= MUCH and judged.corrected < SURE


def show(trials: list[Tried]) -> None:
    """The tables of docs/results/verdict.md."""
    judged = [one for one in trials if not one.apart]
    print("trial | truth | points | from | verdict | why")
    for one in trials:
        apart = " (no conflicting image)" if one.apart else ""
        print(
            f"{one.kind} {one.seed}{apart} | {one.truth} | {100 * one.gain:.1f} | {100 * one.low:.1f} | "
            f"{one.verdict.word} | {one.verdict.why}"
        )
    for name, of in (("judged", judged), ("no conflicting image", [one for one in trials if one.apart])):
        counts: dict[tuple[str, str], int] = defaultdict(int)
        for one in of:
            counts[one.truth, one.verdict.word] += 1
        print(f"\n{name}: {len(of)} trials")
        for (truth, word), count in sorted(counts.items()):
            print(f"  {truth}, {word}: {count}")
    for truth in ("rose", "did not", "between"):
        of = [one for one in judged if one.truth == truth]
        print(f"helped, of those that {truth}: {rate([one.verdict.word == 'helped' for one in of])}")
        for number, name in enumerate(SCORES):
            print(f"  by {name} alone: {rate([alone(one.verdict.scores[number]) for one in of])}")


def rate(hits: list[bool]) -> str:
    """Counts, and the exact interval."""
    found = clopper_pearson(sum(hits), len(hits))
    if found.value is None or found.low is None or found.high is None:
        return "none"
    value, low, high = (f"{100 * share:.1f}" for share in (found.value, found.low, found.high))
    return f"{sum(hits)} of {len(hits)}: {value} % ({low} to {high})"


def read(folder: Path, half: str | None) -> Iterator[Tried]:
    for path in sorted(folder.glob("*.npz")):
        one = tried(path)
        if half in (None, one.half):
            yield one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--half", choices=("a", "b"))
    given = parser.parse_args()
    show(list(read(given.folder, given.half)))


if __name__ == "__main__":
    main()
