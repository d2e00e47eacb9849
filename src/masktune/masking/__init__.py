"""What is hidden: from saliency maps to masks, from masks to masked images."""

from masktune.masking.archive import MapsManifest, SavedMaps
from masktune.masking.areas import AREAS, Area, hidden_areas
from masktune.masking.controls import least_salient, roll_elsewhere
from masktune.masking.counting import MaskStatistics, warn_if_many_empty
from masktune.masking.fills import Black, Blur, Constant, DatasetMean, Fill, ImageMean, Noise, fill_named
from masktune.masking.geometry import (
    apply_view,
    hidden_through_view,
    hidden_to_source,
    maps_to_source,
    random_views,
    resize,
)
from masktune.masking.masker import Masked, Masker
from masktune.masking.thresholds import MeanPlusStd, Quantile, Threshold, TopFraction, hidden_from_low

__all__ = [
    "AREAS",
    "Area",
    "Black",
    "Blur",
    "Constant",
    "DatasetMean",
    "Fill",
    "ImageMean",
    "MapsManifest",
    "MaskStatistics",
    "Masked",
    "Masker",
    "MeanPlusStd",
    "Noise",
    "Quantile",
    "SavedMaps",
    "Threshold",
    "TopFraction",
    "apply_view",
    "fill_named",
    "hidden_areas",
    "hidden_from_low",
    "hidden_through_view",
    "hidden_to_source",
    "least_salient",
    "maps_to_source",
    "random_views",
    "resize",
    "roll_elsewhere",
    "warn_if_many_empty",
]
