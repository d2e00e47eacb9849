"""ResNet-32 for images of 32 pixels, and of 64: the net of the paper's selective classification."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_WIDTHS = (16, 32, 64)
_BLOCKS = 5
"""Blocks a stage: 6 x 5 + 2 layers with weights."""


class ResNet32(nn.Module):
    """Three stages of five basic blocks of 16, 32 and 64 channels (He et al. 2016, section 4.2).

    Where a stage halves the image, what goes past the convolutions is sub-sampled and padded with zeros
    (option A), so that only convolutions, batch norms and the last layer have weights: 464,154 parameters
    with ten classes. The layer to explain is `stages.2`, the last stage: 64 channels of 8x8 for 32 px.

    Args:
        classes: the number of logits.
        channels: of the input images.
    """

    def __init__(self, classes: int = 10, channels: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, _WIDTHS[0], 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(_WIDTHS[0])
        inputs = (_WIDTHS[0], *_WIDTHS[:-1])
        self.stages = nn.Sequential(
            *(_stage(before, width) for before, width in zip(inputs, _WIDTHS, strict=True))
        )
        self.head = nn.Linear(_WIDTHS[-1], classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Logits."""
        features = self.stages(functional.relu(self.norm(self.stem(images))))
        logits: Tensor = self.head(features.mean((2, 3)))
        return logits


def _stage(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(inputs if at == 0 else width, width) for at in range(_BLOCKS)))


class _Block(nn.Module):
    """Two 3x3 convolutions, and the input past them."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.step = 1 if inputs == width else 2
        self.more = width - inputs
        self.conv1 = nn.Conv2d(inputs, width, 3, stride=self.step, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, images: Tensor) -> Tensor:
        past = images
        if self.more:
            past = functional.pad(images[:, :, :: self.step, :: self.step], (0, 0, 0, 0, 0, self.more))
        inner = functional.relu(self.norm1(self.conv1(images)))
        return torch.relu(self.norm2(self.conv2(inner)) + past)
