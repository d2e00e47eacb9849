"""Seeded changes of training images: mirrored, and cropped a little.

They come last, after masks: what is hidden is found and filled in the image as it is, and the filled image
is then moved as a whole, so a mask stays on what it hides. This holds for masks made online too: map and mask
belong to the same view, the unmoved one. Maps of the moved images would fit as well, but an image's mask
would change with each epoch's crop, and would no longer be the one that saved maps give.
"""

from dataclasses import replace
from typing import Literal

from masktune.masking.geometry import apply_view, random_views
from masktune.types import Batch

Augment = Literal["none", "flip", "crop", "crop_flip"]

KEPT = 0.8
"""Share of an image's area that a crop keeps at least, up to rounding to whole pixels."""


def augmented(batch: Batch, augment: Augment, *, seed: int, epoch: int) -> Batch:
    """The batch with each image perhaps mirrored left to right, or cropped and resized to its size.

    What happens to an image depends on seed, epoch and its id only: not on its batch, nor on what is hidden
    in it, so all arms of a trial see it alike. `flip` mirrors the same images as `crop_flip`, and `crop` cuts
    out the same boxes.

    Args:
        batch: images of any type; uint8 stays uint8.
        augment: `flip` mirrors every second image by chance; `crop` keeps at least 80 % of the area, and the
            shape up to 4 : 5, which is all that so large a part leaves room for (torchvision's
            RandomResizedCrop with scale (0.8, 1) draws from 3 : 4 and throws away what does not fit).
        seed: of the run.
        epoch: counted from 0.
    """
    if augment == "none":
        return batch
    least = 1.0 if augment == "flip" else KEPT
    height, width = batch.images.shape[2:]
    views = random_views(
        (height, width),
        (height, width),
        batch.ids,
        epoch=epoch,
        seed=seed,
        scale=(least, 1.0),
        ratio=(width / height * least, width / height / least),
        flip=augment != "crop",
    )
    return replace(batch, images=apply_view(batch.images, views))
