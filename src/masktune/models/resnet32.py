"""The residual net of 32 layers for small images, as its paper describes it for CIFAR-10."""

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from masktune.models.build import he_normal

BLOCKS = 5
"""Of each of the three stages: 3 x 5 blocks of two convolutions, one before them, one linear layer."""


class ResNet32(nn.Module):
    """Three stages of five blocks with 16, 32 and 64 channels (He et al. 2016, section 4.2).

    464,154 parameters with ten classes. The layer to explain is `stages`, whose end is that of the last
    block, `stages.2.4`: 64 channels, a quarter of the image's sides (8x8 at 32 pixels, 16x16 at 64).

    Args:
        classes: the number of logits.
        channels: of the input images.
    """

    def __init__(self, classes: int = 10, channels: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(_convolution(channels, 16), nn.BatchNorm2d(16), nn.ReLU())
        self.stages = nn.Sequential(
            nn.Sequential(*_stage(16, 16, stride=1)),
            nn.Sequential(*_stage(16, 32, stride=2)),
            nn.Sequential(*_stage(32, 64, stride=2)),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(64, classes)
        he_normal(self)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Logits of images in [0, 1]; sides that are multiples of 4 fit best."""
        logits: Tensor = self.head(self.pool(self.stages(self.stem(images))).flatten(1))
        return logits


class Block(nn.Module):
    """Two convolutions, and what came in added to what they give.

    Where size and channels change, every second pixel is added and further channels are zero: the paper's
    shortcut A, which has no parameters.

    Args:
        inputs: channels that come in.
        outputs: channels that go out; no fewer.
        stride: of the first convolution.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            _convolution(inputs, outputs, stride),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            _convolution(outputs, outputs),
            nn.BatchNorm2d(outputs),
        )
        self.stride = stride
        self.added = outputs - inputs

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d height width"]:
        """What came in, at the new size, and what the convolutions add; none below zero."""
        short = features[:, :, :: self.stride, :: self.stride]
        if self.added:
            short = functional.pad(short, (0, 0, 0, 0, 0, self.added))
        return functional.relu(short + self.residual(features))


def _stage(inputs: int, outputs: int, stride: int) -> Iterator[Block]:
    yield Block(inputs, outputs, stride)
    for _ in range(BLOCKS - 1):
        yield Block(outputs, outputs, stride=1)


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    # No bias: batch norm takes it off again.
    return nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1, bias=False)
