"""Made data whose truth is known, for trying out what searches for shortcuts and what mends them."""

from masktune.testing.marker import Marker
from masktune.testing.shortcut_images import ShortcutImages, save_splits

__all__ = ["Marker", "ShortcutImages", "save_splits"]
