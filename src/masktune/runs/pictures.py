"""Images in pixel space as small JPEG files, for pages."""

import io

import numpy as np
import torch
from PIL import Image

from masktune.types import Images, as_float

_SIDE = 224
"""Pictures are shown no larger: 200 of them then take some 3 MB."""
_QUALITY = 85


def jpegs(images: Images) -> list[bytes]:
    """Images as JPEG files, at most 224 pixels a side; of two channels, or more than three, the first."""
    values = as_float(images).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    files = []
    for one in values:
        picture = Image.fromarray(one[:, :, 0] if one.shape[2] < 3 else np.ascontiguousarray(one[:, :, :3]))
        picture.thumbnail((_SIDE, _SIDE))
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=_QUALITY)
        files.append(file.getvalue())
    return files
