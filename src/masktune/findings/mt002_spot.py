"""MT002: is a class told by what lies at one place, whatever else the image shows?"""

import numpy as np

from masktune.evaluation import Rate, wilson
from masktune.findings.finding import Evidence, Finding, Question, Verdict
from masktune.findings.observed import SAMPLES, Observed, Transplant
from masktune.findings.swapped import (
    GAIN,
    LEAST,
    MARK,
    SLIGHT,
    decides,
    gain_of,
    is_mark,
    is_part_of,
    is_tried,
    loss_of,
)


def ask(observed: Observed) -> list[Finding]:
    """One finding for each spot that carries its class along, or one for all that do not."""
    tried = [one for one in observed.transplants if is_tried(one)]
    if not tried:
        reason = (
            f"a place stood out in {len(observed.transplants)} cases, none with {LEAST} images of the class "
            "and of others"
            if observed.transplants
            else "no place stands out, neither in what is looked at nor in the pixels of a class"
        )
        return [QUESTION.finding("not_applicable" if observed.transplants else "passed", reason)]
    judged = [(one, _finding(observed, one)) for one in tried]
    fired = [(one, finding) for one, finding in judged if finding.verdict != "passed"]
    fired.sort(key=lambda each: each[1].verdict != "problem")
    marked = [one.spot.place for one, finding in fired if finding.verdict == "problem" and is_mark(one)]
    kept: dict[tuple[str, str], Finding] = {}
    for one, finding in fired:
        if not _is_said(one, finding, marked):
            kept.setdefault((finding.about["class"], finding.about["place"]), finding)
    return list(kept.values()) or [_strongest(observed, tried)]


def _is_said(one: Transplant, finding: Finding, marked: list[str]) -> bool:
    """Whether a mark's own finding says it all.

    That it is missing speaks for the other classes, and a part of it speaks for its own a little.
    """
    part = [is_part_of(one.spot.place, place) for place in marked]
    return any(part) and (not is_mark(one) or finding.verdict == "hint")


def _finding(observed: Observed, one: Transplant) -> Finding:
    name, gain, loss = _name(observed, one), gain_of(one), loss_of(one)
    verdict, told = _judged(one, name, gain.low or 0, loss.low or 0)
    flipped = wilson(int(one.flipped_in.sum()), len(one.flipped_in))
    share = 100 * (flipped.value or 0)
    return QUESTION.finding(
        verdict,
        f"{told}: pasted into images of other classes it turns {share:.0f} % of them",
        evidence=_evidence(one, gain, loss, flipped),
        advice=_advice(verdict),
        about={"class": name, "place": one.spot.place},
        samples=tuple(one.ids_out[np.argsort(-one.loss, kind="stable")][:SAMPLES].tolist()),
    )


def _judged(one: Transplant, name: str, gain: float, loss: float) -> tuple[Verdict, str]:
    """The verdict and what it says, from the lower ends of gain and loss."""
    place, strength = one.spot.place, max(gain, loss)
    told_apart = is_mark(one) or (place.endswith("corner") and gain >= GAIN)
    if told_apart and decides(one):
        return "problem", f"the {place} alone decides on {name!r}"
    if strength >= SLIGHT and (place != "centre" or one.recurs >= MARK):
        return "hint", f"what lies at the {place} speaks for {name!r}"
    if one.recurs >= max(one.recurs_elsewhere, 0) + MARK:
        there = f"images called {name!r} have the same thing at the {place}, which others have not"
        return "hint", f"{there}; the classifier hardly goes with it"
    if strength >= SLIGHT:
        return "passed", f"the middle speaks for {name!r}, as it does where objects lie there"
    return "passed", f"what lies at the {place} hardly speaks for {name!r}"


def _evidence(one: Transplant, gain: Rate, loss: Rate, flipped: Rate) -> tuple[Evidence, ...]:
    flipped_out = wilson(int(one.flipped_out.sum()), len(one.flipped_out))
    n = len(one.loss)
    return (
        Evidence.of("probability that it gains when that place is pasted into other classes", gain),
        Evidence.of("probability that it loses when that place comes from other classes", loss),
        Evidence.of("share of other classes' images that turn", flipped),
        Evidence.of("share of its own images that turn away", flipped_out),
        Evidence("how alike its images are there, 0 to 1", one.recurs, n),
        Evidence("how alike other classes' images are there", one.recurs_elsewhere, len(one.gain)),
    )


def _advice(verdict: Verdict) -> str:
    if verdict == "passed":
        return ""
    if verdict == "hint":
        return (
            "Objects may lie there; look at the images in the gallery. If what lies there is no part of the "
            "object, crop it away or tune with MaskTune."
        )
    return (
        "Crop it away if nothing else lies there, or tune with MaskTune, which hides it and needs no labels; "
        "where you can, collect images of this class without it and of the others with it. The accuracy on "
        "these images says nothing about images without it."
    )


def _name(observed: Observed, one: Transplant) -> str:
    return observed.net_classes[one.spot.label]


def _strongest(observed: Observed, tried: list[Transplant]) -> Finding:
    return _finding(observed, max(tried, key=lambda one: float(one.gain.mean())))


QUESTION = Question("MT002", "Is a class told by what lies at one place?", ask)
