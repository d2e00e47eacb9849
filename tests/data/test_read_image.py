import io

import numpy as np
import pytest
import torch
from PIL import Image

from masktune.data.read_image import read_image
from masktune.errors import DataDamaged, InputError
from masktune.types import InputSpec, View


def waves(size):
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = [127 + 90 * np.sin(rows / (9 + c)) * np.cos(columns / (7 + 2 * c)) for c in range(3)]
    return Image.fromarray(np.stack(image, 2).astype(np.uint8))


def saved(image, kind="JPEG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.vision
@pytest.mark.parametrize("size", [(375, 500), (500, 375), (213, 160)])
def test_the_same_picture_as_torchvisions_usual_transform(size):
    v1 = pytest.importorskip("torchvision.transforms")
    content = saved(waves(size), quality=90)
    usual = v1.Compose([v1.Resize(256), v1.CenterCrop(224), v1.PILToTensor()])
    theirs = usual(Image.open(io.BytesIO(content)).convert("RGB"))
    seen, view = read_image(content, InputSpec((224, 224), crop_share=0.875))
    # Pillow resizes with other roundings than torch: within one grey level.
    difference = (torch.from_numpy(seen).permute(2, 0, 1).int() - theirs.int()).abs()
    assert difference.max() <= 1
    assert view.source == size


def test_a_photo_decoded_smaller_is_nearly_the_same():
    content = saved(waves((1500, 2000)), quality=90)
    full = np.asarray(Image.open(io.BytesIO(content)).resize((341, 256), Image.Resampling.BILINEAR))[
        16:240, 58:282
    ]
    seen, view = read_image(content, InputSpec((224, 224), crop_share=0.875))
    assert np.abs(seen.astype(int) - full).mean() < 1
    assert view == View((1500, 2000), view.box, (224, 224))
    assert view.box == pytest.approx((93.75, 58 * 2000 / 341, 1312.5, 224 * 2000 / 341))


def test_grey_for_colour_nets_and_colour_for_grey_ones():
    grey = saved(waves((30, 30)).convert("L"), "PNG")
    seen, _ = read_image(grey, InputSpec((30, 30)))
    assert seen.shape == (30, 30, 3)
    assert (seen[:, :, 0] == seen[:, :, 2]).all()
    seen, _ = read_image(saved(waves((30, 30)), "PNG"), InputSpec((30, 30), channels=1))
    assert np.array_equal(seen[:, :, 0], np.asarray(waves((30, 30)).convert("L")))


def test_sixteen_bits_are_resized_as_floats():
    values = np.zeros((8, 8), dtype=np.uint16)
    values[:, 4:] = 1001
    seen, _ = read_image(
        saved(Image.fromarray(values), "PNG"), InputSpec((4, 4), channels=1, resize="squash")
    )
    assert seen.dtype == np.float32
    assert seen[0, [0, 3], 0].tolist() == pytest.approx([0, 1001 / 65535])
    seen, _ = read_image(
        saved(Image.fromarray(values), "PNG"),
        InputSpec((4, 4), channels=1, resize="squash", range=(0, 1001)),
    )
    assert seen[0, [0, 3], 0].tolist() == [0, 1]


@pytest.mark.parametrize("give", ["image", "array", "tensor", "floats"])
def test_a_preprocess_of_ones_own(give):
    def preprocess(image):
        small = np.asarray(image.convert("RGB").resize((6, 4)))
        tensor = torch.from_numpy(small.copy()).permute(2, 0, 1)
        return {"image": image.resize((6, 4)), "array": small, "tensor": tensor, "floats": tensor / 255}[give]

    seen, view = read_image(saved(waves((40, 60)), "PNG"), InputSpec((4, 6)), preprocess)
    expected = np.asarray(waves((40, 60)).resize((6, 4)))
    assert np.allclose(seen * (255 if give == "floats" else 1), expected, atol=1e-3)
    assert view == View.whole((4, 6))


def test_what_a_preprocess_may_not_give():
    content = saved(waves((40, 60)), "PNG")
    with pytest.raises(
        InputError, match=r"expected 4x6 pixels of 3 channels from --preprocess, got \(40, 60, 3\)"
    ):
        read_image(content, InputSpec((4, 6)), lambda image: image)
    with pytest.raises(InputError, match="got -2 to 2; leave normalising to --mean and --std"):
        read_image(content, InputSpec((4, 6)), lambda image: torch.linspace(-2, 2, 72).reshape(3, 4, 6))
    with pytest.raises(DataDamaged, match="is empty"):
        read_image(b"", InputSpec((4, 6)), lambda image: image)
