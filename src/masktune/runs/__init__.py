"""The run folder: what was asked, what came out, complete files only, and going on where it stopped."""

from masktune.runs.arrays import load_predictions, save_predictions
from masktune.runs.examples import Examples
from masktune.runs.folder import RunFolder, check_free
from masktune.runs.record import DataRecord, RunRecord, read_record
from masktune.runs.results import Results, read_results
from masktune.runs.rows import Row

__all__ = [
    "DataRecord",
    "Examples",
    "Results",
    "Row",
    "RunFolder",
    "RunRecord",
    "check_free",
    "load_predictions",
    "read_record",
    "read_results",
    "save_predictions",
]
