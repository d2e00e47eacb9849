"""Random numbers that belong to a sample: a function of seed and sample id, never of batch or order."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from masktune.errors import InputError
from masktune.seeds import seed_of

# The constants of splitmix64 (Steele et al., OOPSLA 2014), as signed 64-bit numbers; products wrap around.
_STEP = 0x9E3779B97F4A7C15 - 2**64
_MIX_1 = 0xBF58476D1CE4E5B9 - 2**64
_MIX_2 = 0x94D049BB133111EB - 2**64


def sample_keys(ids: Sequence[str], *stream: int | str) -> Int64[Tensor, " b"]:
    """One key a sample, from its id and the name of the stream: a purpose, a seed, perhaps an epoch."""
    return torch.tensor([seed_of(*stream, sample) for sample in ids], dtype=torch.int64)


def keys_for(batch: Tensor, ids: Sequence[str], *stream: int | str) -> Int64[Tensor, " b"]:
    """The keys of the samples of a batch, on its device."""
    if len(ids) != len(batch):
        raise InputError(f"expected {len(batch)} ids, one an image, got {len(ids)}")
    return sample_keys(ids, *stream).to(batch.device)


def bits(keys: Int64[Tensor, "*#s"], draws: Int64[Tensor, "*#s"]) -> Int64[Tensor, "*s"]:
    """Draw number `draws` of each key (splitmix64, any draw without those before it), on the keys' device."""
    mixed = keys + (draws + 1) * _STEP
    mixed = (mixed ^ _shifted(mixed, 30)) * _MIX_1
    mixed = (mixed ^ _shifted(mixed, 27)) * _MIX_2
    return mixed ^ _shifted(mixed, 31)


def uniform(keys: Int64[Tensor, "*#s"], draws: Int64[Tensor, "*#s"]) -> Float[Tensor, "*s"]:
    """Float32 numbers in [0, 1), from the upper 24 bits of each draw."""
    return _shifted(bits(keys, draws), 40).to(torch.float32) * 2.0**-24


def integers(keys: Int64[Tensor, " b"], below: int) -> Int64[Tensor, " b"]:
    """One number from 0 to `below` - 1 a key."""
    return _shifted(bits(keys, torch.zeros_like(keys)), 1) % below


def _shifted(number: Int64[Tensor, "*s"], places: int) -> Int64[Tensor, "*s"]:
    # Torch's shift to the right copies the sign; this one brings in zeros.
    return (number >> places) & ((1 << (64 - places)) - 1)
