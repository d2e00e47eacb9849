"""The images of a page: what each card shows, and the maps that its script enlarges and cuts."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float16

from masktune.findings.shown import Shown

PICTURES = 6_500_000
"""Bytes of all pictures; a third more as base64, so that a page stays below 10 MB."""
MAPS = 1_000_000
"""Bytes of all maps above which each value takes one byte instead of two."""
_QUALITIES = (75, 60, 45, 30)


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """One image of the gallery; the number is its place in the script's data."""

    number: int
    shown: Shown
    jpeg: bytes | None
    """None in a report without pictures."""
    size: tuple[int, int]
    """Height and width."""
    recorded: float = 0.0
    """Share of the net's input that the scan hid, 0 to 1."""

    @property
    def changed(self) -> bool:
        """Hiding the salient area changes the answer."""
        return self.shown.after != self.shown.predicted


def cards_of(
    shown: Sequence[Shown], *, images: bool, hidden: Mapping[str, float] | None = None
) -> list[Card]:
    """The cards; pictures that are too large together are packed tighter.

    `hidden` are the shares that the scan hid, by id.
    """
    jpegs = packed([one.jpeg for one in shown]) if images else [None] * len(shown)
    return [
        Card(number, one, jpeg, size_of(one.jpeg), (hidden or {}).get(one.id, 0.0))
        for number, (one, jpeg) in enumerate(zip(shown, jpegs, strict=True))
    ]


def script_data(cards: Sequence[Card]) -> Mapping[str, Any]:
    """What the page's script needs of each card: what is filtered by, and the map."""
    narrow = sum(2 * card.shown.low.size for card in cards) > MAPS
    return {
        "cards": [
            {
                "id": card.shown.id,
                "label": card.shown.label,
                "predicted": card.shown.predicted,
                "changed": card.changed,
                "confidence": round(card.shown.confidence, 6),
                "recorded": round(card.recorded, 6),
                "findings": list(card.shown.findings),
                "map": {"size": list(card.size), **encoded(card.shown.low, narrow=narrow)},
            }
            for card in cards
        ]
    }


def encoded(low: Float16[np.ndarray, "h w"], *, narrow: bool) -> dict[str, Any]:
    """A map as base64: little-endian float16; or, where `narrow`, 255 times the square root as a byte.

    The root keeps small values apart from each other, and what is positive stays so: whether a pixel counts
    for the threshold hangs on that.
    """
    values = low.astype(np.float32)
    roots = np.maximum(np.rint(np.sqrt(values) * 255), values > 0)
    content = roots.astype(np.uint8) if narrow else values.astype("<f2")
    return {
        "kind": "root" if narrow else "half",
        "shape": list(low.shape),
        "values": base64.b64encode(content.tobytes()).decode("ascii"),
    }


def packed(jpegs: Sequence[bytes]) -> list[bytes]:
    """Pictures that are too large together, packed tighter."""
    for quality in _QUALITIES:
        if sum(map(len, jpegs)) <= PICTURES:
            break
        jpegs = [_again(jpeg, quality) for jpeg in jpegs]
    return list(jpegs)


def _again(jpeg: bytes, quality: int) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    with Image.open(io.BytesIO(jpeg)) as picture:
        picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def size_of(jpeg: bytes) -> tuple[int, int]:
    """Height and width of a JPEG."""
    from PIL import Image

    with Image.open(io.BytesIO(jpeg)) as picture:
        return picture.height, picture.width
