"""Pictures of images that are not answered because two models disagree."""

from dataclasses import dataclass

import numpy as np

from masktune.abstention.measured import Measured
from masktune.data.image_files import ImageFiles
from masktune.data.names import first_three
from masktune.errors import InputError
from masktune.evaluation import Predictions
from masktune.intake import DataChoices, open_samples
from masktune.runs.pictures import jpegs
from masktune.types import InputSpec

MOST = 24
"""Pictures; those that both models are surest of come first."""

_SPEC = InputSpec(size=(160, 160), channels=3, resize="pad")


@dataclass(frozen=True, slots=True, eq=False)
class Disputed:
    """An image on which two models disagree."""

    id: str
    label: str
    """Its true class."""
    first: str
    """What the first model says."""
    second: str
    """What the second says."""
    jpeg: bytes
    size: tuple[int, int] = _SPEC.size
    """Height and width."""


def disputed(vote: Measured, second: Predictions, kind: str, asked: float, data: str) -> list[Disputed]:
    """The rejected images of a vote on which its models disagree.

    Args:
        vote: two models' line with one seed.
        second: what the second model says of the test images.
        kind: of the point that rejects.
        asked: its coverage or risk.
        data: a folder, manifest or saved data set that holds the test images, by the same ids and classes.

    Raises:
        DataNotFound, InputError: no such images, or their labels are others.
        UnreadableImages, DataDamaged: one cannot be read.
    """
    at = vote.at(kind, asked)
    if at is None or at.predictor is None or vote.scored.agree is None:
        return []
    refused = ~at.predictor.predict(vote.test, second).accepted & ~vote.scored.agree
    sure = vote.test.probabilities.max(axis=1) + second.probabilities.max(axis=1)
    chosen = [place for place in np.argsort(-sure, kind="stable") if refused[place]][:MOST]
    if not chosen:
        return []
    samples = open_samples(DataChoices(data=data))
    places = {str(name): place for place, name in enumerate(samples.ids)}
    wanted = [str(vote.test.ids[place]) for place in chosen]
    missing = [name for name in wanted if name not in places]
    if missing:
        raise InputError(
            f"{data} holds no image {first_three(missing)} of the predictions; its ids look like "
            f"{first_three(samples.ids.tolist())}; give the images that the predictions are about"
        )
    found = [places[name] for name in wanted]
    if (samples.labels[found] != vote.test.labels[chosen]).any():
        raise InputError(f"the classes of {data} are not those of the predictions; give the same data")
    pictures = jpegs(ImageFiles(samples, _SPEC).__getitems__(found).images)
    names = samples.classes
    return [
        Disputed(
            name,
            names[vote.test.labels[at]],
            names[vote.test.predicted[at]],
            names[second.predicted[at]],
            jpeg,
        )
        for name, at, jpeg in zip(wanted, chosen, pictures, strict=True)
    ]
