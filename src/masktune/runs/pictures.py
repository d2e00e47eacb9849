"""Images in pixel space as small JPEG files, for pages."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image

from masktune.types import Images, as_float

_SIDE = 224
"""Pictures are shown no larger: 200 of them then take some 3 MB."""
_QUALITY = 85


def joined(files: Sequence[bytes]) -> dict[str, np.ndarray]:
    """Files as two arrays, for an `.npz`: one after the other, and where each ends."""
    sizes = np.array([len(one) for one in files], dtype=np.int64)
    return {"pictures": np.frombuffer(b"".join(files), dtype=np.uint8), "pictures_end": np.cumsum(sizes)}


def parted(arrays: Mapping[str, np.ndarray]) -> list[bytes]:
    """The files that `joined` put together."""
    content, ends = arrays["pictures"].tobytes(), arrays["pictures_end"].tolist()
    return [content[start:end] for start, end in zip([0, *ends], ends, strict=False)]


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
