"""The paragraph that a paper or a file note needs to say how a trial can be repeated."""

from collections.abc import Mapping

from masktune.report.page.trial_words import ARMS, arm_of, has_controls, measured
from masktune.runs import RunRecord
from masktune.trial.judging import REPEATS
from masktune.trial.trialled import Trialled


def statement(trialled: Trialled, record: RunRecord) -> str:
    """Hardware, versions, data, splits, seeds, choice of rate and checkpoint, what was judged, licences.

    Args:
        trialled: what came out.
        record: the run's `run.json`.
    """
    sentences = (
        _machine(record),
        _data(trialled),
        _weights(trialled),
        _arms(trialled),
        _rate(trialled),
        _judging(trialled),
        f"Licences: {'; '.join(trialled.licences) or 'not known: check'}.",
    )
    return " ".join(sentences)


def _machine(record: RunRecord) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    return (
        f"The trial was run on {record.started[:10]} on the device {record.device} with {record.threads} "
        f"thread{'' if record.threads == 1 else 's'}, with {libraries}."
    )


def _data(trialled: Trialled) -> str:
    known = f"sha256 {trialled.sha256}" if trialled.sha256 else "no hash known"
    roles = [f"{role} {sum(of.values())} ({_by_class(of)})" for role, of in trialled.counts.items()]
    subjects = "" if trialled.subjects is None else "; no subject is in two of them"
    return f"Data: {trialled.name} ({known}), images by role: {'; '.join(roles)}{subjects}."


def _by_class(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _weights(trialled: Trialled) -> str:
    before = arm_of(trialled, "untouched")
    first = ""
    if before is not None and before.epochs:
        first = (
            f" They were trained for {before.epochs} epochs first, and the checkpoint with the best accuracy "
            "on held-back training images was taken."
        )
    return f"Start weights: sha256 {trialled.weights_sha256}; {trialled.seen.rstrip('.')}.{first}"


def _arms(trialled: Trialled) -> str:
    names = ", ".join(ARMS[arm.name] for arm in trialled.arms)
    return (
        f"Arms: {names}; all from the same weights, on the same images in the same order (seed "
        f"{trialled.settings.get('seed', 'not recorded')}), for one epoch, of which the last weights count."
    )


def _rate(trialled: Trialled) -> str:
    rate = trialled.rate
    if not rate.tried:
        return f"The learning rate {rate.rate:g} was given."
    tried = ", ".join(f"{one.rate:g}" for one in rate.tried)
    return (
        f"The learning rate {rate.rate:g} was chosen among {tried}: the largest at which a quarter of one "
        "more ordinary epoch is not clearly behind the best on held-back training images; MaskTune had no "
        "part in it."
    )


def _judging(trialled: Trialled) -> str:
    judged = measured(arm_of(trialled, "untouched"), "accuracy")
    count = "the" if judged is None else f"{judged.n}"
    subjects = "" if trialled.subjects is None else f" of {trialled.subjects} subjects"
    by = "images" if trialled.subjects is None else "subjects"
    against = "the best control" if has_controls(trialled) else "the untouched model, for want of a control"
    return (
        f"Judged on {count} validation images{subjects} that no arm was tuned on, against {against}, with "
        f"{REPEATS:,} paired bootstrap draws of {by} and Holm's correction; no group label was read."
    )
