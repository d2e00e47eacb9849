"""What `masktune mask` makes, and how."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from torch import nn

from masktune.errors import InputError
from masktune.export.chunks import SIZE as MOST
from masktune.export.encode import What
from masktune.masking import Fill, MeanPlusStd, Threshold, fill_named
from masktune.runs.fields import plain_fields
from masktune.saliency import Explainer
from masktune.saliency.named import EXPLAINERS, SaliencyName
from masktune.training.execution import Precision
from masktune.types import check_choice


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSettings:
    """All that the files depend on, beside the images and the classifier."""

    what: What = "masked"
    """`masked` images, `masks`, low-resolution `maps`, or `overlays` to look at."""
    saliency: SaliencyName = "auto"
    """How maps are made; `auto` is xGradCAM where it is safe."""
    layer: str | None = None
    """The layer that maps are made at; None finds it."""
    formula: str = ""
    """What `auto` came to at that layer; found out, not chosen."""
    classes: Literal["predicted", "label"] = "predicted"
    """Whose evidence is hidden."""
    threshold: Threshold = MeanPlusStd()  # noqa: RUF009 - it is frozen.
    """From a map to what is hidden."""
    fill: Fill | str = "black"
    """What hidden pixels become."""
    batch_size: int = 32
    """Images in one pass of the net."""
    precision: Precision = "float32"
    """Number type of the pass."""
    seed: int = 0
    """Of random maps and the noise fill."""

    def __post_init__(self) -> None:
        check_choice("what", self.what, get_args(What))
        check_choice("saliency", self.saliency, EXPLAINERS)
        check_choice("classes", self.classes, ("predicted", "label"))
        check_choice("precision", self.precision, get_args(Precision))
        if not 1 <= self.batch_size <= MOST:
            raise InputError(f"expected a batch size from 1 to {MOST}, got {self.batch_size}")
        _ = self.filling  # A name that is not known is said now, not after a folder was made.

    def explainer(self, net: nn.Module) -> Explainer:
        """What makes the maps of a net."""
        return EXPLAINERS[self.saliency](net, self.layer, self.seed)

    def to_record(self) -> dict[str, Any]:
        """As plain values by name, for `run.json`; what is no plain value by its text."""
        return plain_fields(self)

    @property
    def filling(self) -> Fill:
        """The fill itself."""
        return fill_named(self.fill) if isinstance(self.fill, str) else self.fill
