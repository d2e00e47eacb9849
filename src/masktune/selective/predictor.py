"""A classifier, or two, that may abstain: calibrated on images of their own, saved as JSON."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
from jaxtyping import Bool, Int64

from masktune.errors import CannotCertify, DataDamaged, DataNotFound, InputError
from masktune.evaluation import Predictions
from masktune.evaluation.intervals import Rate, clopper_pearson, wilson
from masktune.files import storage_errors, write_text
from masktune.selective.by_group import GroupPart, by_code, by_group
from masktune.selective.scores import Score, Scored
from masktune.selective.thresholds import (
    NONE,
    EmpiricalRisk,
    Found,
    GuaranteedRisk,
    JointError,
    Rule,
    TargetCoverage,
    accepts,
)

SCHEMA = "masktune.selective/1"

Role = Literal["calibration", "model-selection", "training"]
"""What the calibration images were used for before: nothing, choosing the checkpoint, fitting weights."""

ABSTAIN = -1
"""The label where no answer is given."""

RULES: Mapping[str, type[Rule]] = {
    "coverage": TargetCoverage,
    "empirical_risk": EmpiricalRisk,
    "guaranteed_risk": GuaranteedRisk,
    "joint_error": JointError,
}
"""Rules by the name under which they are saved."""

RESERVE = "masktune tune DATA ... --calibration-share .2"
"""Reserves images that nothing reads before."""


@dataclass(frozen=True, slots=True)
class Parentage:
    """Which weights answer, and which come from which."""

    first: str | None = None
    """The sha256 of the first classifier's weights."""
    second: str | None = None
    """Of the second one's."""
    tuned_from: str | None = None
    """Of the weights that the second was tuned from."""

    @property
    def related(self) -> bool | None:
        """Whether the second was tuned from the first; None where that is not known."""
        return None if self.tuned_from is None or self.first is None else self.tuned_from == self.first


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """What is answered to n images."""

    labels: Int64[np.ndarray, " n"]
    """Classes; `ABSTAIN` where none is given."""
    accepted: Bool[np.ndarray, " n"]
    """Where one is."""
    scored: Scored
    """What would be answered, and how sure it is."""


@dataclass(frozen=True, slots=True)
class Judged:
    """How good decisions are, by true labels."""

    coverage: Rate
    """Share of images that are answered."""
    risk: Rate
    """Wrong among these, with the exact interval."""
    agreement: Rate | None
    """Where both classifiers say the same."""
    wrong_rejected: Rate
    """Wrong among those that are not answered."""
    groups: list[GroupPart] = field(default_factory=list)
    """By group, where known."""
    classes: list[GroupPart] = field(default_factory=list)
    """By true class."""


@final
@dataclass(frozen=True, slots=True)
class SelectivePredictor:
    """One or two classifiers with a threshold: a label, or none.

    `SelectivePredictor(Score("product"), GuaranteedRisk(0.05)).calibrate(erm, masktune)` makes it ready.

    Raises:
        InputError: of per-class thresholds, a rule other than coverage or guaranteed risk.
    """

    score: Score = Score()  # noqa: RUF009 - it is frozen.
    """How sure the classifiers are; it says whether one or two are needed."""
    rule: Rule = TargetCoverage(0.9)  # noqa: RUF009 - it is frozen.
    """How the threshold is found."""
    per_class: bool = False
    """A threshold for each *predicted* class; a guarantee then holds for all of them at once (delta /
    classes), and classes that cannot be certified are never answered."""
    found: tuple[Found, ...] = ()
    """After calibration: the threshold, or one for each class."""
    classes: int | None = None
    """After calibration: how many there are."""
    role: Role | None = None
    """After calibration: what those images had been used for."""
    ids_sha256: str | None = None
    """After calibration: over the ids of those images, so that none is judged on."""
    weights: Parentage = Parentage()
    """Whose answers these are."""

    def __post_init__(self) -> None:
        if self.per_class and not isinstance(self.rule, TargetCoverage | GuaranteedRisk):
            raise InputError("expected a target coverage or a guaranteed risk for thresholds by class")

    def calibrate(
        self,
        first: Predictions,
        second: Predictions | None = None,
        *,
        role: Role = "calibration",
        weights: Parentage = Parentage(),
        seed: int = 0,
    ) -> "SelectivePredictor":
        """The same predictor with its threshold found on images.

        Of several images of a subject a guarantee reads one, drawn by `seed`: they are not independent.

        Args:
            first: what the first classifier says of the calibration images.
            second: what the second says of them.
            role: what these images were used for before.
            weights: hashes of both classifiers' weights.
            seed: of what is drawn.

        Raises:
            InputError: a guarantee on images that are not unread; a score or coverage that is out of reach.
            CannotCertify: too few images for the risk asked for.
        """
        scored = self.score.of(first, second)
        return self.calibrated(scored, first, role=role, weights=weights, seed=seed)

    def calibrated(
        self,
        scored: Scored,
        first: Predictions,
        *,
        role: Role,
        weights: Parentage = Parentage(),
        seed: int = 0,
    ) -> "SelectivePredictor":
        """As `calibrate`, by scores that are known already.

        Raises:
            InputError, CannotCertify: as `calibrate`.
        """
        thinned = False
        if isinstance(self.rule, GuaranteedRisk | JointError):
            _check_role(role)
            chosen = one_a_subject(first, seed)
            thinned = not chosen.all()
            scored, first = scored.select(chosen), first.select(chosen)
        classes = first.logits.shape[1]
        found = self._found(scored, scored.labels != first.labels, classes)
        if thinned:
            found = tuple(replace(one, promise=f"{one.promise}; one image of each subject") for one in found)
        ids = hash_of_ids(first)
        return replace(self, found=found, classes=classes, role=role, ids_sha256=ids, weights=weights)

    def _found(self, scored: Scored, wrong: Bool[np.ndarray, " n"], classes: int) -> tuple[Found, ...]:
        if not self.per_class:
            return (self.rule.found(scored.scores, wrong),)
        rule = self.rule
        assert isinstance(rule, TargetCoverage | GuaranteedRisk)
        if isinstance(rule, GuaranteedRisk):
            rule = replace(rule, delta=rule.delta / classes)
        parts = [scored.labels == label for label in range(classes)]
        found = tuple(_of_class(rule, scored.scores[part], wrong[part]) for part in parts)
        if isinstance(rule, GuaranteedRisk) and not any(one.certified for one in found):
            rule.found(scored.scores, np.ones(len(wrong), dtype=bool))  # Raises, with what it takes.
        return found

    def predict(self, first: Predictions, second: Predictions | None = None) -> Decisions:
        """A label or none for each image; true labels are not looked at.

        Raises:
            InputError: it is not calibrated yet, or the predictions are of other classes or too few models.
        """
        if not self.found:
            raise InputError("this predictor has no threshold yet; call calibrate first")
        if first.logits.shape[1] != self.classes:
            raise InputError(f"expected predictions of {self.classes} classes, got {first.logits.shape[1]}")
        return self.decide(self.score.of(first, second))

    def decide(self, scored: Scored) -> Decisions:
        """The same by scores that are known already."""
        thresholds = np.array([one.threshold for one in self.found])
        mine = thresholds[scored.labels] if self.per_class else self.found[0].threshold
        accepted = accepts(scored.scores, mine)
        return Decisions(np.where(accepted, scored.labels, ABSTAIN), accepted, scored)

    def judge(self, first: Predictions, second: Predictions | None = None) -> Judged:
        """How often it answers, and how often wrongly; by group and class too.

        Raises:
            InputError: as `predict`; or these are the very images that it was calibrated on.
        """
        if self.ids_sha256 == hash_of_ids(first):
            raise InputError("these are the images that the threshold was found on; judge it on others")
        return self.judged(self.predict(first, second), first)

    @staticmethod
    def judged(said: Decisions, first: Predictions) -> Judged:
        """How good decisions are, by the true labels of `first`."""
        wrong = said.scored.labels != first.labels
        agree = said.scored.agree
        names = tuple(str(one) for one in first.classes or range(first.logits.shape[1]))
        return Judged(
            wilson(int(said.accepted.sum()), len(first)),
            clopper_pearson(int((said.accepted & wrong).sum()), int(said.accepted.sum())),
            None if agree is None else wilson(int(agree.sum()), len(first)),
            wilson(int((~said.accepted & wrong).sum()), int((~said.accepted).sum())),
            [] if first.groups is None else by_group(first.groups, said.accepted, wrong, agree),
            by_code(names, first.labels, said.accepted, wrong, agree),
        )

    def save(self, path: Path | str) -> None:
        """Write it as JSON; thresholds in decimal and, exactly, in hexadecimal.

        Raises:
            InputError: it is not calibrated yet.
            StorageError: it cannot be written.
        """
        if not self.found:
            raise InputError("this predictor has no threshold yet; call calibrate first")
        name = next(name for name, kind in RULES.items() if isinstance(self.rule, kind))
        content = {
            "schema": SCHEMA,
            "score": asdict(self.score),
            "rule": {"kind": name, **asdict(self.rule)},
            "per_class": self.per_class,
            "classes": self.classes,
            "role": self.role,
            "calibration_ids_sha256": self.ids_sha256,
            "weights_sha256": asdict(self.weights),
            "thresholds": [_to_json(one) for one in self.found],
        }
        write_text(Path(path), json.dumps(content, indent=2, allow_nan=False) + "\n")

    @classmethod
    def load(cls, path: Path | str) -> "SelectivePredictor":
        """Read what `save` wrote.

        Raises:
            DataNotFound, DataDamaged: there is no such file, or it is none of ours.
        """
        path = Path(path)
        if not path.exists():
            raise DataNotFound(f"there is no predictor {path}")
        try:
            with storage_errors(path, "read"):
                content = json.loads(path.read_text(encoding="utf-8"))
            if content["schema"] != SCHEMA:
                raise InputError(f"its schema is {content['schema']!r}, not {SCHEMA!r}")
            kind = content["rule"].pop("kind")
            score = content["score"]
            return cls(
                Score(**score | {"temperatures": tuple(score["temperatures"])}),
                RULES[kind](**content["rule"]),
                content["per_class"],
                tuple(_from_json(one) for one in content["thresholds"]),
                content["classes"],
                content["role"],
                content["calibration_ids_sha256"],
                Parentage(**content["weights_sha256"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataDamaged(f"{path} is no predictor of masktune: {error}") from error


def _check_role(role: Role) -> None:
    if role != "calibration":
        used = "weights were fitted to" if role == "training" else "chose the checkpoint"
        raise InputError(
            f"a guarantee on images that {used} is none, since they look easier than others; calibrate on "
            f"images that nothing has read, as `{RESERVE}` reserves, or ask for a coverage"
        )


def one_a_subject(predictions: Predictions, seed: int = 0) -> Bool[np.ndarray, " n"]:
    """Where one image of each subject is, drawn by `seed`; everywhere where subjects are not known."""
    chosen = np.ones(len(predictions), dtype=bool)
    if predictions.subjects is not None:
        order = np.random.default_rng(seed).permutation(len(predictions))
        chosen[:] = False
        chosen[order[np.unique(predictions.subjects[order], return_index=True)[1]]] = True
    return chosen


def hash_of_ids(predictions: Predictions) -> str:
    """A sha256 over the images' ids, whatever their order."""
    return hashlib.sha256("\n".join(sorted(predictions.ids.tolist())).encode()).hexdigest()


def _of_class(rule: TargetCoverage | GuaranteedRisk, scores: np.ndarray, wrong: np.ndarray) -> Found:
    """A class that nobody predicts, or that cannot be certified, is never answered."""
    if not len(scores):
        return Found(NONE, 0, 0, 0, "no calibration image was predicted as this class: it is never answered")
    try:
        return rule.found(scores, wrong)
    except CannotCertify as error:
        return Found(NONE, len(scores), 0, 0, f"never answered: {error}")


def _to_json(found: Found) -> dict[str, Any]:
    threshold = found.threshold
    words = str(threshold) if math.isinf(threshold) else threshold
    return asdict(found) | {"threshold": words, "threshold_hex": threshold.hex()}


def _from_json(content: dict[str, Any]) -> Found:
    exact = float.fromhex(content["threshold_hex"])
    return Found(
        **{name: value for name, value in content.items() if name != "threshold_hex"} | {"threshold": exact}
    )
