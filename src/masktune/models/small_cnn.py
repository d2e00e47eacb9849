"""The small net of the paper's MNIST experiment."""

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor, nn


class SmallCNN(nn.Module):
    """Four 3x3 convolutions and a two-layer head, for 28 px images (`src/models/simple_cnn.py`).

    149,202 parameters with two classes. The layer to explain is `features.12`, the last ReLU before the
    second pooling: 32 channels of 8x8.

    Args:
        classes: the number of logits.
        channels: of the input images, 1 or 3.
    """

    def __init__(self, classes: int = 2, channels: int = 3) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_convolution(channels, 16),
            *_convolution(16, 16),
            nn.MaxPool2d(2),
            *_convolution(16, 32),
            *_convolution(32, 32),
            nn.MaxPool2d(2),
        )
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(512, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, classes)
        )

    def forward(self, images: Float[Tensor, "b c 28 28"]) -> Float[Tensor, "b k"]:
        """Logits of images in [0, 1]."""
        logits: Tensor = self.head(self.features(images))
        return logits


def _convolution(inputs: int, outputs: int) -> Iterator[nn.Module]:
    yield nn.Conv2d(inputs, outputs, kernel_size=3)
    yield nn.BatchNorm2d(outputs)
    yield nn.ReLU()
