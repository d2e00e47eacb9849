"""Masked images, masks, maps and overlays of a whole data set, for other tools and for the eye."""

from masktune.export.encode import What
from masktune.export.estimate import ExportEstimate, estimate_export
from masktune.export.run import Exported, Given, export
from masktune.export.settings import ExportSettings

__all__ = ["ExportEstimate", "ExportSettings", "Exported", "Given", "What", "estimate_export", "export"]
