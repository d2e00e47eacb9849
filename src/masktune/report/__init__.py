"""Records as something to read: Markdown tables and pictures."""

from masktune.report.export import sentences_on, write_export_report
from masktune.report.sheet import draw_examples
from masktune.report.summary import in_percent, published_in, summary_of, verdict_of
from masktune.report.write import write_report

__all__ = [
    "draw_examples",
    "in_percent",
    "published_in",
    "sentences_on",
    "summary_of",
    "verdict_of",
    "write_export_report",
    "write_report",
]
