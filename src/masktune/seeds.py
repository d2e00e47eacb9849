"""Randomness is an argument: seeds are made from words and numbers, and nothing touches global state."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def seed_of(*parts: object) -> int:
    """A seed (0 to 2**63 - 1) that depends on all parts and on nothing else: no batch, no order, no process.

    The same parts give the same seed on every machine and with every version of Python.
    """
    words = "\x1f".join(str(part) for part in parts)  # A separator that no sample id holds.
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "big") >> 1


def generator(*parts: object) -> torch.Generator:
    """A generator of its own, seeded by `seed_of(*parts)`, on the CPU."""
    return torch.Generator().manual_seed(seed_of(*parts))


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global generators of the CPU and of `device` for the length of the block, then put them back.

    For what takes no generator of its own: the first weights of a net, and dropout.
    """
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed)  # Not torch.manual_seed: it seeds every GPU there is.
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield
