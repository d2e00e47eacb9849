import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from masktune.data import ImagesWithObjects, KnowsObject, ObjectBoxes, ObjectMasks, Samples
from masktune.data.contents import FilesOnDisk
from masktune.data.objects import read_boxes
from masktune.errors import DataDamaged, InputError
from masktune.types import InputSpec

BOX = (10.0, 4.0, 20.0, 24.0)
"""Left, top, right, bottom."""


def picture(size=(30, 40)):
    """Black, and white in the box."""
    made = np.zeros(size, dtype=np.uint8)
    made[4:24, 10:20] = 255
    return Image.fromarray(made)


def listed(folder, names=("a/one.png", "b/two.png")):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture().save(folder / name)
    return Samples(
        ids=np.array(names),
        labels=np.array([0, 1]),
        classes=("a", "b"),
        contents=FilesOnDisk(tuple(str(folder / name) for name in names)),
    )


def zipped(path, masks):
    with zipfile.ZipFile(path, "w") as archive:
        for name, mask in masks.items():
            content = io.BytesIO()
            mask.save(content, "PNG")
            archive.writestr(name, content.getvalue())
    return ObjectMasks(path)


@pytest.mark.parametrize("resize", ["crop", "squash", "pad"])
def test_the_object_is_where_the_image_shows_it(tmp_path, resize):
    # Cut to 30 x 30, or squashed to 30 x 40 / ..., whatever it is: the white pixels are the object's.
    spec = InputSpec((30, 30) if resize == "crop" else (40, 40), resize=resize, interpolation="nearest")
    samples = listed(tmp_path)
    boxes = ObjectBoxes(dict.fromkeys(samples.ids.tolist(), BOX))
    masks = zipped(tmp_path / "masks.zip", {"a/one.png": picture(), "b/two.png": picture()})
    for objects in (boxes, masks):
        images = ImagesWithObjects(samples, spec, objects)
        assert isinstance(images, KnowsObject)
        found = images.object_pixels([1, 0])
        white = images.__getitems__([1, 0]).images[:, 0] > 127
        assert found.shape == white.shape
        assert found.any()
        assert torch.equal(found, white)


def test_a_box_holds_the_pixels_whose_centre_is_in_it():
    found = ObjectBoxes({"x": (1.0, 0.4, 2.6, 2.0)}).pixels("x", (3, 4))
    assert found.tolist() == [[False, True, True, False], [False, True, True, False], [False] * 4]


def test_masks_that_do_not_fit_are_told(tmp_path):
    objects = zipped(tmp_path / "masks.zip", {"a/one.png": picture((5, 6))})
    with pytest.raises(DataDamaged, match=r"expected a mask of \(30, 40\) pixels for a/one\.jpg"):
        objects.pixels("a/one.jpg", (30, 40))
    with pytest.raises(DataDamaged, match=r"has no mask b/two\.png"):
        objects.pixels("b/two.jpg", (30, 40))


def test_boxes_of_a_table_by_the_columns_that_name_them(tmp_path):
    table = tmp_path / "boxes.csv"
    table.write_text("x1,image,part,x0,y0,y1\n3,a.jpg,bird,1,0.5,2\n9,a.jpg,beak,7,6,8\n")
    boxes = read_boxes(table, "image", "part")
    assert boxes == {("a.jpg", "bird"): (1, 0.5, 3, 2), ("a.jpg", "beak"): (7, 6, 9, 8)}
    table.write_text("image,x0,y0,x1\na.jpg,1,2,3\n")
    with pytest.raises(
        InputError, match=r"expected the columns image, x0, y0, x1, y1 in .* got image, x0, y0, x1"
    ):
        read_boxes(table, "image")
    table.write_text("image,x0,y0,x1,y1\na.jpg,1,2,3,wide\n")
    with pytest.raises(DataDamaged, match="has a box that is no number"):
        read_boxes(table, "image")
