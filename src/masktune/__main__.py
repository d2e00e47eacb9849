"""`python -m masktune` is `masktune`; torchrun needs it that way."""

from masktune.cli import main

main()
