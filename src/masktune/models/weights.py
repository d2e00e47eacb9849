"""Weights on disk: safetensors, complete or absent, loaded with every key in its place."""

import hashlib
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from masktune.errors import DataDamaged, DataNotFound, InputError
from masktune.files import complete_file, storage_errors

Weights = dict[str, Tensor]


def weights_of(net: nn.Module) -> Weights:
    """A copy of the net's weights and buffers that later training does not touch."""
    return {name: value.detach().cpu().contiguous().clone() for name, value in net.state_dict().items()}


def save_weights(weights: Weights, path: Path) -> None:
    """Write weights as safetensors, complete or not at all."""
    content = save(weights)
    with complete_file(path) as part:
        part.write_bytes(content)  # The library's own writer hides that a disk is full.


def read_weights(path: Path) -> Weights:
    """Read a safetensors file.

    Raises:
        DataNotFound: no such file.
        DataDamaged: it is truncated or no safetensors file.
    """
    if not path.is_file():
        raise DataNotFound(f"no weights at {path}")
    try:
        with storage_errors(path, "read"):
            return load_file(path)
    except SafetensorError as error:
        raise DataDamaged(f"{path} is truncated or no safetensors file; write it again") from error


def load_weights(net: nn.Module, weights: Weights) -> None:
    """Put weights into a net; every key must fit.

    Raises:
        InputError: keys are missing, left over or of another shape; the first of each is named, and the net
            stays as it was.
    """
    own = net.state_dict()
    missing = [name for name in own if name not in weights]
    unexpected = [name for name in weights if name not in own]
    other = [name for name in own if name in weights and own[name].shape != weights[name].shape]
    if missing or unexpected or other:
        raise InputError(
            f"these weights are not this net's: {len(missing)} missing (first: {_first(missing)}), "
            f"{len(unexpected)} unexpected (first: {_first(unexpected)}), "
            f"{len(other)} of another shape (first: {_first(other)})"
        )
    # All keys and shapes are this net's, so they are of its version; some modules refuse weights without one.
    ready = OrderedDict(weights)
    ready._metadata = getattr(own, "_metadata", None)  # type: ignore[attr-defined] # Where torch keeps it.
    net.load_state_dict(ready)


def weights_sha256(net: nn.Module | Weights) -> str:
    """Hash of names, types and values; the same for equal weights whatever file they came from."""
    weights = weights_of(net) if isinstance(net, nn.Module) else net
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _first(names: list[str]) -> str:
    return names[0] if names else "none"
