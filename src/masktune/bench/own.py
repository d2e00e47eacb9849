"""Anybody's images and classifier as a recipe: ERM from the weights that are given, then any method."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from masktune.bench.recipe import Choices, Recipe
from masktune.bench.shown import Column, Shown
from masktune.data import Splits, with_splits
from masktune.files import sha256_of
from masktune.intake import DataChoices, ModelChoices, Prepared, prepare
from masktune.methods import MaskTune
from masktune.models.classifier import Classifier
from masktune.models.load import load_classifier
from masktune.training.augment import Augment
from masktune.training.losses import Loss
from masktune.training.settings import Training


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTraining:
    """How ERM trains on somebody's own images; every method that trains from the start does the same."""

    lr: float = 3e-4
    """Learning rate; it falls to zero."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """Adam, or SGD with momentum."""
    weight_decay: float = 1e-4
    """L2 penalty."""
    loss: Loss = "cross_entropy"
    """balanced weighs all classes alike; smoothed is label smoothing of 0.1."""
    augment: Augment = "none"
    """Mirrors images by chance, crops them a little, or both."""

    def training(self, epochs: int) -> Training:
        """As the loop wants it."""
        return Training(
            epochs=epochs,
            batch_size=32,
            optimizer=self.optimizer,
            learning_rate=self.lr,
            weight_decay=self.weight_decay,
            milestones=(),
            annealing="linear",
            loss=self.loss,
            augment=self.augment,
        )


EPOCHS = 5
"""Of ERM, if nothing is asked for."""


def own(
    data: DataChoices,
    model: ModelChoices,
    training: OwnTraining,
    choices: Choices,
    *,
    threads: int | None = None,
) -> Recipe:
    """A recipe for somebody's images; splits that are missing are made, the same for all seeds.

    Each seed has its own fresh head, and its own weights where none are given.

    Raises:
        DataNotFound, DataDamaged, InputError, MissingExtra, UnreadableImages: data or classifier cannot be
            used.
    """
    prepared = prepare(data, model, threads=threads)
    samples = prepared.files.samples
    made = with_splits(samples, seed=0)
    first, masktune = choices.applied_to(
        training.training(choices.epochs or EPOCHS),
        MaskTune(learning_rate=training.lr, optimizer_state="fresh"),
    )
    splits = _splits(prepared, made.samples.splits)
    return Recipe(
        name=prepared.name,
        command="bench",
        choices=choices,
        training=first,
        masktune=masktune,
        splits=lambda seed: splits,
        build=partial(_built, prepared, model),
        shown=_shown(splits, _notes(prepared, made.made)),
        own_settings={
            "weights.sha256": None if model.weights is None else sha256_of(model.weights),
            **prepared.how,
        },
    )


def _splits(prepared: Prepared, names: np.ndarray | None) -> Splits:
    assert names is not None
    parts = {str(name): prepared.files.select(np.flatnonzero(names == name)) for name in np.unique(names)}
    return Splits(
        name=prepared.name,
        variant=None,
        train=parts.pop("train"),
        validation=parts.pop("validation"),
        tests=parts,
        sha256=prepared.sha256,
    )


def _built(prepared: Prepared, model: ModelChoices, seed: int) -> Classifier:
    """The classifier of a seed."""
    loaded = load_classifier(
        model.model,
        weights=model.weights,
        classes=prepared.files.classes,
        head=model.head,
        target=model.target,
        overrides=model.input,
        seed=seed,
        allow_download=model.allow_download,
        random_ok=model.random_ok,
    )
    return loaded.classifier


def _notes(prepared: Prepared, made: tuple[str, ...]) -> tuple[str, ...]:
    if not made:
        return prepared.notes
    names = " and ".join(made)
    return (*prepared.notes, f"no split was given for {names}: drawn from the rest, by class and subject")


def _shown(splits: Splits, notes: tuple[str, ...]) -> Shown:
    """The worst group where groups are known, else the average."""
    test = "test" if "test" in splits.tests else next(iter(splits.tests))
    known = splits.tests[test].groups is not None
    worst = (Column("worst group", test, "worst_group_accuracy"),) if known else ()
    return Shown(
        columns=(
            *worst,
            Column("average", test, "accuracy"),
            *((Column("group mean", test, "accuracy_group_mean"),) if known else ()),
            Column("balanced", test, "balanced_accuracy"),
            Column("image hidden", "train", "image_hidden"),
        ),
        headline="worst group" if known else "average",
        where="in the worst group" if known else "on the test images",
        explained="`balanced`: the mean of the classes' accuracies.",
        notes=notes,
    )
