"""For whoever tries out or adds something: made data whose truth is known, and what methods and data keep."""

from masktune.testing.dataset_checks import check_dataset
from masktune.testing.marker import Marker
from masktune.testing.method_checks import check_method
from masktune.testing.shortcut_images import ShortcutImages, save_splits

__all__ = ["Marker", "ShortcutImages", "check_dataset", "check_method", "save_splits"]
