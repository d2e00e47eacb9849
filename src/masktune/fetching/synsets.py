"""Which of ImageNet's 1000 classes make up the nine of ImageNet-9.

`imagenet9_synsets.csv` has the 370 that count, each with its index among ImageNet's 1000 (WordNet ids in
order, as in timm's imagenet_synsets.txt), its WordNet id, and its class, 0 to 8, by the map of the
Backgrounds Challenge (MadryLab/backgrounds_challenge, in_to_in9.json). Dogs are no carnivores there, and cats
are nothing.
"""

import csv
from collections.abc import Mapping
from pathlib import Path


def in9_class_of() -> Mapping[str, int]:
    """Class, 0 to 8, of each WordNet id ("n01440764") that is in ImageNet-9; in ImageNet's order."""
    with Path(__file__).with_name("imagenet9_synsets.csv").open(encoding="utf-8", newline="") as file:
        return {row["synset"]: int(row["class"]) for row in csv.DictReader(file)}
