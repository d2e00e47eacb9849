"""The tables, plots and page of a selection."""

from masktune.report.select.tables import SelectTable, tables_of
from masktune.report.select.words import verdict_of_select
from masktune.report.select.write import notes_of, summary_of_select, write_select

__all__ = [
    "SelectTable",
    "notes_of",
    "summary_of_select",
    "tables_of",
    "verdict_of_select",
    "write_select",
]
