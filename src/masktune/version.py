"""The version of masktune: here alone, because rooms that record it may not import the package's top."""

VERSION = "0.1.0"
