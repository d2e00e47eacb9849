"""What is printed, and `masktune mask` on whole data sets: a clinic's, odd files, two processes."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from masktune.testing import ShortcutImages
from shared_data import SHARED_DATA, needs_shared_data
from torchrun import launch

from .colours import (
    SHARE,
    files_in,
    picture,
    pixels,
    read_table,
    rows_of,
    save_image,
    spotted,
    write_folder,
    write_nets,
    write_table,
)


def lines_of(err, kind):
    return [line.removeprefix(f"{kind}: ") for line in err.splitlines() if line.startswith(f"{kind}: ")]


def test_json_prints_the_results_file_and_quiet_nothing_else(tmp_path, mask):
    root = write_folder(tmp_path / "images")
    words = (root, *write_nets(tmp_path), "--top", SHARE, "--out", tmp_path / "out", "--quiet")
    code, out, err = mask(*words, "--json")
    assert (code, err) == (0, "")
    assert out == (tmp_path / "out/results.json").read_text()
    assert json.loads(out)["schema"] == "masktune.results/1"
    code, out, err = mask(*words)
    assert (code, err) == (0, "")
    assert out.startswith("8 images: 6.2 % of what the net sees is hidden on average (layer features).")
    assert f"Written to {tmp_path / 'out'}: masked/, images.csv, summary.md, results.json" in out


def test_progress_notes_and_speeds_go_to_stderr(tmp_path, mask):
    root = write_folder(tmp_path / "images")
    code, _, err = mask(root, *write_nets(tmp_path), "--top", SHARE, "--out", tmp_path / "out")
    assert code == 0
    assert "input: 16x16 pixels, colour, squash, bilinear, mean 0, std 1, range dtype" in lines_of(
        err, "note"
    )
    measured, right = lines_of(err, "measured")
    assert right == "the given classifier is right on 100.0 % of 8 images tried"
    speeds, _, seen = measured.partition("; ")
    assert re.fullmatch(r"reading \d+ images/s, the net alone \d+ images/s", speeds)
    assert seen == "the net sees 100.0 % of the pictures' area"
    assert re.search(r"^checking images: 8 images in ", err, re.MULTILINE)
    assert re.search(r"^making masked: 8 images in ", err, re.MULTILINE)
    assert not lines_of(err, "warning")


@pytest.mark.parametrize("what", ["masked", "masks", "maps", "overlays"])
def test_dry_run_estimates_and_writes_nothing(tmp_path, mask, what):
    root = write_folder(tmp_path / "images")
    net = write_nets(tmp_path)
    before = files_in(tmp_path)
    code, out, _ = mask(root, *net, "--what", what, "--out", tmp_path / "out", "--dry-run", "--quiet")
    assert code == 0
    lines = out.splitlines()
    assert f"what: {what}" in lines
    assert "layer: features" in lines
    assert "threshold: MeanPlusStd(k=2.0, over='positive', at='input', most=None)" in lines
    assert "device: cpu, 1 threads" in lines
    assert "images: all/blue 4, all/red 4" in lines
    assert re.fullmatch(r"measured: \d+\.\d images/s, reading and encoding included", lines[-2])
    assert re.fullmatch(rf"estimate: \d+\.\d minutes, \d+ MB in {tmp_path / 'out'}", lines[-1])
    assert [name for name in files_in(tmp_path) if "__pycache__" not in name] == before


def test_a_net_that_was_trained_on_another_order_is_told_how_to_say_it(tmp_path, mask):
    root = write_folder(tmp_path / "images", {"blue": 30, "red": 30}, size=(16, 16))
    words = (root, *write_nets(tmp_path, turned=True), "--what", "maps", "--quiet")
    code, _, err = mask(*words, "--out", tmp_path / "out")
    assert code == 0
    (warning,) = [line for line in lines_of(err, "warning") if "order" in line]
    assert warning.startswith("the accuracy jumps from 0.000 to 1.000 (")
    assert warning.endswith("pass --classes red,blue")
    code, _, err = mask(*words, "--out", tmp_path / "again", "--classes", "red,blue")
    assert code == 0
    assert not [line for line in lines_of(err, "warning") if "order" in line]
    assert rows_of(tmp_path / "again", "accuracy") == {"train": (1, 60)}


def test_near_chance_and_a_narrow_range_are_warned_of(tmp_path, mask):
    # 12 bits in files of 16, and a net that wants half of the range.
    for at in range(6):
        for name in ("spot", "none"):
            values = spotted((16, 16), seed=at + 10 * (name == "spot"), spot=name == "spot") // 16
            save_image(tmp_path / "images" / name / f"{at}.png", values)
    model = ("--model", write_nets(tmp_path)[1].replace(":build", ":spot"), "--classes", "none,spot")
    words = (tmp_path / "images", *model, "--what", "maps", "--quiet")
    code, _, err = mask(*words, "--out", tmp_path / "out")
    assert code == 0
    warnings = lines_of(err, "warning")
    assert any(line.startswith("the accuracy, 0.500 on 12 images, is no better than") for line in warnings)
    # 4095 of 65535 are 6.2 %.
    assert any(line.startswith("the images use 6.2% of the range of values") for line in warnings)
    code, _, err = mask(*words, "--out", tmp_path / "again", "--range", 0, 4095)
    assert not [line for line in lines_of(err, "warning") if "range" in line or "accuracy" in line]
    assert rows_of(tmp_path / "again", "accuracy") == {"train": (1, 12)}


def test_what_a_crop_never_sees_is_warned_of(tmp_path, mask):
    root = write_folder(tmp_path / "images", size=(32, 64))
    code, _, err = mask(
        *(root, *write_nets(tmp_path), "--resize", "crop", "--crop-share", 1, "--what", "maps"),
        *("--out", tmp_path / "out", "--quiet"),
    )
    assert code == 0
    # The middle 32 of 64 columns.
    (warning,) = [line for line in lines_of(err, "warning") if "never sees" in line]
    assert warning.startswith("the net never sees 50.0% of the pictures' area (up to 50.0%)")


def test_doubles_and_crossing_subjects_are_notes(tmp_path, mask):
    rows = []
    for at in range(8):
        colour = ("blue", "red")[at % 2]
        path = save_image(tmp_path / f"study/{at}.png", picture(colour, seed=at % 6))
        split = ("train", "test")[at // 4]
        rows.append({"path": path.name, "label": colour, "split": split, "subject": f"p{at % 7}"})
    table = write_table(tmp_path / "study/table.csv", rows)
    code, _, err = mask(table, *write_nets(tmp_path), "--what", "maps", "--out", tmp_path / "out")
    assert code == 0
    notes = lines_of(err, "note")
    # 6 and 7 are drawn as 0 and 1; subject p0 has the images 0 and 7.
    assert "images of test whose bytes are in train too: 2 (6.png = 0.png, 7.png = 1.png)" in notes
    (crossing,) = (
        note for note in notes if note.startswith("subjects with images in train and in test: 1 (")
    )
    assert "p0" in crossing
    assert crossing.endswith("numbers of one split then say little of the other")


CLINIC = '''
import torch
from torch import nn

from masktune.types import InputSpec


class Corner(nn.Module):
    def __init__(self):
        super().__init__()
        here = torch.zeros(96, 80)
        here[:12, 66:] = 1
        self.register_buffer("here", here, persistent=False)

    def forward(self, images):
        return torch.relu(images - 0.75) * self.here


class Letter(nn.Module):
    """One logit: whether a letter is burnt into the corner; it never looks at the shape."""

    def __init__(self):
        super().__init__()
        self.spec = InputSpec((96, 80), channels=1, resize="squash")
        self.corner, self.head = Corner(), nn.Linear(1, 1)
        nn.init.constant_(self.head.weight, 1e5)
        nn.init.constant_(self.head.bias, -10)

    def forward(self, images):
        return self.head(self.corner(images).mean((2, 3)))


def build():
    return Letter()
'''


def test_a_clinics_images_from_files_to_masks(tmp_path, masked):
    data = ShortcutImages.clinic(200, seed=3)
    table = data.save(tmp_path / "clinic")
    (tmp_path / "letter.py").write_text(CLINIC)
    masked(
        *(table, "--model", f"{tmp_path / 'letter.py'}:build", "--range", 0, 4095, "--top", 0.02),
        *("--classes", "no finding,finding", "--out", tmp_path / "out"),
    )
    carries = data.shortcut_pixels(range(200)).numpy()
    assert carries.any((1, 2)).sum() > 5
    found = {row["id"]: row for row in read_table(tmp_path / "out/images.csv")}
    for at, (name, letter) in enumerate(zip(data.ids.tolist(), carries, strict=True)):
        before, after = pixels(tmp_path / "clinic" / name), pixels(tmp_path / "out/masked" / name)
        assert (after.dtype, after.shape) == (np.uint16, (96, 80))
        # The letter alone; where there is none, nothing speaks for "finding", and "no finding" has no place.
        assert np.array_equal(after, np.where(letter, 0, before))
        assert float(found[name]["hidden"]) == pytest.approx(letter.mean(), abs=5e-5)
        assert found[name]["predicted"] == ("finding" if letter.any() else "no finding")
        assert found[name]["label"] == data.classes[data.labels[at]]
    results = json.loads((tmp_path / "out/results.json").read_text())["rows"]
    (accuracy,) = (row for row in results if row["metric"] == "accuracy")
    letters = np.array([marker.any() for marker in carries])
    assert (accuracy["value"], accuracy["n"]) == ((letters == (data.labels == 1)).mean(), 200)
    again = read_table(tmp_path / "out/masked/manifest.csv")
    assert list(again[0]) == ["path", "label", "group", "subject", "site"]
    assert {row["path"]: row["subject"] for row in again} == dict(
        zip(data.ids.tolist(), data.subjects.tolist(), strict=True)
    )


@needs_shared_data
def test_odd_images_end_as_their_table_says(tmp_path, mask):
    source = SHARED_DATA / "odd_images"
    rows = {row["file"]: row["right_outcome"] for row in read_table(source / "manifest.csv")}
    for at, name in enumerate(sorted(rows)):
        place = tmp_path / "images" / ("first", "second")[at % 2]
        place.mkdir(parents=True, exist_ok=True)
        if (source / name).exists():
            shutil.copy(source / name, place / name)
    for name in ("first", "second"):  # One in each that is surely read.
        save_image(tmp_path / "images" / name / "whole.png", picture("red"))
    words = (tmp_path / "images", *write_nets(tmp_path), "--out", tmp_path / "out")
    code, out, err = mask(*words, "--quiet")
    assert (code, out) == (2, "")
    *listed, last = [line for line in err.splitlines() if not line.startswith("warning: ")]
    assert last.startswith("error: ")
    assert not (tmp_path / "out").exists()
    code, _, err = mask(*words, "--skip-unreadable")
    assert code == 0
    assert f"{len(listed)} of " in err
    found = {row["id"].rpartition("/")[2]: row["id"] for row in read_table(tmp_path / "out/images.csv")}
    for name, outcome in rows.items():
        if not (source / name).exists():
            continue
        named = [line for line in listed if f"/{name} " in line]
        if outcome.startswith("passed over"):
            assert (named, name in found) == ([], False), name
        elif outcome.startswith(("named", "refused")):
            assert (len(named), name in found) == (1, False), name
        elif not outcome.startswith("open where"):  # AVIF: as this Pillow has it.
            assert (named, name in found) == ([], True), name
    written = tmp_path / "out/masked"
    with Image.open(written / found["exif_orientation_6.jpg"].replace(".jpg", ".png")) as image:
        assert image.size == (128, 128)
    assert pixels(written / found["sixteen_bit.png"]).dtype == np.uint16
    assert pixels(written / found["tiny_one_pixel.png"]).shape[:2] == (1, 1)


def test_two_processes_write_what_one_writes(tmp_path, masked):
    root = write_folder(tmp_path / "images", {"train/blue": 5, "train/red": 5, "test/blue": 2, "test/red": 2})
    words = (root, *write_nets(tmp_path), "--top", SHARE, "--batch-size", 4)
    code = "from masktune.export import chunks; chunks.SIZE = 4; from masktune.cli import main; main()"
    (tmp_path / "two.py").write_text(code)
    script = [tmp_path / "two.py"]
    done = launch("mask", *words, "--out", tmp_path / "two", "--quiet", script=script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Written to ") == 1
    masked(*words, "--out", tmp_path / "one")
    one, two = (
        {name for name in files_in(tmp_path / at) if "chunks" not in name and not name.startswith(".")}
        for at in ("one", "two")
    )
    assert two - one == {"masks.png"}  # Left out in this process.
    for name in one - {"run.json", "summary.md"}:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    assert len(list((tmp_path / "two/chunks").iterdir())) == 4
