"""From tested columns to findings: the verdict on each column, and its words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from masktune.evaluation.within import Dependence
from masktune.findings.column_attention import Look, looks
from masktune.findings.column_judged import Judged
from masktune.findings.column_leaning import Leaning
from masktune.findings.column_values import Family, named
from masktune.findings.columns import Asked, Gap, Tested, Told, try_columns
from masktune.findings.finding import Evidence, Finding, Question
from masktune.findings.observed import Observed

MOST = 3
"""Findings of one family; image properties often say the same, so more would hide the rest of a report."""

LONGEST = 40
"""Characters of a name or value inside a sentence; `about` has it whole."""


@dataclass(frozen=True, slots=True)
class Wording:
    """How a family is spoken of."""

    family: Family
    many: str
    """ "image properties"."""
    none: str
    """Why there is no column at all."""
    visible: bool
    """A picture shows it; a file's name or tag does not."""
    visible_too: frozenset[str] = frozenset()
    """Columns that a picture shows, in a family that it does not."""

    def shows(self, column: str) -> bool:
        """Whether a picture shows this column."""
        return self.visible or column in self.visible_too


def ask_family(observed: Observed, question: Question, wording: Wording) -> list[Finding]:
    """One finding for each column that fires; one for all where none does."""
    asked = Asked.of(observed)
    if isinstance(asked, str):
        return [question.finding("not_applicable", asked)]
    columns = asked.usable(wording.family)
    if not columns:
        there = len(named(observed, wording.family))
        alike = (
            f"of {there} {wording.many} each has one value, a new one for nearly each image, or is the class"
        )
        return [question.finding("not_applicable", alike if there else wording.none)]
    count = asked.tried
    tested = try_columns(asked, columns, count)
    judged = [
        Judged(asked, one, wording.shows(one.column.name), look)
        for one, look in zip(tested, looks(asked, columns, count), strict=True)
    ]
    fired = [one for one in judged if one.verdict != "passed"]
    if not fired:
        return [_passed(asked, tested, question, wording)]
    fired.sort(key=lambda one: (one.verdict != "problem", -one.strength))
    return _findings(asked, fired, question, wording)


def _passed(asked: Asked, tested: Sequence[Tested], question: Question, wording: Wording) -> Finding:
    best = max(tested, key=lambda one: one.above_chance if one.column.tells else -1.0)
    errors = "and the classifier does not clearly do worse with any of their values"
    if asked.ease is None:
        errors = "whether errors differ cannot be told, since the classifier has its own classes"
    elsewhere = "" if wording.visible else ", nor look elsewhere"
    if asked.ease is None:
        elsewhere = "" if wording.visible else "; it does not look elsewhere by them"
    reason = f"none of {len(tested)} {wording.many} tells the class well, {errors}{elsewhere}"
    strongest = f'; the strongest is "{_short(best.column.name)}"' if best.column.tells else ""
    evidence = _accuracy(asked, best) if best.column.tells else ()
    return question.finding("passed", reason + strongest, evidence=evidence)


def _findings(asked: Asked, fired: Sequence[Judged], question: Question, wording: Wording) -> list[Finding]:
    shown, rest = fired[:MOST], [one.tested.column.name for one in fired[MOST:]]
    found = []
    for one in shown:
        last = one is shown[-1] and rest
        more = f" The same may go for: {', '.join(map(_short, rest))}." if last else ""
        found.append(
            question.finding(
                one.verdict,
                _reason(one),
                evidence=_evidence(one),
                advice=_advice(one, wording) + more,
                about=_about(one),
                samples=_samples(one),
            )
        )
    return found


def _reason(one: Judged) -> str:
    name = _short(one.tested.column.name)
    if one.leaning is not None:
        return _leaning_reason(one, one.leaning, name)
    if one.told is None:
        return _elsewhere_reason(one, name) if one.gap is None else _gap_reason(one, name)
    says = f'"{name}" alone tells {_whom(one.asked, one.told)}; '
    if one.asked.ease is None:
        return says + "whether the classifier uses it cannot be told, since its classes are others"
    if one.uses:
        return says + "images whose value speaks for another class are harder for the classifier"
    if not one.followed.enough:
        return says + "too few images go against it to see whether the classifier goes with it"
    return says + "the classifier does not clearly go with it"


def _leaning_reason(one: Judged, found: Leaning, name: str) -> str:
    first, second = (one.asked.classes[label] for label in found.classes)
    here, there = (_short(one.tested.column.bins.names[at]) for at in found.bins)
    less, more = (100 * (rate.value or 0.0) for rate in found.differences)
    return (
        f'the answer goes with "{name}": {first} is right {less:.0f} points less often where it is "{here}", '
        f'{second} {more:.0f} points less often where it is "{there}"'
    )


def _gap_reason(one: Judged, name: str) -> str:
    gap = one.gap
    assert gap is not None  # Otherwise it has passed.
    names = one.tested.column.bins.names
    points = 100 * (gap.difference.value or 0.0)
    whose = f"accuracy{_whose(one.asked, gap)}"
    return (
        f'where "{name}" is "{_short(names[gap.worse])}", {whose} is {points:.0f} points lower than '
        f'where it is "{_short(names[gap.better])}"'
    )


def _elsewhere_reason(one: Judged, name: str) -> str:
    assert one.look.bin is not None  # Otherwise it has passed.
    return f'it looks elsewhere where "{name}" is "{_short(one.tested.column.bins.names[one.look.bin])}"'


def _whose(asked: Asked, gap: Gap) -> str:
    return "" if gap.label is None else f" of {asked.classes[gap.label]}"


def _whom(asked: Asked, found: Told) -> str:
    """Which classes are told apart, and by which values: `dog ("0.1 to 0.2") from cat ("0.2 to 0.4")`."""
    own = f'{asked.classes[found.label]} ("{_short(found.value)}")'
    if found.other is None:
        return f"{own} from the other classes"
    label, value = found.other
    return f'{own} from {asked.classes[label]} ("{_short(value)}")'


def _short(text: str) -> str:
    """In one line, and not longer than `LONGEST`."""
    text = "".join(each if each.isprintable() else " " for each in text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _accuracy(asked: Asked, tested: Tested) -> tuple[Evidence, ...]:
    """Of its votes, beside chance."""
    found = tested.found.accuracy
    name = f'balanced accuracy of "{_short(tested.column.name)}" alone'
    count = len(asked.rows)
    return (
        Evidence(name, found.value, found.n, found.low, found.high, tested.told_p),
        Evidence("balanced accuracy by chance", 1 / len(asked.classes), count),
    )


def _evidence(one: Judged) -> tuple[Evidence, ...]:
    found: list[Evidence] = list(_accuracy(one.asked, one.tested)) if one.tested.column.tells else []
    if one.told is not None:
        name = one.asked.classes[one.told.label]
        found.append(Evidence.of(f"gain over chance for {name} (0 none, 1 perfect)", one.told.gain))
    if one.tested.matters is not None:
        found += _on_ease(one, one.tested.matters)
    return (*found, _of_look(one.look))


def _of_look(look: Look) -> Evidence:
    return Evidence(
        "share of where it looks that goes with it, within classes (R squared)",
        look.depends.explained,
        look.n,
        p_value=look.depends.p_value,
    )


def _on_ease(one: Judged, matters: Dependence) -> list[Evidence]:
    n = len(one.asked.rows)
    found = [
        Evidence(
            "share of the margin's ranks that goes with it, within classes (eta squared)",
            matters.explained,
            n,
            p_value=matters.p_value,
        )
    ]
    if one.told is not None:
        area = one.followed.area
        found.append(
            Evidence.of("chance that an image that it speaks against is harder (0.5: no relation)", area)
        )
    if one.leaning is not None:
        found += _of_leaning(one, one.leaning)
    elif one.gap is not None:
        names = one.tested.column.bins.names
        sides = zip((one.gap.worse, one.gap.better), one.gap.accuracies, strict=True)
        whose = f"accuracy{_whose(one.asked, one.gap)} where it is"
        found += [Evidence.of(f'{whose} "{_short(names[at])}"', rate) for at, rate in sides]
        found.append(Evidence.of("difference of these accuracies", one.gap.difference))
    return found


def _of_leaning(one: Judged, leaning: Leaning) -> list[Evidence]:
    found = []
    if one.tested.turns is not None:
        turns = "share of the margin's ranks that turns around between classes (eta squared)"
        share = one.tested.turns.explained
        found.append(Evidence(turns, share, len(one.asked.rows), p_value=one.tested.turns_p))
    for label, lower in zip(leaning.classes, leaning.differences, strict=True):
        lesser = f"how much lower the accuracy of {one.asked.classes[label]} is there"
        found.append(Evidence.of(lesser, lower))
    return found


def _advice(one: Judged, wording: Wording) -> str:
    name = _short(one.tested.column.name)
    if one.told is None and one.leaning is None:
        if one.gap is None:
            return (
                "Hold the heat maps of the samples against those of other images: is it the object that it "
                f'looks at? If it is something that comes with "{name}", mask or crop it, then scan again.'
            )
        return f'Look at the samples. Collect more images like them, and report accuracy by "{name}".'
    balance = f'Collect or choose images so that each class comes with all values of "{name}"'
    if one.visible:
        return f"Look at the samples. {balance}, or crop or mask where it shows, then scan again."
    if one.uses or one.leaning is not None:
        return (
            f"Look at the samples: the picture must show something that goes with it, which can be masked or "
            f"cropped. {balance}, then scan again."
        )
    return (
        f"{balance}. No mask can hide it: the picture does not show it. See that training and test do not "
        "both have it, or its effect stays unseen."
    )


def _about(one: Judged) -> dict[str, str]:
    about = {"column": one.tested.column.name}
    if one.told is not None:
        return about | {"class": one.asked.classes[one.told.label], "value": one.told.value}
    if one.leaning is not None:  # Its first value speaks for the second class.
        speaks_for = one.asked.classes[one.leaning.classes[1]]
        return about | {"class": speaks_for, "value": one.tested.column.bins.names[one.leaning.bins[0]]}
    if one.gap is not None:
        about["value"] = one.tested.column.bins.names[one.gap.worse]
        if one.gap.label is not None:
            about["class"] = one.asked.classes[one.gap.label]
    elif one.look.bin is not None:
        about["value"] = one.tested.column.bins.names[one.look.bin]
    return about


def _samples(one: Judged) -> tuple[str, ...]:
    """Where the value speaks for another class, or accuracy is lower; the hardest first."""
    asked = one.asked
    if one.told is not None:
        against = one.tested.votes.speaks < 0
    elif one.leaning is not None:
        codes, pairs = one.tested.column.bins.codes, zip(one.leaning.classes, one.leaning.bins, strict=True)
        against = np.any([(asked.labels == label) & (codes == at) for label, at in pairs], axis=0)
    else:
        at = one.look.bin if one.gap is None else one.gap.worse
        against = one.tested.column.bins.codes == at
        if one.gap is not None and one.gap.label is not None:
            against &= asked.labels == one.gap.label
    return asked.observed.hardest(asked.rows[against])
