"""One pass that looks at every module of a net: which outputs are maps of the image and reach the scores."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from masktune.saliency.layouts import Layout, find_layout
from masktune.saliency.nets import forward, held_still
from masktune.saliency.probe import first_tensor, with_first_tensor

_IMAGES = 2  # More would only cost time.
_LAST = 40  # Maps; a stage of a large net has fewer, with all that lies inside of its last blocks.
_POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.LPPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
_PASS_THROUGH = (nn.Identity, nn.Dropout, nn.Dropout2d)
# What only modules that mix tokens by attention have; tensors inside them look like maps but are none.
_ATTENTION_PARTS = (
    "qkv", "qkvs", "qkv_proj", "to_qkv", "in_proj_weight", "queries_keys_values", "kv", "keys_values", "qk",
    "q", "q_proj", "to_q", "wq", "query", "query_proj", "to_query", "queries", "convolution_projection_query",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidate:
    """A layer whose output is a map of the image and has a gradient there."""

    path: str
    layout: Layout
    activation: Tensor
    gradient: Tensor


@dataclass(frozen=True, slots=True)
class DryRun:
    """What one pass over a few images showed."""

    candidates: tuple[Candidate, ...]
    """The best first: last in the order of execution, so of modules that return the same the outermost."""
    by_features: bool
    """No score has a gradient anywhere, as with a head of zeros; the features before the head decided."""
    outputs: tuple[str, ...]
    """The last outputs of whatever shape, for messages: "features.3 (2, 16, 8, 8)"."""

    @property
    def advice(self) -> str:
        """The end of a message that refuses a layer."""
        if self.by_features:
            return "; the scores do not depend on the image at all (is the head still zero?)"
        if self.candidates:
            return f"; try {' or '.join(repr(one.path) for one in self.candidates[:3])}"
        return f"; no layer has places that matter to the scores (last outputs: {', '.join(self.outputs)})"


def dry_run(net: nn.Module, inputs: Tensor) -> DryRun:
    """Run an innermost net on the first images with a hook on each module; the net is left as it was.

    Left out: what lies inside attention, pooling layers (the finer map before them is better), convolutions
    over the whole map and what follows them, and class maps, which are only pooled to become the scores.
    """
    with torch.inference_mode(False), held_still(net):
        first = _Watch(net, inputs[:_IMAGES], frozenset())
        with torch.no_grad():
            first.run()
        # The graph begins at the last few maps: all of a net's outputs take more memory than a batch's pass.
        # Only where none of these will do, as in nets that switch gradients off, is everything kept.
        for kept, graph in ((first.maps[-_LAST:], False), (first.maps, True)):
            watch = _Watch(net, inputs[:_IMAGES], frozenset(kept))
            with torch.set_grad_enabled(graph):  # The first map that is kept switches it on.
                logits = watch.run()
                by_scores = watch.with_gradient(logits)
                found = [one for one in by_scores if not _is_class_map(one, logits)]
            if found:
                break
        found = found or by_scores or watch.with_gradient(watch.features)
    return DryRun(tuple(reversed(found)), bool(found and not by_scores), tuple(watch.outputs[-6:]))


def _outside_attention(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for path, module in net.named_children():
        if not isinstance(module, _PASS_THROUGH):
            yield path, module
        if not any(hasattr(module, part) for part in _ATTENTION_PARTS):
            yield from ((f"{path}.{inner}", one) for inner, one in _outside_attention(module))


class _Watch:
    """The hooks of a dry run. Outputs to keep are cut or kept in the graph, as `probe` does, and recorded."""

    def __init__(self, net: nn.Module, inputs: Tensor, keep: frozenset[str]) -> None:
        self.net, self.inputs, self.keep = net, inputs, keep
        self.maps: list[str] = []  # The layers that give maps, as often as they run.
        self.size = (inputs.shape[2], inputs.shape[3])
        self.seen: list[tuple[str, Layout, Tensor]] = []
        self.outputs: list[str] = []
        self.pooled: list[Tensor] = []
        self.in_head = False
        self.features: Tensor | None = None  # What the last linear layer took: the head's input.

    def run(self) -> Float[Tensor, "b k"]:
        """Run the net under the hooks; its logits."""
        modules = _outside_attention(self.net)
        handles = [module.register_forward_hook(self.hook(path)) for path, module in modules]
        try:
            return forward(self.net, self.inputs)
        finally:
            for handle in handles:
                handle.remove()

    def hook(self, path: str) -> Any:
        def look(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
            found = first_tensor(output)
            if found is None:
                return None
            if isinstance(module, nn.Linear) and args and args[0].ndim == 2:
                self.features = args[0]
            self.outputs.append(f"{path} {tuple(found.shape)}")
            self.in_head = self.in_head or _swallows_map(module, args, found)
            layout = find_layout(self.net, tuple(found.shape), len(self.inputs), self.size)
            if layout is None or self.in_head:
                return None
            self.maps.append(path)
            pools = isinstance(module, _POOLS) or any(
                found.data_ptr() == one.data_ptr() for one in self.pooled
            )
            if path not in self.keep:
                self.pooled += [found] * pools
                return None
            torch.set_grad_enabled(True)
            # Copies: what is kept must neither be changed in place later nor be what a part of this very
            # module reads, such as the pooler inside Hugging Face's encoders: only what is passed on counts.
            kept = found.clone() if found.requires_grad else found.detach().requires_grad_(True)
            passed_on = kept.clone()
            if pools:
                self.pooled.append(passed_on)
            else:
                self.seen.append((path, layout, kept))
            return with_first_tensor(output, passed_on)

        return look

    def with_gradient(self, scores: Float[Tensor, "b k"] | None) -> list[Candidate]:
        """The outputs at whose places some score has a gradient.

        The scores are weighted by square roots, so that the gradients of no usual head cancel.
        """
        if not self.seen or scores is None or not scores.requires_grad:
            return []
        weights = torch.arange(2, scores.shape[1] + 2, device=scores.device).sqrt().to(scores.dtype)
        kept = [tensor for _, _, tensor in self.seen]
        gradients = torch.autograd.grad(
            scores, kept, weights.expand_as(scores), retain_graph=True, allow_unused=True
        )
        return [
            Candidate(path, layout, activation, gradient)
            for (path, layout, activation), gradient in zip(self.seen, gradients, strict=True)
            if gradient is not None and layout.to_maps(gradient).any()
        ]


def _swallows_map(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> bool:
    """Whether a convolution is a fully connected layer in disguise, as in timm's VGG above 224 pixels."""
    if not isinstance(module, nn.Conv2d) or module.stride != (1, 1) or not args:
        return False
    return bool(2 * output.shape[2] < args[0].shape[2])


def _is_class_map(candidate: Candidate, logits: Float[Tensor, "b k"]) -> bool:
    """Whether each channel belongs to one class: then the score of class 0 has no gradient in the others."""
    if candidate.layout.to_maps(candidate.activation).shape[1] != logits.shape[1]:
        return False
    (gradient,) = torch.autograd.grad(
        logits[:, 0].sum(), candidate.activation, retain_graph=True, allow_unused=True
    )
    return gradient is not None and not candidate.layout.to_maps(gradient)[:, 1:].any()
