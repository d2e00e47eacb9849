"""Records as something to read: Markdown tables and pictures."""

from masktune.report.bench import write_bench
from masktune.report.comparison import Written, compare_runs, comparison_in_words, write_comparison
from masktune.report.export import sentences_on, write_export_report
from masktune.report.scan import Redrawn, redraw_scan, write_scan, write_told
from masktune.report.scan_summary import summary_of_scan
from masktune.report.select import SelectTable, notes_of, tables_of, verdict_of_select, write_select
from masktune.report.sheet import draw_examples
from masktune.report.statement import statement
from masktune.report.summary import About, in_percent, published_in, summary_of, titles_of, verdict_of
from masktune.report.told import Told, told_of
from masktune.report.trial import redraw_trial, statement_of, write_trial, write_trial_told
from masktune.report.trial_summary import summary_of_trial
from masktune.report.write import write_report

__all__ = [
    "About",
    "Redrawn",
    "SelectTable",
    "Told",
    "Written",
    "compare_runs",
    "comparison_in_words",
    "draw_examples",
    "in_percent",
    "notes_of",
    "published_in",
    "redraw_scan",
    "redraw_trial",
    "sentences_on",
    "statement",
    "statement_of",
    "summary_of",
    "summary_of_scan",
    "summary_of_trial",
    "tables_of",
    "titles_of",
    "told_of",
    "verdict_of",
    "verdict_of_select",
    "write_bench",
    "write_comparison",
    "write_export_report",
    "write_report",
    "write_scan",
    "write_select",
    "write_told",
    "write_trial",
    "write_trial_told",
]
