"""Whose answers there are: models of a run folder, or predictions that were made elsewhere."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from masktune.data.names import first_three
from masktune.errors import DataNotFound, InputError, near
from masktune.evaluation import Predictions
from masktune.files import sha256_of
from masktune.runs import load_predictions, read_record
from masktune.runs.results import read_results
from masktune.selective.predictor import Role

STARTS = ("erm", "untouched")
"""Methods that others go on from; the first model of a pair."""

TUNED = ("masktune", "continue_erm", "random_mask", "least_salient_mask")
"""Methods that go on from those: the second of a pair."""

_ROLES: Mapping[str, Role] = {
    "train": "training",
    "training": "training",
    "validation": "model-selection",
    "valid": "model-selection",
    "val": "model-selection",
}
"""What images of a split were used for, by its name; others for nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Voter:
    """One trained model and what it says of images."""

    dataset: str
    """Name of the data."""
    seed: int
    method: str
    """Its name in results."""
    splits: Mapping[str, Path]
    """The file of each split; one file may hold several."""
    weights_sha256: str | None = None
    """Of its weights, where they are at hand."""
    tuned_from: str | None = None
    """Of the weights that it was tuned from, where that is known."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What a row of results says of it: supervision, selection, epochs, seconds."""

    def says(self, split: str) -> Predictions:
        """Its predictions on a split.

        Raises:
            InputError: there is no such split; near names are listed.
            DataDamaged: the file is damaged.
        """
        if split not in self.splits:
            raise InputError(
                f"{self.method} has no predictions on {split!r}{near(split, self.splits)}; it has "
                f"{', '.join(sorted(self.splits))}"
            )
        found = load_predictions(self.splits[split])
        if found.splits is None:
            return found
        return found.select(found.splits == split)


@dataclass(frozen=True, slots=True, eq=False)
class Brought:
    """All voters of a selection."""

    voters: tuple[Voter, ...]
    variant: str | None
    """Of the data, where several are."""
    sha256: str
    """Of the data, or of the files of predictions."""
    selection: str | None
    """The rule that chose the first models' checkpoints; None where it is not known."""
    notes: tuple[str, ...] = ()
    """What a person should know."""
    of_run: bool = True
    """Whether they are a run's; else two that were brought from elsewhere."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """In rising order."""
        return tuple(sorted({voter.seed for voter in self.voters}))

    def voter(self, seed: int, *methods: str) -> Voter | None:
        """The first of these methods that there is with that seed."""
        known = {voter.method: voter for voter in self.voters if voter.seed == seed}
        return next((known[method] for method in methods if method in known), None)

    def role(self, split: str) -> Role:
        """What the images of a split were used for before."""
        role = _ROLES.get(split, "calibration")
        chose = role == "model-selection" and self.selection == "last"
        return "calibration" if chose else role


def bring(first: Path, second: Path | None = None) -> Brought:
    """The voters of a run folder; or two: folders of a method each, or `.npz` files.

    Raises:
        DataNotFound: there is no such file or folder, or nothing in it.
        InputError: a run folder and a second one, or a run without two models to hold side by side.
    """
    for place in (first, *([] if second is None else [second])):
        if not place.exists():
            beside = [entry.name for entry in place.parent.iterdir()] if place.parent.is_dir() else []
            raise DataNotFound(f"there is no {place}{near(place.name, beside)}")
    if (first / "run.json").exists():
        if second is not None:
            raise InputError(
                f"expected {first}, a run folder, alone: its models are held against each other; or two "
                "folders of one method each"
            )
        return _of_run(first)
    if second is None:
        raise InputError(
            f"expected a run folder of masktune (with a run.json), or two models; {first} is none, and no "
            "second one was given"
        )
    return _of_two(first, second)


def _of_run(folder: Path) -> Brought:
    record = read_record(folder / "run.json")
    rows = _rows_of(folder)
    found = [
        _voter(path, dataset=path.parent.parent.name, rows=rows)
        for path in sorted((folder / "models").glob("*/seed-*/*"))
        if (path / "predictions").is_dir()
    ]
    datasets = sorted({voter.dataset for voter in found})
    if len(datasets) > 1:
        raise InputError(
            f"expected a run on one data set, got {', '.join(datasets)}; give two method folders of one"
        )
    if not any(voter.method in STARTS for voter in found):
        raise DataNotFound(
            f"{folder} holds no predictions of {' or '.join(STARTS)}, which others are held against; is the "
            "run done?"
        )
    parents = {one.seed: one.weights_sha256 for one in found if one.method in STARTS}
    last = record.settings.get("masktune.tune_checkpoint") == "last"
    voters = tuple(_with_parent(one, None if last else parents.get(one.seed)) for one in found)
    notes = (
        ("the tuned models go on from ERM's last epoch, and ERM's answers are those of its best one",)
        if last
        else ()
    )
    first = next(one for one in found if one.method in STARTS)
    data = record.data[0]
    # A trial's judged images chose nothing but its verdict, which is a choice too.
    selection = first.about.get("selection") if first.method == "erm" else None
    return Brought(voters, data.variant, data.sha256, selection, notes)


def _with_parent(voter: Voter, parent: str | None) -> Voter:
    return replace(voter, tuned_from=parent) if voter.method in TUNED else voter


def _rows_of(folder: Path) -> dict[tuple[int, str], dict[str, Any]]:
    """What results say of each model, by seed and method."""
    path = folder / "results.json"
    if not path.exists():
        raise DataNotFound(
            f"{folder} is not finished: it has no results.json; type its command again to go on"
        )
    names = ("supervision", "selection", "epochs", "seconds")
    return {
        (row.seed, row.method): {name: getattr(row, name) for name in names}
        for row in read_results(path).rows
    }


def _voter(path: Path, *, dataset: str, rows: Mapping[tuple[int, str], dict[str, Any]]) -> Voter:
    seed = int(path.parent.name.removeprefix("seed-"))
    about = rows.get((seed, path.name), {})
    return Voter(dataset, seed, path.name, _splits_in(path), _weights_of(path), about=about)


def _of_two(first: Path, second: Path) -> Brought:
    voters = tuple(
        Voter("predictions", 0, name, _splits_in(place), _weights_of(place))
        for place, name in zip((first, second), _names(first, second), strict=True)
    )
    files = {path for voter in voters for path in voter.splits.values()}
    return Brought(voters, None, sha256_over(files), None, of_run=False)


def sha256_over(files: Iterable[Path]) -> str:
    """A hash over the contents of some files."""
    return hashlib.sha256("".join(str(sha256_of(path)) for path in sorted(files)).encode()).hexdigest()


def _weights_of(place: Path) -> str | None:
    path = place / "weights.safetensors"
    return sha256_of(path) if path.exists() else None


def _names(first: Path, second: Path) -> tuple[str, str]:
    one, two = (place.stem if place.is_file() else place.resolve().name for place in (first, second))
    return (one, two) if one != two else ("first", "second")


def _splits_in(place: Path) -> dict[str, Path]:
    """The file of each split: those of a folder by their names, those in one file by its `split` array.

    Raises:
        DataNotFound: a folder without predictions.
        InputError: a file that does not say which images are of which split.
    """
    if place.is_file():
        found = load_predictions(place)
        if found.splits is None:
            raise InputError(
                f"expected an array `split` in {place} that says which images calibrate and which test; or "
                "give a folder with one file a split, such as calibration.npz and test.npz"
            )
        return {str(name): place for name in np.unique(found.splits)}
    inside = place / "predictions" if (place / "predictions").is_dir() else place
    files = {path.stem: path for path in sorted(inside.glob("*.npz"))}
    if not files:
        names = [entry.name for entry in inside.iterdir()]
        raise DataNotFound(
            f"{inside} holds no predictions such as calibration.npz and test.npz; there is "
            f"{first_three(names) if names else 'nothing'}"
        )
    return files
