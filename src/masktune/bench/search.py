"""A random search over a method's settings, nested: validation chooses, and only the chosen one is tested."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from masktune.bench.model_run import VALIDATION, Done, ModelRun
from masktune.errors import DataDamaged, InputError
from masktune.methods import Fitted
from masktune.methods.base import read_by
from masktune.models.weights import load_weights, read_weights
from masktune.runs import load_predictions
from masktune.runs.jsons import read_object, write_json
from masktune.training.selection import score_by
from masktune.types import Selection, Supervision

RECORD = "search.json"
"""In the method's folder: what was tried, and what each scored."""


@dataclass(frozen=True, slots=True)
class Try:
    """One setting of a search."""

    settings: str
    """What departs from the method's own settings, in words; "own settings" if nothing does."""
    score: float | None
    """Of validation by the rule; None where it failed."""
    chosen: bool
    failed: str | None = None
    """Why."""


@dataclass(frozen=True, slots=True)
class Search:
    """What was tried of a method with one seed."""

    rule: Selection
    tries: tuple[Try, ...]

    @classmethod
    def read(cls, path: Path) -> "Search":
        """What `search.json` says.

        Raises:
            DataDamaged: it is damaged.
        """
        content = read_object(path)
        try:
            return cls(content["rule"], tuple(Try(**one) for one in content["tries"]))
        except (KeyError, TypeError) as error:
            raise DataDamaged(f"{path} is damaged ({error}); delete the method's folder") from error


def in_words(settings: Mapping[str, Any]) -> str:
    """Settings as text: step_size=0.03, adjustment=2.0."""
    return ", ".join(f"{name}={value}" for name, value in settings.items()) or "own settings"


def check_rule(rule: Selection) -> None:
    """Refuse a rule that scores nothing."""
    if rule == "last":
        raise InputError("expected a rule that scores settings by validation, got 'last'")


@dataclass(frozen=True, slots=True)
class ChosenRun:
    """The last step of a search: of what was tried the best by validation is asked about the test images."""

    run: ModelRun
    """Of the method; it is not fitted again."""
    places: Sequence[Path]
    """Folders of what was tried."""
    tried: Sequence[Mapping[str, Any]]
    """The settings of each."""
    rule: Selection
    stage1: Path | None = None
    """The folder of ERM, where all that was tried goes on from it: its cost counts once."""

    def done(self) -> Done:
        """Its numbers: read where they exist, else made; then they are written last.

        Raises:
            InputError: all that was tried failed.
        """
        if self.run.finished_at.exists():
            return Done.read(self.run.finished_at)
        start = time.perf_counter()
        scores = [self._score(place) for place in self.places]
        known = [score for score in scores if score is not None]
        if not known:
            raise InputError(f"all {len(scores)} settings of {self.run.method.name} that were tried failed")
        best = scores.index(max(known))
        tries = [
            {"settings": in_words(settings), "score": score, "chosen": at == best, "failed": _why(place)}
            for at, (settings, score, place) in enumerate(zip(self.tried, scores, self.places, strict=True))
        ]
        record = {"rule": self.rule, "tries": tries}
        self.run.here.first_does(lambda: write_json(self.run.place / RECORD, record))
        about = {
            **self.run.about,
            "config": f"best of {len(tries)} by {self.rule}",
            "supervision": stronger(self.run.method.supervision, read_by(self.rule)),
        }
        return replace(self.run, about=about, selected_by=self.rule).judged(self._fitted(best), start)

    def _score(self, place: Path) -> float | None:
        path = place / "predictions" / f"{VALIDATION}.npz"
        return score_by(self.rule, load_predictions(path)) if (place / "rows.json").exists() else None

    def _fitted(self, best: int) -> Fitted:
        """The classifier that was chosen; what all of them read and took is what it cost."""
        done = [Done.read(place / "rows.json") for place in self.places if (place / "rows.json").exists()]
        chosen = Done.read(self.places[best] / "rows.json").rows[0]
        classifier = self.run.recipe.build(self.run.seed).to(self.run.here.device)
        load_weights(classifier.net, read_weights(self.places[best] / "weights.safetensors"))
        samples = [one.samples for one in done if one.samples is not None]
        seconds = sum(float(one.rows[0].seconds or 0.0) for one in done)
        read = sum(samples) if len(samples) == len(done) else None
        if self.stage1 is not None:
            first, again = Done.read(self.stage1 / "rows.json"), len(done) - 1
            seconds -= again * float(first.rows[0].seconds or 0.0)
            read = None if read is None or first.samples is None else read - again * first.samples
        return Fitted(
            classifier,
            chosen.selection or "last",  # type: ignore[arg-type]
            chosen.epochs or 0,
            max(0.0, seconds),
            read,
        )


def stronger(first: Supervision, second: Supervision) -> Supervision:
    """Of two kinds of supervision the one that reads more."""
    order: tuple[Supervision, ...] = ("none", "validation_groups", "train_groups")
    return max(first, second, key=order.index)


def _why(place: Path) -> str | None:
    path = place / "failed.json"
    return str(read_object(path).get("why")) if path.exists() else None
