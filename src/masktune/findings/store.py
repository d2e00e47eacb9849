"""A scan on disk: `scan.json` and `scan.npz`, so that its report is drawn again without the model or images.

Words of files and manifests (EXIF, columns) are not kept: what is to be told of them stands in the findings.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from masktune.errors import DataDamaged, DataNotFound
from masktune.evaluation import Predictions
from masktune.evaluation.weighted import LabelledSample
from masktune.files import complete_file
from masktune.findings.finding import Finding
from masktune.findings.observed import AREAS, Observed, Spot, Transplant
from masktune.findings.review_answers import Groups
from masktune.findings.shown import Scanned, Shown
from masktune.masking import MeanPlusStd, Quantile, Threshold, TopFraction
from masktune.runs.jsons import plain, read_object
from masktune.runs.pictures import joined, parted

SCHEMA = "masktune.scan/1"

_PREDICTIONS = ("logits", "labels", "ids", "groups", "subjects", "splits")
_ARRAYS = ("low", "empty", "hidden", "where", "tiny", "seen", "data_labels")
_THRESHOLDS = {one.__name__: one for one in (MeanPlusStd, TopFraction, Quantile)}
_DIGEST = "words_sha256"
_TEXT = ("id", "label", "predicted", "after", "confidence", "split", "findings")


def has_scanned(folder: Path) -> bool:
    """Whether there is a scan, all of it."""
    return (folder / "scan.json").exists() and (folder / "scan.npz").exists()


def save_scanned(scanned: Scanned, folder: Path) -> None:
    """Write both files; `scan.json` last, so where it is all is there.

    One that is there already is replaced when both new files are on disk, by two renames. The arrays hold the
    digest of the words, so that two files of different scans are never taken for one.
    """
    observed = scanned.observed
    words = (json.dumps(plain(_words(scanned)), ensure_ascii=False) + "\n").encode()
    arrays = {f"predictions/{name}": getattr(observed.predictions, name) for name in _PREDICTIONS}
    arrays |= {name: getattr(observed, name) for name in _ARRAYS}
    arrays |= {f"hidden_logits/{area}": observed.hidden_logits[area] for area in AREAS}
    arrays |= {f"properties/{name}": values for name, values in observed.properties.items()}
    arrays |= joined([one.jpeg for one in scanned.shown])
    arrays[_DIGEST] = np.array(hashlib.sha256(words).hexdigest())
    with complete_file(folder / "scan.json") as words_part:
        words_part.write_bytes(words)
        with complete_file(folder / "scan.npz") as part, part.open("wb") as file:
            np.savez_compressed(file, **{key: value for key, value in arrays.items() if value is not None})


def load_scanned(folder: Path) -> Scanned:
    """Read what `save_scanned` wrote.

    Raises:
        DataNotFound: there is no scan.
        DataDamaged: a file is damaged, or of another version.
    """
    path = folder / "scan.json"
    if not path.exists():
        raise DataNotFound(f"no finished scan in {folder}; give the folder of `masktune scan --out`")
    words = read_object(path)
    if words.get("schema") != SCHEMA:
        raise DataDamaged(f"{path} has the schema {words.get('schema')!r}, this masktune reads {SCHEMA!r}")
    try:
        with np.load(folder / "scan.npz", allow_pickle=False) as arrays:
            if str(arrays[_DIGEST]) != hashlib.sha256(path.read_bytes()).hexdigest():
                raise ValueError("scan.json and scan.npz are of two scans")
            return _loaded(words, dict(arrays))
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise DataDamaged(
            f"the scan in {folder} is damaged ({error}); delete its scan.json and scan again"
        ) from error


def _words(scanned: Scanned) -> dict[str, Any]:
    observed = scanned.observed
    return {
        "schema": SCHEMA,
        "name": scanned.name,
        "sha256": scanned.sha256,
        "settings": dict(scanned.settings),
        "threshold": _threshold_to_json(scanned.threshold),
        "muted": scanned.muted,
        "findings": [finding.to_json() for finding in scanned.findings],
        "shown": [{name: getattr(one, name) for name in _TEXT} for one in scanned.shown],
        "classes": observed.predictions.classes,
        "data_classes": observed.data_classes,
        "same_classes": observed.same_classes,
        "notes": observed.notes,
        "about": dict(observed.about),
        "transplants": [_transplant_to_json(one) for one in observed.transplants],
        "groups": None if scanned.groups is None else _groups_to_json(scanned.groups),
    }


def _loaded(words: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Scanned:
    predictions = Predictions(
        classes=tuple(words["classes"]),
        **{name: arrays[key] for name in _PREDICTIONS if (key := f"predictions/{name}") in arrays},
    )
    observed = Observed(
        predictions=predictions,
        data_classes=tuple(words["data_classes"]),
        same_classes=words["same_classes"],
        hidden_logits={area: arrays[f"hidden_logits/{area}"] for area in AREAS},
        properties={
            key.removeprefix("properties/"): value
            for key, value in arrays.items()
            if key.startswith("properties/")
        },
        facts={},
        columns={},
        transplants=tuple(map(_transplant_from_json, words["transplants"])),
        notes=tuple(words["notes"]),
        about=words["about"],
        **{name: arrays[name] for name in _ARRAYS if name in arrays},
    )
    return Scanned(
        name=words["name"],
        sha256=words["sha256"],
        findings=tuple(map(Finding.from_json, words["findings"])),
        observed=observed,
        shown=_shown(words["shown"], observed, arrays),
        settings=words["settings"],
        threshold=_threshold_from_json(words["threshold"]),
        groups=None if words["groups"] is None else _groups_from_json(words["groups"]),
        muted=tuple(words["muted"]),
    )


def _shown(
    entries: list[dict[str, Any]], observed: Observed, arrays: Mapping[str, np.ndarray]
) -> tuple[Shown, ...]:
    at = {sample: position for position, sample in enumerate(observed.ids.tolist())}
    return tuple(
        Shown(
            **{**entry, "findings": tuple(entry["findings"])},
            low=observed.low[at[entry["id"]]],
            jpeg=jpeg,
        )
        for entry, jpeg in zip(entries, parted(arrays), strict=True)
    )


def _threshold_to_json(threshold: Threshold | None) -> dict[str, Any] | None:
    """Its name and fields; nothing of one that is not ours."""
    if not isinstance(threshold, (MeanPlusStd, TopFraction, Quantile)):
        return None
    return {"name": type(threshold).__name__, **asdict(threshold)}


def _threshold_from_json(entry: Mapping[str, Any] | None) -> Threshold | None:
    if entry is None:
        return None
    values = dict(entry)
    return _THRESHOLDS[values.pop("name")](**values)


def _groups_to_json(groups: Groups) -> dict[str, Any]:
    sample = groups.sample
    names = {"ids": sample.ids, "groups": sample.groups, "strata": sample.strata}
    return {
        "pattern": groups.pattern,
        "sample": {name: values.tolist() for name, values in names.items()} | {"sizes": dict(sample.sizes)},
        "asked": groups.asked,
        "notes": groups.notes,
    }


def _groups_from_json(entry: Mapping[str, Any]) -> Groups:
    told = {name: np.array(entry["sample"][name], dtype=str) for name in ("ids", "groups", "strata")}
    sample = LabelledSample(**told, sizes=entry["sample"]["sizes"])
    return Groups(entry["pattern"], sample, entry["asked"], tuple(entry["notes"]))


def _transplant_to_json(one: Transplant) -> dict[str, Any]:
    arrays = {
        field.name: value.tolist()
        for field in fields(Transplant)
        if isinstance(value := getattr(one, field.name), np.ndarray)
    }
    return {
        **arrays,
        "spot": asdict(one.spot),
        "recurs": one.recurs,
        "recurs_elsewhere": one.recurs_elsewhere,
    }


def _transplant_from_json(entry: Mapping[str, Any]) -> Transplant:
    hole = entry["spot"]["hole"]
    spot = Spot(
        entry["spot"]["label"],
        tuple(entry["spot"]["box"]),
        entry["spot"]["place"],
        None if hole is None else tuple(hole),
    )
    kinds = {
        "gain": float,
        "loss": float,
        "flipped_in": bool,
        "flipped_out": bool,
        "ids_in": str,
        "ids_out": str,
    }
    arrays: dict[str, Any] = {name: np.array(entry[name], dtype=kind) for name, kind in kinds.items()}
    return Transplant(spot=spot, recurs=entry["recurs"], recurs_elsewhere=entry["recurs_elsewhere"], **arrays)
