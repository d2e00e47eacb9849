"""Scores of masks: how much of the image, and how much of the shortcut, is hidden.

Masks are scored batch by batch and only one share an image is kept, so tens of thousands of masks never have
to be in memory at once.
"""

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from masktune.errors import InputError
from masktune.evaluation.intervals import Rate, wilson
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


def measure_objects(
    object_shares: Float64[np.ndarray, " n"],
    on_object: Float64[np.ndarray, " n"],
    groups: Shaped[np.ndarray, " n"] | None = None,
) -> list[Measure]:
    """Measure where masks lie: `object_hidden` and `hidden_on_object`, of all images and of each group.

    Args:
        object_shares: `hidden_share(hidden, object)` of each image, NaN where the image shows no object.
        on_object: `hidden_share(object, hidden)` of each image, NaN where nothing is hidden; what random
            masks have there is the share of the image that the object takes, about.
        groups: names of the groups.
    """
    cells: dict[str | None, np.ndarray] = {None: np.ones(len(on_object), dtype=bool)}
    if groups is not None:
        cells |= {name: groups == name for name in np.unique(groups).tolist()}
    found = []
    for metric, shares in (("object_hidden", object_shares), ("hidden_on_object", on_object)):
        for group, own in cells.items():
            known = shares[own & ~np.isnan(shares)]
            found.append(Measure.of(metric, _mean(known), group))
    return found


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
    return [Measure.of(metric, _mean(shares)) for metric, shares in columns.items()]


def _mean(shares: Float64[np.ndarray, " m"]) -> Rate:
    # A sum of shares may exceed their number by rounding.
    return wilson(min(float(shares.sum()), len(shares)), len(shares))
