"""The table of a bench, as files."""

from masktune.report.bench.write import write_bench

__all__ = ["write_bench"]
