"""Tables that name each image once."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from masktune.errors import InputError


def check_once(names: Sequence[str], rows: Sequence[int], at: Path, advice: str) -> None:
    """Refuse a table that names an image more than once.

    Args:
        names: of the images, in the order of the table.
        rows: the number of each one's row, as an editor counts them.
        at: the table.
        advice: what to do, other than to mend the table.

    Raises:
        InputError: says which image, and in which rows.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if not twice:
        return
    where = [str(row) for name, row in zip(names, rows, strict=True) if name == twice[0]]
    many = f" ({len(twice):,} images come more than once)" if len(twice) > 1 else ""
    raise InputError(
        f"expected each image once in {at}, got {twice[0]!r} in rows {' and '.join(where)}{many}; leave one "
        f"row of each image, or {advice}"
    )
