"""A trial so small that an arm takes milliseconds: dark and bright images, and nets whose rule is known."""

from functools import cache

import numpy as np
import torch
from torch import nn

from masktune.data import InMemory, Subset
from masktune.masking import TopFraction
from masktune.methods import ERM, MaskTune, Task
from masktune.models.build import from_seed
from masktune.models.classifier import Classifier
from masktune.training.settings import Training
from masktune.trial.arms import JudgedImages
from masktune.trial.settings import TrialSettings
from masktune.types import InputSpec, silent

CLASSES = ("dark", "bright")
SETTINGS = TrialSettings(
    masktune=MaskTune(saliency="layercam", layer="1", threshold=TopFraction(0.2), optimizer_state="fresh")
)


def images(n=96, seed=0, *, name="id", wrong=False):
    """Noise of 8 x 8 pixels with two levels of brightness, a bright pixel being 100 of 255 brighter.

    `wrong` turns all labels round.
    """
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(n) % 2)
    pixels = random.integers(0, 156, (n, 3, 8, 8)) + 100 * labels[:, None, None, None]
    ids = np.array([f"{name}-{i:03d}" for i in range(n)])
    return InMemory(torch.from_numpy(pixels.astype(np.uint8)), 1 - labels if wrong else labels, ids, CLASSES)


class Brightness(nn.Module):
    """Says bright where the mean of the pixels is above 0.5: its logits are -50 and 50 times what is above.

    Of pixels in [0, 1]; the map of a class is that of the pixels themselves.
    """

    def __init__(self):
        super().__init__()
        self.see = nn.Conv2d(3, 1, 1)
        self.relu = nn.ReLU()
        self.head = nn.Linear(1, 2)
        with torch.no_grad():
            self.see.weight.fill_(1 / 3)
            self.see.bias.zero_()
            self.head.weight.copy_(torch.tensor([[-50.0], [50.0]]))
            self.head.bias.copy_(torch.tensor([25.0, -25.0]))

    def forward(self, images):
        return self.head(self.relu(self.see(images)).mean((2, 3)))


def brightness():
    """That net without any normalisation."""
    spec = InputSpec(size=(8, 8), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return Classifier(Brightness(), spec, CLASSES)


def untrained():
    """A net of two layers, not trained yet."""
    net = from_seed(
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AvgPool2d(3), nn.Flatten(), nn.Linear(16, 2)),
        0,
    )
    return Classifier(net, InputSpec(size=(8, 8)), CLASSES)


@cache
def trained(seed=0):
    """A function that builds the same trained net each time; it is right on nearly all images."""
    first = Training(epochs=4, batch_size=16, learning_rate=0.1, selection="last")
    data = images(seed=seed)
    weights = ERM().fit(Task(data, data, untrained, first, seed=seed)).classifier.state_dict()
    kept = {name: value.clone() for name, value in weights.items()}

    def build():
        net = untrained()
        net.load_state_dict(kept)
        return net

    return build


def trial(folder=None, progress=silent, *, wrong=False, build=None, seed=0):
    """A task on 72 images and the images that it is judged on; `wrong` tunes on labels turned round."""
    data = images(wrong=wrong)
    held_out = Subset(images(), torch.arange(72, 96))
    train = Subset(data, torch.arange(72))
    task = Task(
        train, held_out, build or trained(), SETTINGS.tuning(), seed=seed, folder=folder, progress=progress
    )
    return task, JudgedImages(images(40, seed=9, name="judged"), held_out)
