"""Make `src/masktune/data/digits.npz`: scikit-learn's digits as they are, 8x8, 0 to 16."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

source = load_digits()
np.savez_compressed(
    Path(__file__).parents[1] / "src/masktune/data/digits.npz",
    images=source.images.astype(np.uint8),
    digits=source.target.astype(np.uint8),
)
