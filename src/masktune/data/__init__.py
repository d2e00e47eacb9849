"""Images, labels and groups, read a batch at a time; one file a data set."""

from masktune.data.base import Dataset, KnowsObject, KnowsShortcut, Splits, Subset, WithoutGroups, batches
from masktune.data.biased_digits import BiasedDigits
from masktune.data.biased_mnist import BiasedMNIST
from masktune.data.folder import list_folder
from masktune.data.image_files import ImageFiles
from masktune.data.manifest import read_manifest
from masktune.data.map_style import FromDataset
from masktune.data.memory import InMemory
from masktune.data.objects import ImagesWithObjects, ObjectBoxes, ObjectMasks
from masktune.data.public import ImageFolder, Manifest
from masktune.data.samples import Samples
from masktune.data.shortcut import Shortcut
from masktune.data.splits import with_splits

__all__ = [
    "BiasedDigits",
    "BiasedMNIST",
    "Dataset",
    "FromDataset",
    "ImageFiles",
    "ImageFolder",
    "ImagesWithObjects",
    "InMemory",
    "KnowsObject",
    "KnowsShortcut",
    "Manifest",
    "ObjectBoxes",
    "ObjectMasks",
    "Samples",
    "Shortcut",
    "Splits",
    "Subset",
    "WithoutGroups",
    "batches",
    "list_folder",
    "read_manifest",
    "with_splits",
]
