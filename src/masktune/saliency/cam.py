"""Activations and gradients of a layer in, raw saliency maps out; and how a raw map becomes one in [0, 1].

Everything agrees with pytorch-grad-cam 1.5.7, constants included. The sources of the formulas are named at
each function; `activations` and `gradients` are of one layer, `gradients` of each image's own class score.
Half precision must be widened before it comes here: a 112 x 112 sum of eights is infinite in float16.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

_XGRAD_EPS = 1e-7
_PLUS_PLUS_EPS = 1e-6  # Not negligible: behind global average pooling 2 g² is about as small.
_SCALE_EPS = 1e-7


def grad_cam(
    activations: Float[Tensor, "b k h w"], gradients: Float[Tensor, "b k h w"]
) -> Float[Tensor, "b h w"]:
    """Weigh each channel by its mean gradient.

    Source: Selvaraju et al., ICCV 2017.
    """
    return weighted_sum(activations, gradients.mean((2, 3)))


def xgrad_cam(
    activations: Float[Tensor, "b k h w"], gradients: Float[Tensor, "b k h w"]
) -> Float[Tensor, "b h w"]:
    """Weigh each channel by its gradient averaged over the channel's own activation.

    Where the gradient is the same at all places (global average pooling and a linear head) this is Grad-CAM.
    The sum of a channel stands in the denominator: channels of both signs may cancel and blow up.
    Source: Fu et al., BMVC 2020, equation 8.
    """
    share = (gradients * activations).sum((2, 3))
    return weighted_sum(activations, share / (activations.sum((2, 3)) + _XGRAD_EPS))


def grad_cam_plus_plus(
    activations: Float[Tensor, "b k h w"], gradients: Float[Tensor, "b k h w"]
) -> Float[Tensor, "b h w"]:
    """Weigh each channel by its positive gradients, each place by a closed form of higher derivatives.

    The epsilon makes it depend on the scale of the scores: give gradients of plain logits, summed.
    Source: Chattopadhay et al., WACV 2018, without the factor exp(score), which cancels.
    """
    square = gradients.square()
    total = activations.sum((2, 3), keepdim=True)
    alpha = square / (2 * square + total * square * gradients + _PLUS_PLUS_EPS)
    return weighted_sum(activations, (gradients.relu() * alpha).sum((2, 3)))


def layer_cam(
    activations: Float[Tensor, "b k h w"], gradients: Float[Tensor, "b k h w"]
) -> Float[Tensor, "b h w"]:
    """Weigh each place of each channel by its own positive gradient.

    Source: Jiang et al., TIP 2021.
    """
    return (gradients.relu() * activations).sum(1)


def weighted_sum(
    activations: Float[Tensor, "b k h w"], weights: Float[Tensor, "b k"]
) -> Float[Tensor, "b h w"]:
    """Sum the channels, each times its weight.

    A plain product and sum: a matrix product would run in half precision under autocast.
    """
    return (weights[:, :, None, None] * activations).sum(1)


def scale(raw: Float[Tensor, "b h w"]) -> Float[Tensor, "b h w"]:
    """Cut raw maps at zero and stretch each to [0, 1]; a map without contrast becomes all zero."""
    return _stretch(raw.relu())


def enlarge(
    low: Float[Tensor, "b _ _"] | Sequence[Float[Tensor, "b _ _"]], size: tuple[int, int]
) -> Float[Tensor, "b h w"]:
    """Bring scaled maps of a layer to `size` (height, width), and stretch each to [0, 1] again.

    Maps of several layers are averaged at that size. The second stretch is grad-cam's too: smoothing
    flattens the peak, so without it the highest value would be below 1.
    """
    layers = [low] if isinstance(low, Tensor) else low
    resized = [
        functional.interpolate(one[:, None], size, mode="bilinear", align_corners=False) for one in layers
    ]
    mean = resized[0] if len(resized) == 1 else torch.stack(resized).mean(0)
    return _stretch(mean[:, 0])


def _stretch(maps: Float[Tensor, "b h w"]) -> Float[Tensor, "b h w"]:
    lowest, highest = maps.flatten(1).aminmax(dim=1)
    reach = highest - lowest + _SCALE_EPS
    return (maps - lowest[:, None, None]).div_(reach[:, None, None])
