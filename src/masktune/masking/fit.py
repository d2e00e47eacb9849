"""How a source image is brought to what a net wants: crop, squash or pad."""

import math
from dataclasses import dataclass

from masktune.masking.geometry import Seen, cut, resize
from masktune.types import Images, InputSpec, Interpolation, View


@dataclass(frozen=True, slots=True)
class Fit:
    """How a source image is brought to what a net wants: resized as a whole, then cut or bordered."""

    source: tuple[int, int]
    """Height and width of the source image in pixels."""
    whole: tuple[int, int]
    """Height and width of the whole image after the resize."""
    offset: tuple[int, int]
    """Top and left of the cut in the resized image; below zero where a border is added."""
    size: tuple[int, int]
    """Height and width of what the net sees."""

    @classmethod
    def of(cls, source: tuple[int, int], spec: InputSpec) -> "Fit":
        """As torchvision's Resize and CenterCrop do (timm's too), squashed or not, or with a black border."""
        if spec.resize == "pad":
            scale = min(wanted / side for wanted, side in zip(spec.size, source, strict=True))
            whole = tuple(max(1, round(side * scale)) for side in source)
            offset = tuple(-((wanted - side) // 2) for wanted, side in zip(spec.size, whole, strict=True))
            return cls(source, (whole[0], whole[1]), (offset[0], offset[1]), spec.size)
        whole = _before_cut(spec) if spec.resize == "squash" else _covering(source, spec)
        # Python's round goes to the even number, as CenterCrop's does.
        down, across = (round((side - wanted) / 2) for side, wanted in zip(whole, spec.size, strict=True))
        return cls(source, whole, (down, across), spec.size)

    @property
    def view(self) -> View:
        """The same as a box in the source."""
        down, across = (side / resized for side, resized in zip(self.source, self.whole, strict=True))
        top, left = self.offset[0] * down, self.offset[1] * across
        return View(self.source, (top, left, self.size[0] * down, self.size[1] * across), self.size)

    def apply(self, images: Images, interpolation: Interpolation = "bilinear") -> Seen:
        """Fit images of one source size, or of that size decoded smaller."""
        return cut(resize(images, self.whole, interpolation), *self.offset, *self.size)


def _before_cut(spec: InputSpec) -> tuple[int, int]:
    """The least height and width of an image of which `spec.size` is cut out."""
    height, width = (math.floor(side / spec.crop_share + 1e-6) for side in spec.size)
    return height, width


def _covering(source: tuple[int, int], spec: InputSpec) -> tuple[int, int]:
    """The size of the whole image of which `spec.size` is cut out, in its own shape."""
    height, width = _before_cut(spec)
    if height == width:  # torchvision's way: the shorter side as asked, the longer one rounded down.
        short, long = min(source), max(source)
        longer = int(height * long / short)
        return (height, longer) if source[0] <= source[1] else (longer, height)
    scale = max(height / source[0], width / source[1])
    return max(round(source[0] * scale), spec.size[0]), max(round(source[1] * scale), spec.size[1])
