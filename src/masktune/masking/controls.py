"""Masks to compare with: as large as the image's own mask, elsewhere.

A gain of the mask counts only against these (design §1).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from masktune.masking import keyed
from masktune.masking.thresholds import top_pixels
from masktune.types import Hidden

_NOISE_CELLS = 7
"""Cells a side of the noise that breaks ties: the layer grid of a ResNet, whose masks are that coarse."""


def roll_elsewhere(hidden: Hidden, ids: Sequence[str], seed: int) -> Hidden:
    """Roll each mask around the image by a seeded step, uniform over all steps but the one that stays.

    Same area and, across the borders, same shape. A mask that repeats itself can still fall on itself.
    """
    _, height, width = hidden.shape
    keys = keyed.keys_for(hidden, ids, "roll", seed)
    step = 1 + keyed.integers(keys, below=max(height * width - 1, 1))
    rows = (torch.arange(height, device=hidden.device) - (step // width)[:, None]) % height
    columns = (torch.arange(width, device=hidden.device) - (step % width)[:, None]) % width
    samples = torch.arange(len(hidden), device=hidden.device)
    return hidden[samples[:, None, None], rows[:, :, None], columns[:, None, :]]


def least_salient(maps: Float[Tensor, "b h w"], hidden: Hidden, ids: Sequence[str], seed: int) -> Hidden:
    """Hide as many pixels as `hidden` does, but those with the lowest saliency.

    Most pixels of a map are exactly 0. Among equal ones a smooth seeded noise decides: taking them in order
    would always hide the same corner, and single scattered pixels would be noise to a classifier, where the
    mask to compare with consists of patches.
    """
    keys = keyed.keys_for(maps, ids, "least salient", seed)
    draws = torch.arange(_NOISE_CELLS**2, device=maps.device)
    cells = keyed.uniform(keys[:, None], draws[None]).view(-1, 1, _NOISE_CELLS, _NOISE_CELLS)
    noise = functional.interpolate(cells, hidden.shape[1:], mode="bilinear", align_corners=False)[:, 0]
    return top_pixels(-maps, hidden.sum((1, 2)), ties=noise)
