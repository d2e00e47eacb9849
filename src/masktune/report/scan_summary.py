"""What a scan found, in a few paragraphs: what was measured, what came out, what it cannot tell."""

from collections.abc import Sequence

from masktune.evaluation import Rate, accuracy, group_accuracy, worst_group_accuracy
from masktune.evaluation.weighted import labelled_correct, labelled_worst_group
from masktune.findings.finding import Finding
from masktune.findings.observed import Observed
from masktune.findings.shown import Scanned

CANNOT = (
    "What a scan cannot tell: a shortcut that every image of a class has, and no image of another, looks "
    "like the class itself; a mark at no fixed place, or a texture, is found only where a probe or a column "
    "gives it away. Where nothing was found, nothing is proven. Whether MaskTune helps is for a trial to "
    "tell, not for a scan."
)


def summary_of_scan(scanned: Scanned) -> tuple[str, ...]:
    """Paragraphs: verdict, what was measured, what was found and what to do, what it cannot tell."""
    return (_headline(scanned), _measured(scanned), *_by_group(scanned), *_found(scanned.findings), CANNOT)


def _headline(scanned: Scanned) -> str:
    problems, hints = (_with(scanned.findings, verdict) for verdict in ("problem", "hint"))
    if problems:
        first = problems[0].reason
        return f"{_count(len(problems), 'problem')} and {_count(len(hints), 'hint')}. First of all: {first}."
    if hints:
        return f"No problem was found, {_count(len(hints), 'thing')} worth a look."
    return "No problem was found."


def _measured(scanned: Scanned) -> str:
    observed = scanned.observed
    classes = len(observed.data_classes)
    subjects = "" if observed.predictions.subjects is None else f" of {observed.units.max() + 1} subjects"
    told = (
        f"Measured on {len(observed)} images{subjects} in {classes} classes: what the classifier says of "
        "each, where it looks, and what it says when that area, as large a random one, or the least salient "
        "one is hidden; nothing was trained."
    )
    if not observed.same_classes:
        return f"{told} The classifier has classes of its own, so nothing can be said of right and wrong."
    return f"{told} It is right on {_percent(accuracy(observed.predictions))} of them."


def _by_group(scanned: Scanned) -> list[str]:
    """What given groups, and the labels of a person, say."""
    return [*_by_given_group(scanned.observed), *_by_labelled_group(scanned)]


def _by_given_group(observed: Observed) -> list[str]:
    if observed.predictions.groups is None or not observed.same_classes:
        return []
    rates = group_accuracy(observed.predictions)
    worst, rate = worst_group_accuracy(observed.predictions)
    told = f"right on {_percent(rate)} of its {rate.n} images"
    return [f"Of {_count(len(rates), 'group')} the worst is {worst!r}: {told}."]


def _by_labelled_group(scanned: Scanned) -> list[str]:
    if scanned.groups is None:
        return []
    groups = scanned.groups
    worst = labelled_worst_group(labelled_correct(scanned.observed.predictions, groups.sample), groups.sample)
    told = (
        f"{len(groups.sample)} images were looked at by a person for {groups.pattern}. The worst group is "
        f"{worst.name!r}, right on {_percent(worst.rate)} of its images"
    )
    return [" ".join([f"{told}.", *(f"{note}." for note in groups.notes)])]


def _found(findings: Sequence[Finding]) -> list[str]:
    """Problems with what to do, said once where several have the same remedy; hints in a word."""
    paragraphs, advised = [], set()
    for finding in _with(findings, "problem"):
        advice = f" {finding.advice}" if finding.advice and finding.advice not in advised else ""
        advised.add(finding.advice)
        paragraphs.append(f"Problem {finding.code}: {finding.reason}.{advice}")
    paragraphs += [f"Worth a look, {one.code}: {one.reason}." for one in _with(findings, "hint")]
    quiet = [finding.code for finding in _with(findings, "passed")]
    missing = [f"{finding.code} ({finding.reason})" for finding in _with(findings, "not_applicable")]
    if quiet:
        paragraphs.append(f"Nothing to say against it: {', '.join(dict.fromkeys(quiet))}.")
    if missing:
        paragraphs.append(f"Not asked, for want of something: {'; '.join(missing)}.")
    return paragraphs


def _with(findings: Sequence[Finding], verdict: str) -> list[Finding]:
    return [finding for finding in findings if finding.verdict == verdict]


def _count(number: int, thing: str) -> str:
    return f"{number or 'no'} {thing}{'' if number == 1 else 's'}"


def _percent(rate: Rate) -> str:
    value = 100 * (rate.value or 0)
    if rate.low is None or rate.high is None:
        return f"{value:.1f} %"
    return f"{value:.1f} % ({100 * rate.low:.1f} to {100 * rate.high:.1f})"
