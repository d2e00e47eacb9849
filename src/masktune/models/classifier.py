"""A net together with what it wants as input: pixels in, logits out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from masktune.errors import InputError
from masktune.models.with_heads import WithHeads
from masktune.saliency.nets import read_logits, two_headed
from masktune.types import Images, InputSpec, as_float


@final
class Classifier(nn.Module):
    """A net that takes images in pixel space: normalisation belongs to it, so black is black for every model.

    Args:
        net: gives (b, K) logits, bare or in an output object of Hugging Face, a dict or a tuple; one logit z,
            (b, 1) or (b,), counts as the two-class head [0, z].
        spec: size, channels, mean and std that `net` wants.
        classes: names of the classes, in the order of the logits.
    """

    def __init__(self, net: nn.Module, spec: InputSpec, classes: tuple[str, ...]) -> None:
        super().__init__()
        if len(classes) < 2 or len(set(classes)) < len(classes):
            raise InputError(f"expected two or more class names, no two alike, got {classes}")
        self.net = net
        self.spec = spec
        self.classes = classes
        for name in ("mean", "std"):
            values = torch.tensor(getattr(spec, name), dtype=torch.float32).view(1, -1, 1, 1)
            self.register_buffer(name, values, persistent=False)  # The spec holds it; weights stay the net's.

    def forward(self, images: Images) -> Float[Tensor, "b k"]:
        """Logits of images in pixel space.

        Args:
            images: (b, c, h, w), uint8 or float in [0, 1], of the size and channels in `spec`.

        Raises:
            InputError: another shape or type than `spec` says, or not one logit a class.
        """
        logits = two_headed(read_logits(self.net(self.to_net_input(images)), len(images)))
        self._check(logits, len(images))
        return logits

    def with_confidence(self, images: Images) -> tuple[Float[Tensor, "b k"], Float[Tensor, " b"] | None]:
        """Logits, and how sure a head for abstaining is, where the net has one (`models.with_heads`).

        Raises:
            InputError: as `forward`.
        """
        if not isinstance(self.net, WithHeads):
            return self(images), None
        logits, confidence = self.net.with_confidence(self.to_net_input(images))
        self._check(logits, len(images))
        return logits, confidence

    def _check(self, logits: Tensor, count: int) -> None:
        if logits.shape != (count, len(self.classes)):
            raise InputError(
                f"expected logits of shape ({count}, {len(self.classes)}) from the net, one column a "
                f"class, got {tuple(logits.shape)}; check the net's last layer and the class names"
            )

    def to_net_input(self, images: Images) -> Float[Tensor, "b c_net h w"]:
        """Check the batch, then scale to [0, 1], repeat grey where colour is wanted, normalise."""
        wanted = (self.spec.channels, *self.spec.size)
        grey = images.ndim == 4 and images.shape[1] == 1 and self.spec.channels == 3
        if images.ndim != 4 or (not grey and images.shape[1] != wanted[0]) or images.shape[2:] != wanted[1:]:
            raise InputError(
                f"expected images of shape (b, {', '.join(map(str, wanted))}), got {tuple(images.shape)}; "
                f"resize them, or give the classifier another InputSpec"
            )
        if images.dtype != torch.uint8 and not images.is_floating_point():
            raise InputError(f"expected uint8 images, or floats in [0, 1], got {images.dtype}")
        mean, std = self.get_buffer("mean"), self.get_buffer("std")
        pixels = as_float(images.expand(-1, 3, -1, -1) if grey else images).to(mean.dtype)
        if self.spec.mean == (0.0,) and self.spec.std == (1.0,):
            return pixels
        return (pixels - mean) / std


@contextmanager
def evaluating(net: nn.Module) -> Iterator[nn.Module]:
    """Put every module in eval mode, then give each its own mode back."""
    before = [(module, module.training) for module in net.modules()]
    try:
        yield net.eval()
    finally:
        for module, was_training in before:
            module.training = was_training
