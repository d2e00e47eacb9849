"""Markdown in which a stranger's name stays a name."""

import re
from collections.abc import Iterable, Sequence


def escaped(text: str) -> str:
    """Text of one line that Markdown shows as it is: no tags, links, code or cells of a table."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", " ".join(text.split()))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are escaped."""
    lines = [[*map(escaped, head)], ["---"] * len(head), *([*map(escaped, row)] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def listed(items: Iterable[str]) -> str:
    """A list, an escaped sentence each."""
    return "\n".join(f"- {escaped(item)}" for item in items)
