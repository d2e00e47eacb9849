"""Every example runs, as a person would run it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from masktune import BiasedDigits

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name, *words, cwd):
    command = [sys.executable, str(EXAMPLES / name), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def per_cent(text):
    return [float(number) for number in re.findall(r"(-?[\d.]+)%", text)]


def test_they_are_numbered_without_a_gap():
    numbers = sorted(int(path.name[:2]) for path in EXAMPLES.glob("*.py"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_mask_a_batch(tmp_path):
    done = run("01_mask_a_batch.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(per_cent(done.stdout)) == 8


def test_contact_sheet_of_a_folder(tmp_path):
    for label, images in (("low", slice(0, 3)), ("high", slice(5, 8))):
        (tmp_path / "images" / label).mkdir(parents=True)
        for index, image in enumerate(BiasedDigits("raw").images[images]):
            picture = Image.fromarray(image.permute(1, 2, 0).numpy())
            picture.save(tmp_path / "images" / label / f"{index}.png")
    words = ["images", "--net", "masktune.models:SmallCNN", "--size", 28, "--count", 4, "--out", "sheet.png"]
    done = run("02_contact_sheet.py", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "looked at layer features.12" in done.stdout
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > sheet.height  # Four columns of three rows.


def test_contact_sheet_of_a_folder_without_images(tmp_path):
    done = run("02_contact_sheet.py", tmp_path, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: no images")


@pytest.mark.parametrize(
    "name", ["03_in_your_own_loop.py", "05_mask_in_lightning.py", "06_mask_in_trainer.py"]
)
def test_own_loop_recovers_most(name, tmp_path):
    done = run(name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    before, after = per_cent(done.stdout)[:2]
    assert after > before + 30


def test_method_and_controls(tmp_path):
    done = run("04_method_and_controls.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    erm, more, elsewhere, masktune = per_cent(done.stdout)[:4]
    assert masktune > max(erm, more, elsewhere) + 30
