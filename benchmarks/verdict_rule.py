"""Judge the verdict on trials whose groups it did not see, as `verdict_trials.py` left them.

    python benchmarks/verdict_rule.py /tmp/trials --half b [--runs /tmp/tunes/waterbirds-*/tuned]
    python benchmarks/verdict_rule.py /tmp/trials --half a --constants

`--constants` shows what the rule would have said with others than its own, one changed at a time. `--runs`
adds what `masktune tune` left of data with groups and a test split (`tune_real.py`).
Truth is MaskTune's worst group less the best control's, on test. `rose`: at least 5 points, the lower end of
its 95 % bootstrap interval above 0; `did not`: 0 or less; `between`: the rest. Trials whose validation has
no conflicting image are shown apart: there the right verdict is `no_evidence`.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from masktune.evaluation import clopper_pearson
from masktune.trial import verdict
from masktune.trial.hiding import CHANGES, Donors
from masktune.trial.judging import SURE, Judged
from masktune.trial.said import Said
from masktune.trial.scores import SCORES
from masktune.trial.settings import ARMS, CONTROLS, ArmName

DRAWS = 1000

CONSTANTS: Mapping[str, Sequence[float]] = {
    "LEAST_GAIN": (0.05, 0.1, 0.15, 0.2, 0.25),
    "LEVEL": (0.3, 0.4, 0.5, 0.6, 0.7),
    "MUCH": (0.03, 0.05, 0.1),
}
"""Of the rule, and what is tried for each."""


@dataclass(frozen=True)
class Tried:
    """One trial: what is true, and what was said."""

    kind: str
    seed: int
    half: str
    gain: float
    low: float
    over_old: float
    """What MaskTune's worst group is above the old model's on test."""
    over_old_low: float
    """Lower end of its interval."""
    conflicting: int | None
    """Images of validation whose group contradicts the shortcut; None where there is none to contradict."""
    verdict: verdict.Verdict
    unknown: bool
    """Whether MaskTune was given up and what it said was not kept, so that no truth is known."""

    @property
    def truth(self) -> str:
        """What happened on test."""
        if self.unknown:
            return "given up"
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
    stopped = about["stopped"].get("masktune")
    return Tried(
        about["kind"],
        about["seed"],
        about["half"],
        *true_gain(found),
        *true_gain(found, ("untouched",)),
        conflicting(found),
        verdict.verdict_of(said(found), stopped=stopped),
        stopped is not None and np.array_equal(found["masktune/test"], found["untouched/test"]),
    )


def of_run(folder: Path) -> Tried:
    """Read what `masktune tune` left; its verdict saw no group, and no test image."""
    report = json.loads((folder / "report.json").read_text())
    found: dict[str, np.ndarray] = {}
    for arm in ARMS:
        (path,) = folder.glob(f"models/*/seed-*/{arm}/predictions/test.npz")
        test = np.load(path)
        found |= {f"{arm}/test": test["logits"], "test/labels": test["labels"], "test/groups": test["groups"]}
    reached = verdict.Verdict(report["verdict"], report["why"], report["reason"])
    gains = (*true_gain(found), *true_gain(found, ("untouched",)))
    return Tried(
        folder.parent.name, report["settings"]["seed"], "b", *gains, None, reached, reached.why == "collapsed"
    )


def said(found: Mapping[str, np.ndarray]) -> Said:
    """What the arms said of the validation images; no group is in it."""
    return Said(
        labels=found["validation/labels"],
        classes=tuple(map(str, range(found["untouched/validation"].shape[1]))),
        plain={arm: found[f"{arm}/validation"] for arm in ARMS},
        changed={arm: {change: found[f"{arm}/{change}"] for change in CHANGES} for arm in ARMS},
        donors=Donors(found["donors/other_class"], found["donors/same_class"]),
        subjects=found.get("validation/subjects"),
    )


def true_gain(found: Mapping[str, np.ndarray], rivals: Sequence[ArmName] = CONTROLS) -> tuple[float, float]:
    """MaskTune's worst group less the best rival's on test, and the lower end of its interval.

    Where the data have no groups, classes take their place. Whole subjects are drawn again, within groups.
    """
    labels = found["test/labels"]
    groups = found.get("test/groups", labels.astype(str))
    units = found.get("test/subjects", np.arange(len(labels)))
    right = np.stack([found[f"{arm}/test"].argmax(1) == labels for arm in (*rivals, "masktune")], 1)
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


def show_constants(folder: Path, half: str | None) -> None:
    """Found and false `helped` for each value of each constant, the others as they are."""
    rule, asked = verdict._by_rule, []

    def noting(*found: Any) -> verdict.Verdict:
        asked.append(found)
        return rule(*found)

    with changed(verdict, "_by_rule", noting):
        trials = list(read(folder, half))
    truths = [None if one.apart else one.truth for one in trials]
    print("constant | value | helped, of those that rose | of those that did not")
    for name, values in CONSTANTS.items():
        for value in values:
            with changed(verdict, name, value):
                helped = [rule(*found).word == "helped" for found in asked]
            rates = (
                rate([said for said, true in zip(helped, truths, strict=True) if true == truth])
                for truth in ("rose", "did not")
            )
            mine = " (ours)" if value == getattr(verdict, name) else ""
            print(" | ".join((name, f"{value}{mine}", *rates)))


@contextmanager
def changed(module: ModuleType, name: str, value: Any) -> Iterator[None]:
    """The module with another value of that name."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def alone(judged: Judged) -> bool:
    """What one score alone would have said: a gain over every control, corrected, of five points."""
    return judged.over_control.value >= verdict.MUCH and judged.corrected < SURE


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
            known = [alone(one.verdict.scores[number]) for one in of if one.verdict.scores]
            print(f"  by {name} alone: {rate(known)}")
        kinds: dict[str, list[bool]] = {one.kind: [] for one in of}
        for one in of:
            kinds[one.kind].append(one.verdict.word == "helped")
        told = ", ".join(f"{kind} {sum(hits)}/{len(hits)}" for kind, hits in sorted(kinds.items()))
        print(f"  by kind ({len(kinds)}): {told}")
    harmful = [one for one in judged if one.verdict.word == "harmful" and not one.unknown]
    rose = [one.over_old >= 0.05 and one.over_old_low > 0 for one in harmful]
    print(f"harmful, though the worst group rose over the old model's: {rate(rose)}")
    for one, wrong in zip(harmful, rose, strict=True):
        if wrong:
            print(f"  {one.kind} {one.seed}: {100 * one.over_old:.1f}, {one.verdict.why}")


def rate(hits: list[bool]) -> str:
    """Counts, and the exact interval."""
    found = clopper_pearson(sum(hits), len(hits))
    if found.value is None or found.low is None or found.high is None:
        return "none"
    value, low, high = (f"{100 * share:.1f}" for share in (found.value, found.low, found.high))
    return f"{sum(hits)} of {len(hits)}: {value} % ({low} to {high})"


def read(folder: Path, half: str | None) -> Iterator[Tried]:
    for path in sorted(folder.glob("*.npz")):
        if half in (None, json.loads(str(np.load(path)["about"]))["half"]):
            yield tried(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--half", choices=("a", "b"))
    parser.add_argument("--runs", type=Path, nargs="+", default=())
    parser.add_argument("--constants", action="store_true")
    given = parser.parse_args()
    if given.constants:
        show_constants(given.folder, given.half)
        return
    show([*read(given.folder, given.half), *map(of_run, given.runs)])


if __name__ == "__main__":
    main()
