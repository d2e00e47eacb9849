"""Small nets as a stranger brings them: `masktune scan ... --model benchmarks/scan_nets.py:letters`."""

from torch import nn

from masktune.models import SmallCNN


def digits() -> nn.Module:
    """The paper's net for biased MNIST: colour, 28 px, two classes."""
    return SmallCNN()


def letters() -> nn.Module:
    """Grey, 96 x 80 px, two classes; each cell of its 4 x 4 head knows its place."""
    return nn.Sequential(
        *_block(1, 16),
        *_block(16, 16),
        *_block(16, 32),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(512, 2),
    )


def pets() -> nn.Module:
    """Colour, 96 px, two classes, no memory of places: all cells are averaged."""
    blocks = (*_block(3, 16), *_block(16, 32), *_block(32, 64), *_block(64, 64))
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 2))


def tiny() -> nn.Module:
    """Colour, any size, two classes; so small that reading the images takes the time."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=4, padding=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 2),
    )


def _block(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)
