"""A method of one's own, in one file: cutout, a black square at a random place of each training image.

masktune bench --datasets biased-digits --methods examples/07_own_method.py:Cutout masktune --out out
"""

from dataclasses import dataclass, replace

import torch

from masktune.methods import Fitted, Task
from masktune.seeds import generator
from masktune.training import Work, train
from masktune.types import Batch


@dataclass(frozen=True)
class Cutout:
    """DeVries and Taylor (2017), in its simplest form; the last epoch's weights count."""

    size: int = 8
    name = "cutout"
    supervision = "none"  # The bench removes all group labels from what it gets.

    def fit(self, task: Task) -> Fitted:
        """Train on images with a hole each."""
        state = task.fresh_state()
        for _ in train(state, task.train, task.training, Work(task.seed, self.name, self.cut)):
            pass
        return Fitted(state.classifier, "last", task.training.epochs, state.seconds, state.samples)

    def cut(self, batch: Batch, epoch: int) -> Batch:
        """The batch with a square of each image black, another one each epoch."""
        images = batch.images.clone()
        for image, name in zip(images, batch.ids, strict=True):
            random = generator("cutout", name, epoch)
            top, left = (int(torch.randint(n, (), generator=random)) for n in image.shape[1:])
            image[:, top : top + self.size, left : left + self.size] = 0
        return replace(batch, images=images)
