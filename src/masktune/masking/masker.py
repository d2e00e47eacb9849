"""Images in, the same images with the salient area hidden out."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from masktune.errors import InputError
from masktune.masking.counting import MaskStatistics, many_empty, warn_if_many_empty
from masktune.masking.fills import Fill, fill_named, fill_normalised
from masktune.masking.thresholds import MeanPlusStd, Threshold, at_map, hidden_from_low
from masktune.saliency import Explainer, SafeCAM, SaliencyMaps
from masktune.saliency.nets import check_tensor, unwrap
from masktune.saliency.probe import class_tensor
from masktune.types import Hidden, Images

Classes = Int64[Tensor, " b"] | Sequence[int] | int | None
"""The class whose evidence is hidden, of each image or of all; None for the predicted ones."""

_ROUNDING = 1e-3
"""How far a resize or half precision may carry pixels out of [0, 1]."""

_ENOUGH = 8
"""Masks from which on many empty ones are worth a warning."""

_COUNTING = threading.Lock()  # Not the masker's own: that could be neither copied nor saved.


@dataclass(frozen=True, slots=True)
class Masked:
    """What one call of `Masker.mask` gives."""

    images: Images
    """The images with the hidden pixels replaced; type and scale as they came."""
    hidden: Hidden
    """True = the pixel is hidden."""
    statistics: MaskStatistics
    """How much is hidden; add up those of several batches."""


@final
class Masker(nn.Module):
    """Hides what a net looks at: `Masker(net)(images)`.

    It fits into any loop: a transform of batches without parameters, with an empty `state_dict`. The net is
    used, not owned: moving, saving or switching the masker does nothing to it, and each call leaves it as it
    was. A deep copy brings its own copy of the net.

    Images are in pixel space, uint8 or floats in [0, 1]. For images that are already normalised pass `mean`
    and `std`: the net gets them as they are, and the fill is converted, so that black is -mean / std.

    Without an `explainer` it is `SafeCAM`: XGradCAM, or LayerCAM at layers where sums of channels may cancel,
    as in class-token transformers.

    `statistics` counts all its masks; it warns once when many of them are empty.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        explainer: Explainer | type[Explainer] | None = None,
        threshold: Threshold = MeanPlusStd(),  # noqa: B008 - it is frozen.
        fill: Fill | str = "black",
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if (mean is None) != (std is None):
            raise InputError("expected mean and std together, or neither of them")
        if std is not None and min(std) <= 0:
            raise InputError(f"expected a positive std, got {tuple(std)}; the fill divides by it")
        innermost, wrappers = unwrap(net)
        if mean is not None and wrappers:
            raise InputError(
                f"{type(wrappers[0]).__name__} normalises its images itself; leave out mean and std"
            )
        if isinstance(explainer, type):
            explainer = explainer(net)  # type: ignore[call-arg] # A Protocol says nothing of constructors.
        # The explainer holds the net, and nn.Module does not register what an explainer holds.
        self.explainer = SafeCAM(net) if explainer is None else explainer
        if unwrap(getattr(self.explainer, "net", net))[0] is not innermost:
            raise InputError("the explainer explains another net than the one given; make both of one net")
        self.threshold = threshold
        self.fill = fill_named(fill, mean) if isinstance(fill, str) else fill
        self.mean = None if mean is None else tuple(mean)
        self.std = None if std is None else tuple(std)
        self.statistics = MaskStatistics()
        self._warned = False

    def forward(
        self,
        images: Images,
        classes: Classes = None,
        ids: Sequence[str] | None = None,
    ) -> Images:
        """`images` with the salient area hidden."""
        return self.mask(images, classes, ids).images

    def hidden(
        self,
        images: Images,
        classes: Classes = None,
        ids: Sequence[str] | None = None,
    ) -> Hidden:
        """The salient area of each image."""
        return self._found(images, classes, ids)[0]

    def mask(
        self,
        images: Images,
        classes: Classes = None,
        ids: Sequence[str] | None = None,
    ) -> Masked:
        """The masked images with their masks and counts.

        `ids` are the samples' names; only what is random (the noise fill, random maps) asks for them.
        """
        hidden, statistics = self._found(images, classes, ids)
        with torch.autocast(images.device.type, enabled=False):
            if self.mean is None or self.std is None:
                masked = self.fill(images, hidden, ids)
            else:
                masked = fill_normalised(images, hidden, self.fill, self.mean, self.std, ids)
        return Masked(masked, hidden, statistics)

    def _found(
        self, images: Images, classes: Classes, ids: Sequence[str] | None
    ) -> tuple[Hidden, MaskStatistics]:
        self._check(images)
        if classes is not None and not isinstance(classes, int):
            classes = class_tensor(classes)  # A user's own explainer need not know lists.
        found = self.explainer(images, classes=classes, ids=ids)
        hidden = self._hidden_by(found, (images.shape[2], images.shape[3]))
        statistics = MaskStatistics.of(hidden, found.empty)
        self._count(statistics)
        return hidden, statistics

    def _hidden_by(self, found: SaliencyMaps, size: tuple[int, int]) -> Hidden:
        if not isinstance(found.low, tuple):
            return hidden_from_low(found.low, size, self.threshold)
        if at_map(self.threshold):
            raise InputError("several layers have no map at layer size; choose one, or at='input'")
        return self.threshold(found.maps)

    def _count(self, statistics: MaskStatistics) -> None:
        with _COUNTING:
            self.statistics = total = self.statistics + statistics
            warn = not self._warned and total.n >= _ENOUGH and many_empty(total)
            self._warned = self._warned or warn
        if warn:
            warn_if_many_empty(total)

    def _check(self, images: Images) -> None:
        check_tensor(images)
        if images.ndim != 4 or not (images.dtype == torch.uint8 or images.is_floating_point()):
            raise InputError(
                f"expected images (batch, channels, height, width) as uint8 or floats, "
                f"got {tuple(images.shape)} as {images.dtype}"
            )
        if self.mean is not None:
            if images.dtype == torch.uint8:
                raise InputError("mean and std are for normalised images, got uint8; leave them out")
            return
        if images.is_floating_point() and images.numel():
            low, high = (bound.item() for bound in images.detach().aminmax())
            if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
                raise InputError(
                    f"expected images with values in [0, 1], got {low:.3g} to {high:.3g}; divide values up "
                    f"to 255 by 255, or, if they are normalised, pass Masker(net, mean=..., std=...)"
                )
