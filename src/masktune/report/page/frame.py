"""The frame that every report has: title, kind, summary, sections, how it was made.

A command adds a section by a template beside this file and a `Section`; the frame does not change.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from masktune.report.page.kind import Kind
from masktune.report.page.numbers import (
    interval,
    number,
    p_value,
    percent,
    percent_between,
    points,
    points_between,
)

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """A part of a page with a heading of its own."""

    id: str
    """For links; letters and dashes."""
    title: str
    template: str
    """File name of a template beside this file."""
    context: Mapping[str, Any]
    """What the template reads."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Page:
    """All that stands in a report; text is plain text, whatever it holds."""

    title: str
    command: str
    """The command's name: "scan"."""
    kind: Kind
    summary: Sequence[str]
    """Paragraphs, first of all to be read; where there are none, the first section is that."""
    sections: Sequence[Section]
    tally: Sequence[tuple[str, str, int]] = ()
    """What came out, counted: style ("problem", "hint", "passed", "not_applicable"), words, how many."""
    facts: Sequence[tuple[str, str]] = ()
    """How it was made: name and value."""
    made: str = ""
    """When, in words."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """What the page's own script reads; plain values."""


def render_page(page: Page) -> str:
    """The HTML of a page: one file, no request, every text escaped."""
    from markupsafe import Markup

    script, style = _own_file("maps.js") + _own_file("page.js"), _own_file("style.css")
    return (
        _environment()
        .get_template("frame.html.j2")
        .render(
            page=page,
            # Not escaped: both are files of ours and hold no data.
            script=Markup(script),
            style=Markup(style),
            policy=_policy(script, style),
        )
    )


def data_uri(content: bytes, kind: str) -> str:
    """Bytes as an address that holds them, e.g. for `kind` "image/jpeg"."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,  # For every name of a template: `select_autoescape` goes by endings and misses .j2.
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "p_value": p_value,
        "percent": percent,
        "points": points,
        "data_uri": data_uri,
    }
    ends = {"interval": interval, "percent_between": percent_between, "points_between": points_between}
    environment.globals |= ends
    return environment


def _policy(script: str, style: str) -> str:
    """Forbids every request, and every script and style but ours; style attributes are used nowhere."""
    allowed = [
        f"{name} 'sha256-{_digest(text)}'" for name, text in (("script-src", script), ("style-src", style))
    ]
    return f"default-src 'none'; img-src data:; {'; '.join(allowed)}; base-uri 'none'; form-action 'none'"


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _own_file(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
