"""The areas that are hidden to see what a classifier leans on: the salient one, and two to compare with."""

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from masktune.masking.controls import least_salient, roll_elsewhere
from masktune.masking.thresholds import Threshold, hidden_from_low
from masktune.saliency.cam import enlarge
from masktune.types import Hidden

Area = Literal["salient", "random", "least_salient"]
"""What is hidden: the salient area, the same shape at a random place, as many least salient pixels."""

AREAS: tuple[Area, ...] = ("salient", "random", "least_salient")


def hidden_areas(
    low: Float[Tensor, "b h_low w_low"],
    size: tuple[int, int],
    threshold: Threshold,
    ids: Sequence[str],
    seed: int,
) -> dict[Area, Hidden]:
    """All three areas of each image at `size`, equally large, from maps in [0, 1] at layer size.

    `ids` and `seed` say where the two to compare with lie; the batch and its order do not.
    """
    low = low.half().float()  # As saved maps are, so that each area is the same bits whoever makes it.
    salient = hidden_from_low(low, size, threshold)
    return {
        "salient": salient,
        "random": roll_elsewhere(salient, ids, seed),
        "least_salient": least_salient(enlarge(low, size), salient, ids, seed),
    }
