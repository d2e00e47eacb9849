"""What `masktune mask` writes for each image: at the file's pixels, upright, nothing but the mask changed."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from masktune.masking import SavedMaps, TopFraction, hidden_to_source

from .colours import (
    SHARE,
    files_in,
    patch,
    picture,
    pixels,
    read_table,
    save_image,
    spotted,
    write_folder,
    write_nets,
    write_table,
)

COUNTS = {"train/blue": 3, "train/red": 3, "val/blue": 2, "val/red": 2}


@pytest.fixture
def words(tmp_path):
    """A folder with splits, a net that looks at the patches alone, and the share that they take."""
    folder = write_folder(tmp_path / "images", COUNTS)
    return [folder, *write_nets(tmp_path), "--top", SHARE, "--out", tmp_path / "out"]


def test_masked_images_keep_their_size_and_every_pixel_outside_of_the_mask(words, masked, tmp_path):
    masked(*words)
    written = files_in(tmp_path / "out/masked")
    assert written == sorted([*files_in(tmp_path / "images"), "manifest.csv"])
    for name in files_in(tmp_path / "images"):
        before, after = pixels(tmp_path / "images" / name), pixels(tmp_path / "out/masked" / name)
        expected = before.copy()
        expected[patch((32, 48))] = 0
        assert np.array_equal(after, expected), name


def test_masks_are_white_where_masked_images_differ(words, masked, tmp_path):
    masked(*words)
    masked(*words[:-1], tmp_path / "masks", "--what", "masks")
    for name in files_in(tmp_path / "images"):
        before, after = pixels(tmp_path / "images" / name), pixels(tmp_path / "out/masked" / name)
        mask = pixels(tmp_path / "masks/masks" / name)
        assert mask.dtype == np.uint8
        assert np.array_equal(mask, np.where((before != after).any(2), 255, 0))
        assert (mask == 255).sum() == 8 * 12


def test_maps_open_as_saved_maps_and_hide_the_same_pixels(words, masked, tmp_path):
    masked(*words)
    masked(*words[:-1], tmp_path / "maps", "--what", "maps")
    maps = SavedMaps.open(tmp_path / "maps/maps")
    names = files_in(tmp_path / "images")
    assert sorted(maps.ids) == names
    assert maps.manifest.layer == "features"
    hidden = maps.hidden(maps.ids, TopFraction(SHARE))
    there = hidden_to_source(hidden, maps.views_of(maps.ids)).numpy()
    for name, mask in zip(maps.ids, there, strict=True):
        before, after = pixels(tmp_path / "images" / name), pixels(tmp_path / "out/masked" / name)
        assert np.array_equal(mask, (before != after).any(2))
    assert not (tmp_path / "maps/maps/train").exists()


def test_overlays_are_jpeg_files_of_the_same_size_red_where_the_net_looks(words, masked, tmp_path):
    masked(*words[:-1], tmp_path / "out", "--what", "overlays")
    for name in files_in(tmp_path / "images"):
        with Image.open(tmp_path / "out/overlays" / name.replace(".png", ".jpg")) as image:
            assert (image.format, image.size, image.mode) == ("JPEG", (48, 32), "RGB")
            overlay = np.asarray(image).astype(int)
        # Jet of 1 is (0.5, 0, 0), of 0 (0, 0, 0.5), each mixed half and half with the image.
        middle = patch((32, 48)).nonzero()
        row, column = middle[0].mean().round().astype(int), middle[1].mean().round().astype(int)
        red, blue = (255, 0) if "red" in name else (0, 255)
        assert overlay[row, column] == pytest.approx([63.75 + red / 2, 4.5, blue / 2], abs=20)
        assert overlay[-8:, -8:, 2].mean() == pytest.approx(63.75, abs=6)


def test_a_crop_hides_only_what_the_net_saw_and_the_rest_keeps_its_pixels(tmp_path, masked):
    # The middle 32 of 64 columns are seen; the patch there, at column 2 of the net, begins at 16 + 2 * 2.
    root = write_folder(tmp_path / "images", {"blue": 1, "red": 1}, size=(32, 64))
    for colour in ("blue", "red"):
        values = picture("none", (32, 64))
        values[4:12, 20:28] = (255, 0, 0) if colour == "red" else (0, 0, 255)
        values[4:12, :8] = values[4, 20]  # The same colour where the net does not look.
        save_image(root / colour / "00.png", values)
    masked(
        *(root, *write_nets(tmp_path), "--top", SHARE, "--out", tmp_path / "out"),
        *("--resize", "crop", "--crop-share", 1),
    )
    for colour in ("blue", "red"):
        before = pixels(root / colour / "00.png")
        expected = before.copy()
        expected[4:12, 20:28] = 0
        assert np.array_equal(pixels(tmp_path / "out/masked" / colour / "00.png"), expected)


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_turned_photo_comes_out_upright(tmp_path, masked, orientation):
    root = tmp_path / "images"
    for colour in ("blue", "red"):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save_image(root / colour / "photo.jpg", picture(colour, (32, 48)), quality=95, exif=exif)
    masked(root, *write_nets(tmp_path), "--top", SHARE, "--out", tmp_path / "out")
    for colour in ("blue", "red"):
        with Image.open(root / colour / "photo.jpg") as image:
            upright = np.asarray(ImageOps.exif_transpose(image))
        after = pixels(tmp_path / "out/masked" / colour / "photo.png")
        assert after.shape == upright.shape == ((48, 32, 3) if orientation == 6 else (32, 48, 3))
        hidden = (after == 0).all(2)
        assert np.array_equal(after[~hidden], upright[~hidden])
        # The patch of (1, 2) in 32 x 48 lies at rows 2:10 and columns 6:18; EXIF 6 turns it clockwise.
        expected = np.zeros((32, 48), dtype=bool)
        expected[2:10, 6:18] = True
        turned = np.rot90(expected, {3: 2, 6: -1}[orientation])
        # JPEG's rings around the patch are below the top sixteenth, but for a row at most.
        assert (hidden & turned).sum() >= 0.9 * turned.sum()
        assert hidden.sum() <= 1.1 * turned.sum()


@pytest.mark.parametrize(("deep", "kind"), [(True, np.uint16), (False, np.uint8)])
def test_grey_files_stay_grey_with_their_bits(tmp_path, masked, deep, kind):
    root = tmp_path / "images"
    for at in range(2):
        save_image(root / "spot" / f"{at}.png", spotted(seed=at, deep=deep))
        save_image(root / "none" / f"{at}.png", spotted(seed=9 + at, deep=deep, spot=False))
    masked(
        *(root, "--model", f"{write_nets(tmp_path)[1].rpartition(':')[0]}:spot", "--classes", "none,spot"),
        *("--top", SHARE, "--out", tmp_path / "out"),
    )
    for at in range(2):
        before, after = pixels(root / f"spot/{at}.png"), pixels(tmp_path / f"out/masked/spot/{at}.png")
        assert after.dtype == kind
        assert after.shape == (32, 32)
        expected = before.copy()
        expected[patch((32, 32), (3, 5))] = 0
        assert np.array_equal(after, expected)
        # Nothing speaks for "none" anywhere, so nothing is hidden.
        before, after = pixels(root / f"none/{at}.png"), pixels(tmp_path / f"out/masked/none/{at}.png")
        assert np.array_equal(after, before)


@pytest.mark.parametrize("kind", ["gif", "webp", "bmp", "tiff"])
def test_other_kinds_of_files_become_png(tmp_path, masked, kind):
    root = tmp_path / "images"
    for colour in ("blue", "red"):
        options = {"lossless": True} if kind == "webp" else {}
        image = Image.fromarray(picture(colour))
        path = root / colour / f"00.{kind}"
        path.parent.mkdir(parents=True)
        (image.quantize(64) if kind == "gif" else image).save(path, **options)
    masked(root, *write_nets(tmp_path), "--top", SHARE, "--out", tmp_path / "out")
    assert files_in(tmp_path / "out/masked") == ["blue/00.png", "manifest.csv", "red/00.png"]
    for colour in ("blue", "red"):
        with Image.open(root / colour / f"00.{kind}") as image:
            before = np.asarray(image.convert("RGB"))
        with Image.open(tmp_path / "out/masked" / colour / "00.png") as image:
            assert image.format == "PNG"
            after = np.asarray(image)
        expected = before.copy()
        expected[patch((32, 48))] = 0
        assert np.array_equal(after, expected)


def test_files_that_differ_in_their_ending_alone_stay_two(tmp_path, masked):
    root = write_folder(tmp_path / "images", {"blue": 2, "red": 2})
    save_image(root / "blue/00.bmp", picture("blue", seed=77))
    save_image(root / "blue/00.PNG.webp", picture("blue", seed=78), lossless=True)  # Its stem is 00.PNG.
    save_image(root / "red/One.png", picture("red", seed=79))
    save_image(root / "red/one.bmp", picture("red", seed=80))
    masked(root, *write_nets(tmp_path), "--top", SHARE, "--out", tmp_path / "out")
    written = [name for name in files_in(tmp_path / "out/masked") if name != "manifest.csv"]
    assert len(written) == len({name.casefold() for name in written}) == 8
    for row in read_table(tmp_path / "out/masked/manifest.csv"):
        after = pixels(tmp_path / "out/masked" / row["path"])
        sources = [
            path
            for path in root.rglob("*.*")
            if np.array_equal(pixels(path)[~patch((32, 48))], after[~patch((32, 48))])
        ]
        assert [path.parent.name for path in sources] == [row["label"]]


def listed(tmp_path):
    """A manifest with everything that one can have, its images outside of its folder too."""
    rows = []
    for at in range(8):
        colour = ("blue", "red")[at % 2]
        place = tmp_path / "elsewhere" if at == 7 else tmp_path / "study/images"
        path = save_image(place / f"im {at}.png", picture(colour, seed=at))
        rows.append(
            {
                "file": str(path) if at == 7 else f"images/im {at}.png",
                "diagnosis": colour,
                "split": ("train", "test")[at // 4],
                "group": f"{colour} {('left', 'right')[at % 4 // 2]}",
                "subject": f"p{at // 2}",
                "age": str(40 + at),
                "remark": 'says "none", twice' if at == 3 else "",
            }
        )
    return write_table(tmp_path / "study/table.csv", rows), rows


def test_a_manifest_with_groups_subjects_and_further_columns_comes_out_as_one(tmp_path, masked):
    table, rows = listed(tmp_path)
    named = ("--path-column", "file", "--label-column", "diagnosis")
    masked(table, *named, *write_nets(tmp_path), "--top", SHARE, "--out", tmp_path / "out")
    found = read_table(tmp_path / "out/masked/manifest.csv")
    assert list(found[0]) == ["path", "label", "split", "group", "subject", "age", "remark"]
    by_age = {row["age"]: row for row in found}
    assert len(by_age) == 8
    for row in rows:
        again = by_age[row["age"]]
        assert again["label"] == row["diagnosis"]
        for name in ("split", "group", "subject", "remark"):
            assert again[name] == row[name]
        after = pixels(tmp_path / "out/masked" / again["path"])
        assert (after[patch((32, 48))] == 0).all()
    # An image from elsewhere lands inside the folder all the same.
    assert by_age["47"]["path"] == f"{tmp_path}/elsewhere/im 7.png".lstrip("/")


def test_what_was_written_is_data_for_the_next_run(tmp_path, masked):
    table, _ = listed(tmp_path)
    named = ("--path-column", "file", "--label-column", "diagnosis")
    net = write_nets(tmp_path)
    masked(table, *named, *net, "--top", SHARE, "--out", tmp_path / "once")
    again = tmp_path / "once/masked/manifest.csv"
    masked(again, *net, "--top", SHARE, "--out", tmp_path / "twice")
    # All evidence is gone: nothing is left to hide, and every pixel and column stays as it is.
    first, second = (
        sorted(read_table(tmp_path / at / "masked/manifest.csv"), key=lambda row: row["age"])
        for at in ("once", "twice")
    )
    assert first == second
    for row in first:
        before, after = (pixels(tmp_path / at / "masked" / row["path"]) for at in ("once", "twice"))
        assert np.array_equal(before, after)
    assert {row["why_empty"] for row in read_table(tmp_path / "twice/images.csv")} == {"no evidence"}


def test_a_preprocess_of_ones_own_is_what_is_masked(tmp_path, masked):
    root = write_folder(tmp_path / "images", {"blue": 2, "red": 2})
    net = write_nets(tmp_path)
    own = f"{tmp_path / 'nets.py'}:blackened"
    masked(root, *net, "--preprocess", own, "--top", SHARE, "--out", tmp_path / "out")
    for name in files_in(root):
        after = pixels(tmp_path / "out/masked" / name)
        assert after.shape == (16, 16, 3)
        # Green is taken away by the preprocess, the patch by the mask.
        assert (after == 0).all()


@pytest.mark.parametrize("fill", ["image_mean", "blur", "noise"])
def test_other_fills_leave_the_rest_alone(words, masked, tmp_path, fill):
    masked(*words, "--fill", fill)
    name = "train/red/00.png"
    before, after = pixels(tmp_path / "images" / name), pixels(tmp_path / "out/masked" / name)
    here = patch((32, 48))
    assert np.array_equal(before[~here], after[~here])
    assert (before[here] != after[here]).any(1).mean() > 0.9
    if fill == "image_mean":
        assert after[here] == pytest.approx(np.broadcast_to(before.reshape(-1, 3).mean(0), (96, 3)), abs=1)
