"""VGG-16 with batch norm and dropout for small images: the net that most numbers on abstaining are of."""

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor, nn

from masktune.errors import InputError
from masktune.models.build import he_normal

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and number of convolutions of each block, after which the sides are halved (Simonyan and Zisserman
2015, configuration D)."""

HALVED = 2 ** len(BLOCKS)
"""By how much the sides have shrunk in the end."""


class VGG16BN(nn.Module):
    """Thirteen convolutions in five blocks and two linear layers, as SelectiveNet and its successors have it.

    Each convolution is followed by ReLU, then batch norm, in this order (Liu and Deng 2015, for CIFAR-10).
    Dropout takes single values, as in SelectiveNet's Keras; later PyTorch versions drop whole channels.
    14,991,946 parameters with ten classes at 32 pixels. The layer to explain is the batch norm before the
    last pooling, `features.50`: 512 channels, a sixteenth of the image's sides.

    Args:
        classes: the number of logits.
        size: height and width of the images, a multiple of 32.
        channels: of the input images.

    Raises:
        InputError: no such size.
    """

    def __init__(self, classes: int = 10, size: int = 32, channels: int = 3) -> None:
        super().__init__()
        if size < HALVED or size % HALVED:
            raise InputError(f"expected images whose sides are a multiple of {HALVED}, got {size}")
        self.features = nn.Sequential(*_features(channels))
        flat = BLOCKS[-1][0] * (size // HALVED) ** 2
        self.head = nn.Sequential(
            nn.Flatten(),  # First, so that dropout is no layer with places.
            nn.Dropout(0.5),
            nn.Linear(flat, 512),
            nn.ReLU(),
            nn.BatchNorm1d(512),
            nn.Dropout(0.5),
            nn.Linear(512, classes),
        )
        he_normal(self)

    def forward(self, images: Float[Tensor, "b c size size"]) -> Float[Tensor, "b k"]:
        """Logits of images in [0, 1]."""
        logits: Tensor = self.head(self.features(images))
        return logits


def _features(inputs: int) -> Iterator[nn.Module]:
    for block, (outputs, count) in enumerate(BLOCKS):
        for at in range(count):
            yield nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)
            yield nn.ReLU()
            yield nn.BatchNorm2d(outputs)
            if at < count - 1:  # Not before the pooling.
                yield nn.Dropout(0.3 if block == 0 else 0.4)
            inputs = outputs
        yield nn.MaxPool2d(2)
