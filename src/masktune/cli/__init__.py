"""The command line: parse, call, print; no logic."""

from masktune.cli.main import main

__all__ = ["main"]
