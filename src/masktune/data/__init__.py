"""Images, labels and groups, read a batch at a time; one file a data set."""

from masktune.data.base import Dataset, KnowsShortcut, Splits, Subset, WithoutGroups, batches
from masktune.data.biased_digits import BiasedDigits
from masktune.data.biased_mnist import BiasedMNIST
from masktune.data.memory import InMemory
from masktune.data.shortcut import Shortcut

__all__ = [
    "BiasedDigits",
    "BiasedMNIST",
    "Dataset",
    "InMemory",
    "KnowsShortcut",
    "Shortcut",
    "Splits",
    "Subset",
    "WithoutGroups",
    "batches",
]
