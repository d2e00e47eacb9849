"""How a scan is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from masktune.errors import InputError
from masktune.masking import MeanPlusStd, Threshold
from masktune.runs.fields import plain_fields
from masktune.saliency.named import EXPLAINERS, SaliencyName
from masktune.training.execution import Precision
from masktune.types import check_choice


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSettings:
    """All that the numbers depend on, beside the images and the classifier."""

    saliency: SaliencyName = "auto"
    """How maps are made; `auto` is xGradCAM where it is safe."""
    layer: str | None = None
    """The layer that maps are made at; None finds it."""
    threshold: Threshold = MeanPlusStd()  # noqa: RUF009 - it is frozen.
    """From a map to the salient area."""
    batch_size: int = 32
    """Images in one pass of the net."""
    precision: Precision = "float32"
    """Number type of the passes."""
    seed: int = 0
    """Of all that is drawn."""
    review: int = 100
    """Images drawn for a person to label."""
    shown: int = 200
    """Images in the gallery, at most."""

    def __post_init__(self) -> None:
        check_choice("saliency", self.saliency, EXPLAINERS)
        check_choice("precision", self.precision, get_args(Precision))
        if self.batch_size < 1:
            raise InputError(f"expected a batch size of at least 1, got {self.batch_size}")
        if self.review < 0 or not 0 <= self.shown <= 1000:
            came = f"{self.review} and {self.shown}"
            raise InputError(f"expected 0 or more images to review and 0 to 1000 to show, got {came}")

    def to_record(self) -> Mapping[str, Any]:
        """As plain values by name, for `run.json`; what is no plain value by its text."""
        return plain_fields(self)
