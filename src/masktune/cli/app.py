"""The command line itself: its name, its manners, and what was typed."""

from contextvars import ContextVar
from typing import Any

from cyclopts import App, Parameter

from masktune.version import VERSION


def _plainly(value: Any) -> Any:
    """A default as it would be typed."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else value


app = App(
    name="masktune",
    help="Find the shortcut an image classifier takes, hide it, and tune the classifier to look elsewhere.",
    help_epilogue="Start with: masktune demo",
    help_format="plaintext",
    version=VERSION,
    default_parameter=Parameter(consume_multiple=(1, None), negative=(), show_default=_plainly),
)

TYPED: ContextVar[tuple[str, ...]] = ContextVar("TYPED", default=())
"""The words of the command line, for the record of the run."""
