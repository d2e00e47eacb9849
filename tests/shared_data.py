"""The real data beside the checkout, where they are there."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


def needs_shared_data(test):
    """Mark a test that reads real data; it is skipped where there are none."""
    absent = pytest.mark.skipif(not SHARED_DATA.is_dir(), reason=f"no real data at {SHARED_DATA}")
    return pytest.mark.real_data(absent(test))
