"""What the recipes on photos share: nets that start from ImageNet's weights, and a small variant of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from masktune.bench.recipe import Choices, PresetName
from masktune.bench.shown import Column, Published, Shown, Status
from masktune.data import ImageFiles, ImagesWithObjects, Samples, Splits
from masktune.data.objects import Objects
from masktune.data.official.listing import Listing
from masktune.errors import InputError
from masktune.files import sha256_of
from masktune.methods import MaskTune
from masktune.models.classifier import Classifier
from masktune.models.load import load_classifier
from masktune.models.specs import InputOverrides
from masktune.training.settings import Training
from masktune.types import InputSpec

LARGE = "timm:resnet50"
"""The paper's net."""

SMALL = "timm:tf_efficientnet_lite0"
"""For two cores: a quarter of the steps' cost, and its weights are small enough to lie at hand."""

SMALL_TRAINING = Training(
    epochs=6, batch_size=32, optimizer="adam", learning_rate=3e-4, annealing="linear", precision="float32"
)
"""Of the small variant: from ImageNet's weights, on a thousand images."""

SMALL_MASKTUNE = MaskTune(learning_rate=3e-4, optimizer_state="fresh")
"""Of the small variant: the rate is what the rule of `masktune tune` takes on Waterbirds
(docs/results/tune.md)."""

_SMALL_INPUT = InputOverrides(size=(160, 160), resize="crop", crop_share=1.0)
"""Of the small variant: the middle square."""

MASKTUNE: Mapping[PresetName, MaskTune] = {
    "default": MaskTune(),
    "paper": MaskTune.paper(),
    "official_code": MaskTune.official_code(),
}
"""The method, by preset."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a recipe on photos runs with."""

    training: Training
    """Of the first stage."""
    masktune: MaskTune
    """The method; its controls follow it."""
    build: Callable[[int], Classifier]
    """The untrained classifier of a seed."""
    spec: InputSpec
    """What the net wants as input."""


@dataclass(frozen=True, slots=True)
class Photos:
    """What may be chosen of a recipe on photos, beside what may be chosen of any."""

    data: Path
    """Folder of the data set."""
    weights: Path | None = None
    """ImageNet's weights of the net to start from."""
    cpu: bool = False
    """The small variant."""
    threads: int | None = None
    """That read images; one a core if not given."""

    @property
    def net(self) -> str:
        """Name of the net."""
        return SMALL if self.cpu else LARGE

    def build(
        self, classes: tuple[str, ...], wanted: InputOverrides, *, pretrained: bool
    ) -> Callable[[int], Classifier]:
        """The classifier of a seed: ImageNet's weights and a fresh head, or all of it fresh.

        Args:
            classes: names of the data's classes.
            wanted: the input of the large variant.
            pretrained: whether it starts from ImageNet's weights.

        Raises:
            InputError: weights are wanted and none were given, or some were and none are wanted.
        """
        if pretrained and self.weights is None:
            raise InputError(
                f"expected --weights FILE with ImageNet's weights of {self.net}, from which this recipe "
                "starts; nothing is downloaded unasked: save them once with timm, or take the file of its "
                "model page"
            )
        if not pretrained and self.weights is not None:
            raise InputError(
                "expected no --weights with this preset: what the official code runs starts from random ones"
            )

        def made(seed: int) -> Classifier:
            loaded = load_classifier(
                self.net,
                weights=self.weights,
                classes=classes,
                head="fresh",
                overrides=_SMALL_INPUT if self.cpu else wanted,
                seed=seed,
                random_ok=not pretrained,
            )
            return loaded.classifier

        return made

    def settings(self, spec: InputSpec) -> dict[str, Any]:
        """What the numbers depend on."""
        return {
            "net": self.net,
            "weights.sha256": sha256_of(self.weights),
            "input": repr(spec),
            "small": self.cpu,
        }

    def resolved(
        self,
        classes: tuple[str, ...],
        choices: Choices,
        training: Mapping[PresetName, Training],
        wanted: InputOverrides,
        *,
        scratch: PresetName | None = None,
    ) -> "Resolved":
        """Settings and net of a recipe, with what was chosen put in.

        Args:
            classes: names of the data's classes.
            choices: the preset and what departs from it.
            training: of the large variant, by preset.
            wanted: input of the large variant.
            scratch: the preset whose large variant starts from random weights.

        Raises:
            InputError: weights are wanted and none were given, or some were and none are wanted.
        """
        preset = choices.preset
        build = self.build(classes, wanted, pretrained=self.cpu or preset != scratch)
        masktune = SMALL_MASKTUNE if self.cpu and preset == "default" else MASKTUNE[preset]
        first = with_epochs(SMALL_TRAINING if self.cpu else training[preset], choices)
        return Resolved(*choices.applied_to(first, masktune), build, build(0).spec)

    def notes(self, listing: Listing, choices: Choices) -> tuple[str, ...]:
        """What a person has to know before any number is read."""
        return notes_on(listing, choices, self.cpu)

    def images(self, samples: Samples, spec: InputSpec, objects: Objects | None = None) -> ImageFiles:
        """Some of the data set's images, as the net wants them."""
        if objects is None:
            return ImageFiles(samples, spec, threads=self.threads)
        return ImagesWithObjects(samples, spec, objects, threads=self.threads)

    def splits(self, name: str, listing: Listing, spec: InputSpec, objects: Objects | None = None) -> Splits:
        """Official splits; the objects are those of the training images."""
        parts = {split: listing.samples.of_split(split) for split in ("train", "validation", "test")}
        return Splits(
            name=name,
            variant=listing.variant,
            train=self.images(parts["train"], spec, objects),
            validation=self.images(parts["validation"], spec),
            tests={"test": self.images(parts["test"], spec)},
            sha256=listing.sha256,
        )


def notes_on(listing: Listing, choices: Choices, small: bool) -> tuple[str, ...]:
    """What a person has to know of the data and of the small variant."""
    told = []
    if listing.variant == "stand-in":
        told.append("the images are a stand-in for the official ones: no number here is a benchmark's")
    if small and choices.preset != "default":
        how = "how is masked and tuned"
        told.append(f"--cpu trains in its own way: of the preset {choices.preset} it takes {how}")
    return tuple(told)


def with_epochs(training: Training, choices: Choices) -> Training:
    """The epochs that were chosen; milestones move with them."""
    return training if choices.epochs is None else training.with_epochs(choices.epochs)


def attributes_of(groups: tuple[str, ...], values: tuple[str, ...]) -> Mapping[str, str]:
    """The shortcut's value of each group: groups go through the values, class by class."""
    return {group: values[at % len(values)] for at, group in enumerate(groups)}


def _on(thing: str) -> tuple[Column, ...]:
    """Where masks lie: does a method hide the thing, or what is around it?"""
    where = "by group of the training images"
    return (
        Column(f"Of what is hidden, % on the {thing}, {where}", "train", "hidden_on_object"),
        Column(f"Of the {thing}, % hidden, {where}", "train", "object_hidden"),
    )


def shown_by_group(
    values: tuple[str, ...],
    *,
    status: Status,
    notes: tuple[str, ...] = (),
    thing: str | None = None,
    published: tuple[Published, ...] = (),
) -> Shown:
    """The table of a data set with groups: the worst group, three averages, the AUROC within each value.

    Args:
        values: of the shortcut.
        status: what the recipe was run on.
        notes: what a person has to know of the data.
        thing: what the images are of, where it is known in which pixels it lies.
        published: numbers to show beside ours.
    """
    hidden = (
        "" if thing is None else f" `hidden on {thing}`: share of the hidden area that lies on the {thing}."
    )
    return Shown(
        columns=(
            Column("worst group", "test", "worst_group_accuracy"),
            Column("worst, equal shares", "test", "worst_group_accuracy_equal_shares"),
            Column("average", "test", "accuracy"),
            Column("group mean", "test", "accuracy_group_mean"),
            Column("train-weighted", "test", "accuracy_train_weighted"),
            *(Column(f"AUROC, {value}", "test", "auroc_within", value) for value in values),
            Column("image hidden", "train", "image_hidden"),
            *(() if thing is None else (Column(f"hidden on {thing}", "train", "hidden_on_object"),)),
        ),
        by_group=(
            Column("Right of each group of the test images, %", "test", "group_accuracy"),
            *(() if thing is None else _on(thing)),
        ),
        headline="worst group",
        where="in the worst group",
        explained="`worst, equal shares`: each class is given as often as it is true, so that a mere shift "
        f"of the threshold is no gain. `AUROC`: among images in which the shortcut says the same.{hidden}",
        thing=thing,
        notes=notes,
        published=published,
        status=status,
    )
