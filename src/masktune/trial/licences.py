"""The licences of data and weights, a sentence each: as a person gives them, else as timm does."""

from collections.abc import Sequence

from torch import nn


def licences_of(
    data: str | None = None, weights: str | None = None, net: nn.Module | None = None
) -> tuple[str, ...]:
    """Of the data, then of the weights; where nothing is known, how to give it.

    Args:
        data: the licence of the data.
        weights: that of the weights that the trial starts from.
        net: whose weights they are; one of timm knows the licence of timm's own weights of its name.
    """
    found = {"data": data, "weights": weights or _timms(net)}
    return tuple(
        f"{of}: {text or f'not given (--{of}-license TEXT, or {of}_license= in Python)'}"
        for of, text in found.items()
    )


def relicensed(licences: Sequence[str], data: str | None, weights: str | None) -> tuple[str, ...]:
    """The sentences of `licences_of`, with what is given now in the place of what was known."""
    known = {one.partition(": ")[0]: one for one in licences or licences_of()}
    given = {of: f"{of}: {text}" for of, text in (("data", data), ("weights", weights)) if text}
    return tuple((known | given).values())


def _timms(net: nn.Module | None) -> str | None:
    config = getattr(net, "pretrained_cfg", None)
    if not isinstance(config, dict) or not config.get("license"):
        return None
    name = ".".join(filter(None, (config.get("architecture"), config.get("tag"))))
    return f"{config['license']}, as timm says of its own weights {name}"
