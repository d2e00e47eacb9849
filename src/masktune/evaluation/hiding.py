"""Scores of masks: how much of the image, and how much of the shortcut, is hidden.

Masks are scored batch by batch and only one share an image is kept, so tens of thousands of masks never have
to be in memory at once.
"""

import numpy as np
from jaxtyping import Bool, Float64

from masktune.errors import InputError
from masktune.evaluation.intervals import wilson
from masktune.evaluation.metrics import Measure


def hidden_share(
    hidden: Bool[np.ndarray, "b h w"], within: Bool[np.ndarray, "b h w"] | None = None
) -> Float64[np.ndarray, " b"]:
    """Share of each image's pixels that are hidden, 0 to 1.

    `within` true = the pixel counts, such as those of the shortcut; NaN for an image without such a pixel.
    Without it all pixels count.
    """
    if within is None:
        within = np.ones_like(hidden)
    counted = np.count_nonzero(within, axis=(1, 2))
    found = np.count_nonzero(hidden & within, axis=(1, 2))
    with np.errstate(invalid="ignore"):
        return np.asarray(found / counted)


def measure_hiding(
    image_shares: Float64[np.ndarray, " n"], shortcut_shares: Float64[np.ndarray, " n"] | None = None
) -> list[Measure]:
    """Measure the masks of n images from `hidden_share(hidden)` and `hidden_share(hidden, shortcut)` of each.

    `shortcut_hidden` is a mean over the images that carry the shortcut (not NaN), `image_hidden` over all of
    them; `empty_masks` is the share of images where nothing is hidden. Intervals are Wilson's, which for a
    mean of shares are on the safe side.

    Raises:
        InputError: there is no image.
    """
    if len(image_shares) == 0:
        raise InputError("expected the masks of at least one image, got none")
    columns = {"image_hidden": image_shares, "empty_masks": (image_shares == 0).astype(float)}
    if shortcut_shares is not None:
        columns = {"shortcut_hidden": shortcut_shares[~np.isnan(shortcut_shares)], **columns}
    # A sum of shares may exceed their number by rounding.
    return [
        Measure.of(metric, wilson(min(float(shares.sum()), len(shares)), len(shares)))
        for metric, shares in columns.items()
    ]
