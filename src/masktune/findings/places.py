"""How a place is asked where the object should not be: does it suffice, and is it used?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from masktune.evaluation import Rate
from masktune.findings.finding import Evidence, Finding, Question, Verdict
from masktune.findings.observed import Observed, Spot
from masktune.findings.probing import MOST, Features, Probe, Tiny, Whole, draw_by_class, followed, probe
from masktune.findings.swapped import decides, is_no_object, is_part_of, is_tried

LEAST_IMAGES = 20
"""Images of a class below which folds are too few to fit and to count; smaller classes are left out."""

LEAST_UNITS = 10
"""Independent subjects or images, for the same reason."""

STRONG, NOTABLE = 0.5, 0.3
"""Lower ends of the gain: what a probe must reach for a problem, and for a hint.

Of 1,000 images each, cats and dogs reach 0.12 at the border and 0.10 in the corners, MNIST 0 and 0.24, made
shapes 0, and 0.87 with a mark of 6 to 10 of 64 pixels on 95 % of one class and 5 % of the other.
"""

FOLLOWS, CERTAINLY, LEAST_WRONG = 0.65, 0.55, 10
"""Area under the curve of `followed`, its lower end, and the images that the probe tells wrong behind it."""

Part = Callable[[Tiny], Features]
"""What a probe may know of the pictures: numbers from one part of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A probe of one part of the pictures, asked about the class that it tells best."""

    rows: Whole
    """The images that were used, by their places in what was observed."""
    found: Probe
    label: int
    """The class that it tells best from the others."""
    gain: Rate
    """How well, `Probe.gain`."""

    @classmethod
    def of(cls, observed: Observed, part: Part, rows: Whole) -> "Asked":
        """Fit and ask the probe."""
        found = probe(part(observed.tiny[rows]), observed.labels[rows], observed.units[rows])
        label = found.best_told()
        return cls(rows, found, label, found.gain(label))

    @property
    def low(self) -> float:
        """Lower end of the gain."""
        return -1.0 if self.gain.low is None else self.gain.low

    def evidence(self, place: str, name: str) -> tuple[Evidence, ...]:
        """Balanced accuracy beside chance, and the gain of class `name`."""
        count = len(self.found.classes)
        return (
            Evidence.of(f"balanced accuracy of a probe of the {place}", self.found.accuracy),
            Evidence("balanced accuracy by chance", 1 / count, len(self.rows)),
            Evidence.of(f"gain over chance for {name} (0 none, 1 perfect)", self.gain),
        )

    def misled(self, observed: Observed) -> tuple[str, ...]:
        """A dozen images on which the probe errs, those first that are hardest for the classifier."""
        return observed.hardest(self.rows[~self.found.told(self.label)])


def rows_to_ask(observed: Observed, *, seed: int = 0) -> Whole | str:
    """At most `MOST` images of the classes that have enough, or why the probe cannot be asked."""
    counts = np.bincount(observed.labels)
    enough = np.flatnonzero(counts >= LEAST_IMAGES)
    if len(np.unique(observed.labels)) < 2:
        return "there is only one class"
    if len(enough) < 2:
        return f"fewer than two classes have {LEAST_IMAGES} images or more"
    rows = np.flatnonzero(np.isin(observed.labels, enough))
    units = len(np.unique(observed.units[rows]))
    if units < LEAST_UNITS:
        return f"the images show {units} subjects; {LEAST_UNITS} or more are needed to leave some out"
    return np.asarray(rows[draw_by_class(observed.labels[rows], MOST, np.random.default_rng(seed))])


def ask_place(
    observed: Observed, question: Question, whole: str, all_of_it: Part, parts: Mapping[str, Part]
) -> Finding:
    """Can a class be told from a place where its object should not be, and does the classifier do so?

    Args:
        observed: what was observed.
        question: of which module.
        whole: the place in words: "border".
        all_of_it: what a probe may know of it.
        parts: of single parts of it, by name: "top edge".
    """
    rows = rows_to_ask(observed)
    if isinstance(rows, str):
        return question.finding("not_applicable", rows)
    asked = Asked.of(observed, all_of_it, rows)
    name = observed.data_classes[asked.label]
    evidence = asked.evidence(whole, name)
    if asked.low < NOTABLE:
        return question.finding(
            "passed", f"no class can be told well from the {whole} alone", evidence=evidence
        )
    place = _narrowest(observed, asked, whole, parts)
    verdict, follows, more = _judge(observed, asked, place)
    return question.finding(
        verdict,
        f"from the {place} alone a probe tells {whom(observed, asked)}; {follows}",
        evidence=evidence + more,
        advice=f"Look at the {place} of the samples. Hide it, crop it away, or collect images without it, "
        "then scan again.",
        about={"place": place} | ({"class": name} if len(asked.found.classes) > 2 else {}),
        samples=asked.misled(observed),
    )


def _narrowest(observed: Observed, asked: Asked, whole: str, parts: Mapping[str, Part]) -> str:
    """The one part that tells the class about as well as the whole does, else the whole."""
    alone = {name: Asked.of(observed, part, asked.rows) for name, part in parts.items()}
    best = max(alone, key=lambda name: alone[name].low)
    others = [each.low for name, each in alone.items() if name != best]
    clear = alone[best].low >= asked.low - 0.1 and all(low < alone[best].low - 0.1 for low in others)
    return best if clear else whole


def whom(observed: Observed, asked: Asked) -> str:
    """Which classes are told apart, in words."""
    names = [observed.data_classes[label] for label in asked.found.classes.tolist()]
    if len(names) == 2:
        return f"{names[0]} from {names[1]}"
    return f"{observed.data_classes[asked.label]} from the other classes"


def _judge(observed: Observed, asked: Asked, place: str) -> tuple[Verdict, str, tuple[Evidence, ...]]:
    """Whether the classifier goes with the place, half a sentence on it, and the number behind it."""
    if not observed.same_classes:
        return "hint", "whether the classifier uses it cannot be told, since its classes are others", ()
    wrong = int((~asked.found.told(asked.label)).sum())
    area = followed(asked.found, asked.label, observed.margin[asked.rows])
    evidence = (
        Evidence.of("chance that an image that misleads the probe is harder (0.5: no relation)", area),
    )
    swapped = [one for one in observed.transplants if is_tried(one) and _concerns(one.spot, asked, place)]
    if asked.low >= STRONG and any(decides(one) and is_no_object(one) for one in swapped):
        return "problem", "swapped between images it takes the answer along: the classifier uses it", evidence
    if area.value is None or area.low is None or wrong < LEAST_WRONG:
        reason = f"it errs on {wrong} images, too few to see whether the classifier does likewise"
        return "hint", reason, evidence
    if area.value < FOLLOWS or area.low <= CERTAINLY:
        return "hint", "the classifier does not clearly go with it", evidence
    reason = "images that mislead the probe are harder for the classifier"
    if asked.low >= STRONG:
        tried = "swapped between images it does not clearly take the class along"
        reason += (
            f", but {tried if swapped else 'it was not swapped'}: it may be a background that goes with "
        )
        reason += "the class"
    return "hint", reason, evidence


def _concerns(spot: Spot, asked: Asked, place: str) -> bool:
    """Whether a place that was swapped has to do with the class and the place that are asked about.

    Of two classes either will do: what speaks for one speaks against the other.
    """
    if len(asked.found.classes) > 2 and spot.label != asked.label:
        return False
    if place == "corners":
        return spot.place != "centre"
    return is_part_of(spot.place, place) or is_part_of(place, spot.place)
