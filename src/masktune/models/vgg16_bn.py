"""VGG-16 with batch norm for images of 32 or 64 pixels, as SelectiveNet, Deep Gamblers and SAT train it."""

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor, nn

_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
_FIRST, _INNER, _LAST = 0.3, 0.4, 0.5
"""Shares that dropout takes: after the first convolution, inside other blocks, around the hidden layer."""
_HIDDEN = 512


class VGG16BN(nn.Module):
    """Thirteen 3x3 convolutions, each followed by ReLU and then batch norm, and one hidden layer.

    14,991,946 parameters with ten classes at 32 px, where the hidden layer reads 512 numbers; 2,048 at 64
    px. Dropout takes whole channels, as in PyTorch versions. The layer to explain is `features`, before the
    pooling of the last block.

    Args:
        classes: the number of logits.
        channels: of the input images.
        size: of the square input images in pixels, a multiple of 32.
    """

    def __init__(self, classes: int = 10, channels: int = 3, size: int = 32) -> None:
        super().__init__()
        layers = list(_layers(channels))
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.MaxPool2d(2),
            nn.Dropout2d(_LAST),
            nn.Flatten(),
            nn.Linear(_BLOCKS[-1][-1] * (size // 32) ** 2, _HIDDEN),
            nn.ReLU(),
            nn.BatchNorm1d(_HIDDEN),
            nn.Dropout(_LAST),
            nn.Linear(_HIDDEN, classes),
        )

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Logits."""
        logits: Tensor = self.head(self.features(images))
        return logits


def _layers(channels: int) -> Iterator[nn.Module]:
    """Up to the last block's pooling; no dropout after the last convolution of a block."""
    inputs = channels
    for number, block in enumerate(_BLOCKS):
        for at, width in enumerate(block):
            yield nn.Conv2d(inputs, width, 3, padding=1)
            yield nn.ReLU()
            yield nn.BatchNorm2d(width)
            if at < len(block) - 1:
                yield nn.Dropout2d(_FIRST if number == 0 else _INNER)
            inputs = width
        if number < len(_BLOCKS) - 1:
            yield nn.MaxPool2d(2)
