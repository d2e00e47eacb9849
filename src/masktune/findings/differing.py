"""What differs between two scans beside their numbers: data, splits, weights, settings, machine, versions."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from masktune.findings.compared import Difference, Part
from masktune.findings.observed import Observed
from masktune.findings.pairing import Pair, shortened
from masktune.findings.shown import Scanned

_TOLD = ("torch", "salient area")
"""What `Observed.about` repeats of versions and settings."""


def differences_of(
    before: Scanned, after: Scanned, pair: Pair, records: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> Iterator[Difference]:
    """All that is recorded and differs, beside the numbers; `records` are what the two `run.json` say."""
    yield from _unlike("data", {"sha256 of all": before.sha256}, {"sha256 of all": after.sha256})
    yield from _pictures(pair)
    yield from _came_or_went("data", "class", *map(_classes, (pair.first, pair.second)))
    yield from _came_or_went("split", "split", *map(_splits, (pair.first, pair.second)))
    yield from _assigned(pair)
    yield from _unlike("weights", *(_only(record, "weights_sha256") for record in records))
    yield from _unlike("machine", *(_only(record, "device", "threads") for record in records))
    asked = [
        {**_how(scanned), **dict(record.get("settings", {})), **scanned.settings}
        for scanned, record in zip((before, after), records, strict=True)
    ]
    yield from _unlike("settings", *asked)
    yield from _unlike("version", *(record.get("versions", {}) for record in records))


def _pictures(pair: Pair) -> Iterator[Difference]:
    """Of how many common images the net saw other pixels, by the tiny pictures."""
    before, after = (one.tiny[rows] for one, rows in zip((pair.first, pair.second), pair.rows, strict=True))
    if changed := int((before != after).any(axis=(1, 2, 3)).sum()):
        yield Difference("data", f"what the net sees of {_images(changed)}", "", "")


def _classes(observed: Observed) -> dict[str, int]:
    """Images of each class."""
    counts = np.bincount(observed.labels, minlength=len(observed.data_classes)).tolist()
    return dict(zip(observed.data_classes, counts, strict=True))


def _splits(observed: Observed) -> dict[str, int]:
    """Images of each split; none where nothing is said of splits."""
    splits = observed.predictions.splits
    return {} if splits is None else Counter(splits.tolist())


def _came_or_went(
    part: Part, kind: str, before: Mapping[str, int], after: Mapping[str, int]
) -> Iterator[Difference]:
    for name in sorted(set(before) ^ set(after)):
        was, now = (_images(of[name]) if name in of else "absent" for of in (before, after))
        yield Difference(part, f"{kind} {name!r}", was, now)


def _assigned(pair: Pair) -> Iterator[Difference]:
    """Of how many common images split, subject or group is another; of splits also which."""
    for name in ("splits", "subjects", "groups"):
        before, after = pair.column(name)
        one = name.removesuffix("s")
        if before is not None and after is not None:
            moves = Counter(
                (was, now) for was, now in zip(before.tolist(), after.tolist(), strict=True) if was != now
            )
            if name == "splits":
                for (was, now), count in sorted(moves.items()):
                    yield Difference("split", f"split of {_images(count)}", was, now)
            elif moves:
                yield Difference("split", f"{one} of {_images(moves.total())}", "", "")
        elif name != "splits" and (before is not None or after is not None):
            was, now = ("not given" if of is None else str(len(np.unique(of))) for of in (before, after))
            yield Difference("split", f"number of {name}", was, now)


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"


def _only(record: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: record.get(name) for name in names}


def _how(scanned: Scanned) -> dict[str, str]:
    """Model, input, layer and formula, as they were found."""
    return {name: text for name, text in scanned.observed.about.items() if name not in _TOLD}


def _unlike(part: Part, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted(set(before) | set(after)):
        told, now = before.get(name), after.get(name)
        if told != now:
            yield Difference(part, name, shortened(told), shortened(now))
