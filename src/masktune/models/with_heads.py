"""A net with further outputs on what its last layer reads: for methods that learn when to abstain."""

from collections.abc import Callable
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from masktune.errors import InputError
from masktune.models.build import from_seed
from masktune.models.heads import find_head
from masktune.saliency.nets import read_logits, two_headed
from masktune.types import InputSpec

Confidence = Literal["abstain", "select"] | None
"""What the first further output is: the logit of a class "no answer", or that of answering; None: neither."""


@final
class WithHeads(nn.Module):
    """A net, its logits as they are, and heads beside its last layer.

    Args:
        net: gives (b, k) logits, or (b, 1), which counts as [0, z].
        heads: gives (b, e) further outputs of the (b, f) features that the last layer reads.
        layer: name of that layer in `net`.
        confidence: what the first of them is.
    """

    def __init__(self, net: nn.Module, heads: nn.Module, layer: str, confidence: Confidence) -> None:
        super().__init__()
        self.net = net
        self.heads = heads
        self.layer = layer
        self.confidence = confidence

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """The logits of the classes alone."""
        return self._seen(images)[0]

    def outputs(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k_and_e"]:
        """The logits, and beside them the further outputs."""
        logits, features = self._seen(images)
        return torch.cat([logits, self.heads(features)], dim=1)

    def with_confidence(
        self, images: Float[Tensor, "b c h w"]
    ) -> tuple[Float[Tensor, "b k"], Float[Tensor, " b"] | None]:
        """The logits, and how sure the method's own head is, if it says so: larger is surer, not bounded.

        Of a class "no answer" it is minus the log of its probability among all k + 1.
        """
        logits, features = self._seen(images)
        if self.confidence is None:
            return logits, None
        own = self.heads(features)[:, 0].float()
        if self.confidence == "select":
            return logits, own
        all_of = torch.cat([logits.float(), own[:, None]], dim=1)
        return logits, torch.logsumexp(all_of, dim=1) - own

    def _seen(self, images: Tensor) -> tuple[Tensor, Tensor]:
        caught: list[Tensor] = []
        last = self.net.get_submodule(self.layer)
        hook = last.register_forward_pre_hook(lambda _, args: caught.append(args[0]))
        try:
            logits = two_headed(read_logits(self.net(images), len(images)))
        finally:
            hook.remove()
        features = caught[-1]
        return logits, features.mean((2, 3)) if features.ndim == 4 else features


def with_heads(
    net: nn.Module, spec: InputSpec, make: Callable[[int], nn.Module], confidence: Confidence, seed: int
) -> WithHeads:
    """Put heads beside a net's last layer; `make` gets the number of features, and `seed` its first weights.

    Raises:
        InputError: no last linear layer, or 1x1 convolution, was found.
    """
    head = find_head(net, torch.zeros(2, spec.channels, *spec.size))
    if not head.paths:
        raise InputError(
            "expected a net that ends in a linear layer or a 1x1 convolution, so that a head can be put "
            f"beside it, got {type(net).__name__}"
        )
    last = net.get_submodule(head.paths[0])
    features = last.in_features if isinstance(last, nn.Linear) else last.in_channels
    return WithHeads(net, from_seed(lambda: make(int(features)), seed), head.paths[0], confidence)  # type: ignore[arg-type]
