"""A trial on disk: `trial.json` and `trial.npz`, to draw its report again without the model or images.

A number that is none (NaN, infinity) comes back as NaN.
"""

import hashlib
import io
import json
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from masktune.errors import DataDamaged, DataNotFound, InputError
from masktune.evaluation import Measure, Predictions, Rate
from masktune.files import complete_file, storage_errors
from masktune.masking import MeanPlusStd, Quantile, Threshold, TopFraction
from masktune.runs.jsons import plain, read_object
from masktune.runs.pictures import joined, parted
from masktune.trial.changes import Changed
from masktune.trial.judging import ArmScore, Gain, Judged
from masktune.trial.power import SmallestEffect
from masktune.trial.rates import RateChoice, TriedRate
from masktune.trial.scores import SCORES
from masktune.trial.trialled import BeforeAfter, TrialArm, Trialled
from masktune.trial.verdict import Verdict
from masktune.types import Hidden

SCHEMA = "masktune.trial/1"

_WORDS = "trial.json"
_ARRAYS = "trial.npz"
_DIGEST = "words_sha256"
_COLUMNS = ("labels", "ids", "groups", "subjects", "splits")
"""Of predictions, what all arms have in common."""
_TEXT = ("id", "label", "before", "after")
_THRESHOLDS = {one.__name__: one for one in (MeanPlusStd, TopFraction, Quantile)}
_DAMAGE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy and zipfile raise on files that are no archives of these arrays, and records on wrong fields."""


@final
@dataclass(frozen=True, slots=True)
class Unsaved:
    """A threshold of a user's own as it comes back from disk: its words are there, its code is not."""

    text: str
    """How it printed itself."""

    def __call__(self, maps: Any) -> Hidden:
        """Nothing can be hidden with it.

        Raises:
            InputError: always.
        """
        raise InputError(
            f"expected one of masktune's own thresholds, got {self.text}, whose code is not on disk"
        )


def has_trialled(folder: Path) -> bool:
    """Whether there is a trial, all of it."""
    return (folder / _WORDS).exists() and (folder / _ARRAYS).exists()


def save_trialled(trialled: Trialled, folder: Path) -> None:
    """Write both files; `trial.json` last, so where it is all is there.

    One that is there already is replaced when both new files are on disk, by two renames. The arrays hold the
    digest of the words, so that two files of different trials are never taken for one.
    """
    words = (json.dumps(plain(_words(trialled)), ensure_ascii=False, allow_nan=False) + "\n").encode()
    arrays: dict[str, Any] = {**dict(_said(trialled)), **_pictures(trialled)}
    arrays[_DIGEST] = np.array(hashlib.sha256(words).hexdigest())
    with complete_file(folder / _WORDS) as words_part:
        words_part.write_bytes(words)
        with complete_file(folder / _ARRAYS) as part, part.open("wb") as file:
            np.savez_compressed(file, **arrays)


def load_trialled(folder: Path) -> Trialled:
    """Read what `save_trialled` wrote.

    Raises:
        DataNotFound: there is no trial.
        DataDamaged: a file is damaged, or of another version.
    """
    path = folder / _WORDS
    if not has_trialled(folder):
        raise DataNotFound(f"no finished trial in {folder}; give the folder of `masktune tune --out`")
    words = read_object(path)
    if words.get("schema") != SCHEMA:
        raise DataDamaged(f"{path} has the schema {words.get('schema')!r}, this masktune reads {SCHEMA!r}")
    with storage_errors(folder, "read"):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        content = io.BytesIO((folder / _ARRAYS).read_bytes())
    try:
        with np.load(content, allow_pickle=False) as arrays:
            if str(arrays[_DIGEST]) != digest:
                raise ValueError("trial.json and trial.npz are of two trials")
            return _loaded(words, dict(arrays))
    except _DAMAGE as error:
        reason = " ".join(str(error).split())
        raise DataDamaged(
            f"the trial in {folder} is damaged ({reason}); delete its trial.json and type its tune again"
        ) from error


def _words(trialled: Trialled) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "name": trialled.name,
        "sha256": trialled.sha256,
        "weights_sha256": trialled.weights_sha256,
        "classes": trialled.classes,
        "about": trialled.about,
        "settings": trialled.settings,
        "seen": trialled.seen,
        "notes": trialled.notes,
        "counts": trialled.counts,
        "subjects": trialled.subjects,
        "rate": asdict(trialled.rate),
        "effects": [asdict(one) for one in trialled.effects],
        "verdict": asdict(trialled.verdict),
        "arms": [asdict(one) for one in trialled.arms],
        "changes": [asdict(one) for one in trialled.changes],
        "predictions": {arm: list(by_split) for arm, by_split in trialled.predictions.items()},
        "threshold": _threshold_to_json(trialled.threshold),
        "shown": [{name: getattr(one, name) for name in _TEXT} for one in trialled.shown],
        "licences": trialled.licences,
    }


def _loaded(words: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Trialled:
    rate = words["rate"]
    return Trialled(
        name=words["name"],
        sha256=words["sha256"],
        weights_sha256=words["weights_sha256"],
        classes=tuple(words["classes"]),
        about=words["about"],
        settings=words["settings"],
        seen=words["seen"],
        notes=tuple(words["notes"]),
        counts=words["counts"],
        subjects=words["subjects"],
        rate=RateChoice(**{**rate, "tried": tuple(TriedRate(**one) for one in rate["tried"])}),
        effects=tuple(SmallestEffect(**one) for one in words["effects"]),
        verdict=_verdict(words["verdict"]),
        arms=tuple(map(_arm, words["arms"])),
        changes=tuple(map(_changed, words["changes"])),
        predictions=_predictions(words["predictions"], tuple(words["classes"]), arrays),
        threshold=_threshold_from_json(words["threshold"]),
        shown=_shown(words["shown"], arrays),
        licences=tuple(words["licences"]),
    )


def _said(trialled: Trialled) -> Iterator[tuple[str, np.ndarray]]:
    """Arrays of the predictions by key: logits of each arm, the rest once a split.

    Raises:
        InputError: arms that were asked about other images.
    """
    first: dict[str, Predictions] = {}
    for arm, by_split in trialled.predictions.items():
        for split, said in by_split.items():
            common = first.setdefault(split, said)
            if not np.array_equal(said.ids, common.ids):
                raise InputError(
                    f"expected the same images of {split} in the same order for each arm, not for {arm}"
                )
            yield f"logits/{arm}/{split}", said.logits
    for split, said in first.items():
        columns = {name: getattr(said, name) for name in _COLUMNS}
        yield from ((f"{name}/{split}", value) for name, value in columns.items() if value is not None)


def _predictions(
    keys: Mapping[str, list[str]], classes: tuple[str, ...], arrays: Mapping[str, np.ndarray]
) -> dict[str, dict[str, Predictions]]:
    def one(arm: str, split: str) -> Predictions:
        columns = {name: arrays[key] for name in _COLUMNS if (key := f"{name}/{split}") in arrays}
        return Predictions(logits=arrays[f"logits/{arm}/{split}"], classes=classes, **columns)

    return {arm: {split: one(arm, split) for split in splits} for arm, splits in keys.items()}


def _pictures(trialled: Trialled) -> dict[str, np.ndarray]:
    """All JPEG files, and the maps."""
    shown = trialled.shown
    found = joined([one.jpeg for one in shown])
    if shown:
        found["low_before"] = np.stack([one.low_before for one in shown])
        found["low_after"] = np.stack([one.low_after for one in shown])
    return found


def _shown(entries: list[dict[str, Any]], arrays: Mapping[str, np.ndarray]) -> tuple[BeforeAfter, ...]:
    return tuple(
        BeforeAfter(
            **entry,
            jpeg=jpeg,
            low_before=arrays["low_before"][at],
            low_after=arrays["low_after"][at],
        )
        for at, (entry, jpeg) in enumerate(zip(entries, parted(arrays), strict=True))
    )


def _verdict(entry: Mapping[str, Any]) -> Verdict:
    scores = tuple(map(_judged, entry["scores"]))
    return Verdict(**{**entry, "scores": scores, "notes": tuple(entry["notes"])})


def _judged(entry: Mapping[str, Any]) -> Judged:
    if entry["name"] not in SCORES:
        raise ValueError(f"no score of this masktune: {entry['name']}")
    arms = {name: ArmScore(**_numbers(one)) for name, one in entry["arms"].items()}
    gains = tuple(Gain(**_numbers(one)) for one in entry["gains"])
    return Judged(**{**entry, "arms": arms, "gains": gains})


def _arm(entry: Mapping[str, Any]) -> TrialArm:
    measures = {split: tuple(Measure(**one) for one in found) for split, found in entry["measures"].items()}
    return TrialArm(**{**entry, "measures": measures})


def _changed(entry: Mapping[str, Any]) -> Changed:
    rates = {name: Rate(**entry[name]) for name in ("before", "after")}
    return Changed(**{**_numbers(entry), **rates})


def _numbers(entry: Mapping[str, Any]) -> dict[str, Any]:
    """With NaN where a number was none: JSON has null for it."""
    return {name: math.nan if value is None else value for name, value in entry.items()}


def _threshold_to_json(threshold: Threshold) -> dict[str, Any]:
    """Its name and fields; of one that is not ours only what it says of itself."""
    if isinstance(threshold, (MeanPlusStd, TopFraction, Quantile)):
        return {"name": type(threshold).__name__, **asdict(threshold)}
    return {"name": None, "text": threshold.text if isinstance(threshold, Unsaved) else repr(threshold)}


def _threshold_from_json(entry: Mapping[str, Any]) -> Threshold:
    fields = dict(entry)
    name = fields.pop("name")
    return Unsaved(**fields) if name is None else _THRESHOLDS[name](**fields)
