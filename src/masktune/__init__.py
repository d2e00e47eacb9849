"""masktune: find the shortcut an image classifier takes, hide it, and tune it to look elsewhere."""

__version__ = "0.1.0"
