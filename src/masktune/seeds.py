"""Randomness is an argument: seeds are made from words and numbers, and nothing touches global state."""

import hashlib

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
