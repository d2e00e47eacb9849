"""Amounts of data for a person, in powers of 1000, as disks and servers count."""

from masktune.types import Step

_UNITS = ("bytes", "kB", "MB", "GB")


def amount(size: int) -> str:
    """In words: 825 MB."""
    scale = _scale(size)
    return f"{size / 1000**scale:.{1 if scale == 3 else 0}f} {_UNITS[scale]}"


def step(what: str, done: int, total: int) -> Step:
    """Progress by bytes, counted in the unit that gives hundreds; whole only when all is done."""
    scale = _scale(total // 100)
    whole = max(total // 1000**scale, 1)
    counted = whole if done >= total else min(done // 1000**scale, whole - 1)
    return Step(what, counted, whole, unit=_UNITS[scale])


def _scale(size: int) -> int:
    return sum(size >= 1000**scale for scale in (1, 2, 3))
