"""`review.csv` as it is written: for a spreadsheet, and so that each value comes back exactly.

UTF-8 with a byte order mark, commas, CRLF: what Excel and LibreOffice open as it is. A value that a
spreadsheet would run or change stands between two apostrophes, 'like this', and is read back without them: it
begins with = + - @ or an apostrophe, is a number, a date or true/false, or has blanks at its ends. No other
value begins with an apostrophe.
"""

import csv
import io
import re
from pathlib import Path

from masktune.files import complete_file
from masktune.findings.review import Review

COLUMNS = (
    "id",
    "label",
    "predicted",
    "pattern",
    "question",
    "answer",
    "stratum",
    "stratum_size",
    "probability",
    "data",
)

DIGITS = 12
"""Characters of the data's sha256 that a row bears."""

_RISKY = re.compile(
    r"[=+\-@'\t\r].*|\s.*|.*\s|[\d\s.,:/eE+%-]*|true|false"
    r"|(?=\D*\d)[\d\W]*(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}[\d\W]*",
    re.IGNORECASE | re.DOTALL,
)
"""What a spreadsheet takes for a formula, a number, a date or a truth value, or what is lost at the ends."""


def write_review(path: Path, review: Review, data: str) -> None:
    """Write the sheet; `data` is the sha256 of the data set, so that a sheet of another one is refused.

    Raises:
        StorageError: it cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for one in review.asked:
        words = (one.id, one.label, one.predicted, one.pattern, one.question, "", one.stratum)
        numbers = (one.stratum_size, f"{one.probability:.6g}", in_cell(data[:DIGITS]))
        writer.writerow((*map(in_cell, words), *numbers))
    with complete_file(path) as part:
        part.write_bytes(text.getvalue().encode("utf-8-sig"))


def in_cell(value: str) -> str:
    """The value as a spreadsheet leaves it alone."""
    value = as_text(value)
    return f"'{value}'" if value and _RISKY.fullmatch(value) else value


def out_of_cell(written: str) -> str:
    """The value that `in_cell` was given."""
    return written[1:-1] if len(written) > 1 and written[0] == written[-1] == "'" else written


def as_text(value: str) -> str:
    """Names of files that are no UTF-8 come with lone surrogates, which no file can hold."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8")
