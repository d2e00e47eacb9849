"""A net as we meet it: taken out of its wrappers, held still for one call, its output read as logits."""

import dataclasses
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn

from masktune.errors import InputError
from masktune.types import Wrapper

_PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)

# Hooks and training flags belong to the net, not to the thread: two threads must take turns with one net.
_LOCKS: WeakKeyDictionary[nn.Module, threading.RLock] = WeakKeyDictionary()
_LOCKS_LOCK = threading.Lock()

# Whether a net runs on channels-last inputs, by the shape of an image.
_CHANNELS_LAST: WeakKeyDictionary[nn.Module, dict[torch.Size, bool]] = WeakKeyDictionary()

_NOT_THE_BATCH = re.compile("out of memory|allocate memory|not enough memory|CUDA error", re.IGNORECASE)


def unwrap(net: nn.Module) -> tuple[nn.Module, tuple[Wrapper, ...]]:
    """The innermost net, and the wrappers that prepare its images, outermost first.

    Data-parallel nets must be taken out, because they would split the batch; compiled ones, because layers
    are named as in the net that was compiled.
    """
    wrappers: list[Wrapper] = []
    while True:
        if "_orig_mod" in net._modules:  # torch.compile; asking for its class would import the compiler.
            net = net.get_submodule("_orig_mod")
        elif isinstance(net, _PARALLEL):
            net = net.module
        elif isinstance(net, Wrapper):
            wrappers.append(net)
            net = net.net
        else:
            return net, tuple(wrappers)


def check_tensor(images: object) -> None:
    """Refuse what is no tensor, such as an array of numpy."""
    if not isinstance(images, Tensor):
        raise InputError(
            f"expected images as a torch tensor, got {type(images).__name__}; torch.from_numpy turns an "
            "array into one"
        )


def prepare(net: nn.Module, images: Tensor, wrappers: tuple[Wrapper, ...]) -> Tensor:
    """Check a batch at the door and turn it into the innermost net's input, in the layout that is fastest."""
    check_tensor(images)
    if images.ndim != 4 or not len(images):
        raise InputError(f"expected images of shape (batch, channels, height, width), got {_shape(images)}")
    if not wrappers and not images.is_floating_point():
        kind = str(images.dtype).removeprefix("torch.")
        raise InputError(
            f"expected float images for a plain net, got {kind}; divide uint8 by 255, or "
            "wrap the net in Classifier"
        )
    with torch.inference_mode(False), torch.no_grad():
        # Tensors made in the caller's inference mode cannot take part in a backward pass.
        images = images.clone() if images.is_inference() else images
        for wrapper in wrappers:
            images = wrapper.to_net_input(images)
        return _laid_out(net, images)


def _laid_out(net: nn.Module, inputs: Tensor) -> Tensor:
    """Channels last on a CPU, where convolutions are then up to twice as fast, if the net can take it.

    One with `x.view(...)` behind a convolution cannot; an image of each new shape is tried.
    """
    if inputs.device.type != "cpu" or inputs.ndim != 4:
        return inputs
    laid_out = inputs.contiguous(memory_format=torch.channels_last)
    with held_still(net):
        known, shape = _CHANNELS_LAST.setdefault(net, {}), inputs.shape[1:]
        if shape not in known:
            try:
                net(laid_out[:1])
                known[shape] = True
            except RuntimeError:  # The pass that counts will say what is wrong, if anything is.
                known[shape] = False
        return laid_out if known[shape] else inputs


@contextmanager
def held_still(net: nn.Module) -> Iterator[None]:
    """Keep a net in eval mode, uncompiled, and to this thread, for the length of the block.

    Each module gets its own flag back, by assignment: `train()` may be overridden to do more.
    """
    with _lock(net), _uncompiled(net):
        training = [module for module in net.modules() if module.training]
        # Before torch 2.10 or so (pytorch#65766) autocast keeps the weights it casts under our no_grad, and
        # the caller's next training step in the same autocast block would use those: without gradients.
        cached = torch.is_autocast_cache_enabled()
        torch.set_autocast_cache_enabled(False)
        try:
            for module in training:
                module.training = False
            yield
        finally:
            torch.set_autocast_cache_enabled(cached)
            for module in training:
                module.training = True


@contextmanager
def _uncompiled(net: nn.Module) -> Iterator[None]:
    """Run compiled parts of a net as ordinary modules: compiled code does not see hooks that come later.

    Not by `torch.compiler.set_stance`, which is global: two threads would restore each other's.
    """
    compiled = [m for m in net.modules() if m._compiled_call_impl is not None or "_orig_mod" in m._modules]
    before = [dict(vars(module)) for module in compiled]
    try:
        for module in compiled:
            vars(module)["_compiled_call_impl"] = None
            if "_orig_mod" in module._modules:
                vars(module)["forward"] = module.get_submodule("_orig_mod").__call__
        yield
    finally:
        for module, attributes in zip(compiled, before, strict=True):
            for name in ("_compiled_call_impl", "forward"):
                vars(module).pop(name, None)
                if name in attributes:
                    vars(module)[name] = attributes[name]


def _lock(net: nn.Module) -> threading.RLock:
    with _LOCKS_LOCK:
        return _LOCKS.setdefault(net, threading.RLock())


def forward(net: nn.Module, inputs: Tensor) -> Float[Tensor, "b k"]:
    """Run the net and read its logits; a batch that it cannot take is said in one line."""
    try:
        output = net(inputs)
    except RuntimeError as error:
        # Its subclasses say something else: out of memory, not implemented, too deep a recursion.
        if type(error) is not RuntimeError or _NOT_THE_BATCH.search(str(error)):
            raise
        raise InputError(_refusal(net, inputs, str(error))) from error
    return read_logits(output, len(inputs))


def _refusal(net: nn.Module, inputs: Tensor, error: str) -> str:
    """What is wrong with a batch, as far as it can be told from the net and torch's own words."""
    expected = next((m.in_channels for m in net.modules() if isinstance(m, nn.Conv2d)), inputs.shape[1])
    if expected != inputs.shape[1]:
        return (
            f"expected images with {expected} channels, which the net's first convolution takes, "
            f"got {inputs.shape[1]}"
        )
    dtype = next((p.dtype for p in net.parameters() if p.is_floating_point()), inputs.dtype)
    if dtype != inputs.dtype and "type" in error:
        cast = "float()" if dtype == torch.float32 else f"to({dtype})"
        return f"expected images of the net's {dtype}, got {inputs.dtype}; call .{cast} on them"
    first = error.strip().partition("\n")[0]
    return f"the net cannot take images of shape {_shape(inputs[0])} and {inputs.dtype}: {first}"


def read_logits(output: object, count: int) -> Float[Tensor, "b k"]:
    """Find the logits: the output itself, its `logits` or `out`, or the first of a tuple."""
    found = output
    if isinstance(output, Mapping):
        found = output.get("logits", output.get("out"))
    elif hasattr(output, "logits"):
        found = output.logits
    elif isinstance(output, tuple | list) and output:
        found = output[0]
    if isinstance(found, Tensor) and found.shape == (count,):
        found = found[:, None]
    if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != count:
        raise InputError(
            f"expected logits of shape ({count}, classes) from the net, got {_described(output)}"
        )
    return found


def two_headed(logits: Float[Tensor, "b k"]) -> Float[Tensor, "b k2"]:
    """Logits as they are, but those of a one-logit net z as the two-class head [0, z]."""
    return torch.cat((torch.zeros_like(logits), logits), 1) if logits.shape[1] == 1 else logits


def _described(output: object) -> str:
    if isinstance(output, Tensor):
        return f"a tensor of shape {_shape(output)}"
    if isinstance(output, Mapping):
        return f"{type(output).__name__} with {', '.join(map(str, output))}"
    if dataclasses.is_dataclass(output):
        return f"{type(output).__name__} with {', '.join(f.name for f in dataclasses.fields(output))}"
    if isinstance(output, tuple | list):
        return f"{type(output).__name__} of {', '.join(_described(one) for one in output)}"
    return type(output).__name__


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))
