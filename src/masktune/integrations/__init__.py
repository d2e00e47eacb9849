"""Masking inside other people's training loops, and records as their tables.

The libraries are the user's own: each module here imports its library when it is itself imported or used, and
says what to type where it is missing. What the callbacks share stands in this file.
"""

import copy
import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypedDict

from torch import nn

from masktune.errors import InputError, MasktuneWarning
from masktune.masking import Fill, Masker, MaskStatistics, Threshold
from masktune.saliency import Explainer

HIDDEN_SHARE = "masktune/hidden_share"
"""Under this name the loops' own loggers get the mean share of an image that was hidden, 0 to 1."""


class MaskerOptions(TypedDict, total=False):
    """What a callback hands on to `Masker`; its defaults hold for what is left out."""

    explainer: Callable[[nn.Module], Explainer]
    """Makes the explainer of the frozen copy: a class, or `partial(XGradCAM, layer="layer4")`."""
    threshold: Threshold
    fill: Fill | str
    mean: Sequence[float]
    std: Sequence[float]


def check_options(options: MaskerOptions, from_epoch: int) -> None:
    """Refuse at once what would fail hours later, in the first masked epoch.

    Raises:
        InputError: an option of `Masker` that it refuses, an explainer of another net, a negative epoch.
    """
    if from_epoch < 0:
        raise InputError(f"expected from_epoch of at least 0, got {from_epoch}; 0 masks from the first on")
    explainer: Any = options.get("explainer")
    if explainer is not None and not isinstance(explainer, type) and hasattr(explainer, "net"):
        raise InputError(
            f"expected a class or function that makes the explainer of the frozen copy, got a "
            f"{type(explainer).__name__} of another net; pass explainer={type(explainer).__name__}"
        )
    Masker(nn.Identity(), **_without_explainer(options))


def frozen_copy(net: nn.Module) -> nn.Module:
    """A copy that keeps today's weights while the net itself is tuned."""
    return copy.deepcopy(net).eval().requires_grad_(False)


def masker_of(net: nn.Module, options: MaskerOptions) -> Masker:
    """The masker of a frozen copy."""
    explainer = options.get("explainer")
    made = None if explainer is None else explainer(net)
    return Masker(net, explainer=made, **_without_explainer(options))


def share_between(before: MaskStatistics, now: MaskStatistics) -> float | None:
    """Mean share of an image that was hidden in the masks made since `before`; None without any."""
    n = now.n - before.n
    return (now.hidden_total - before.hidden_total) / n if n else None


def warn_if_unmasked(masker: Masker | None, from_epoch: int, done: int) -> None:
    """Say so where training ended before masking began: epochs count from 0, which is easily forgotten."""
    if masker is None and done <= from_epoch:
        warnings.warn(
            f"nothing was masked: masking begins with epoch {from_epoch}, counted from 0, and training ended "
            f"after {done}; train longer, or choose from_epoch={max(done - 1, 0)}",
            MasktuneWarning,
            stacklevel=3,
        )


def _without_explainer(options: MaskerOptions) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "explainer"}
