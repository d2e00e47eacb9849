"""The package as a whole: what `import masktune` costs, what it offers, and what travels in the wheel."""

import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest

import masktune

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# Design §5.3, without the nouns of later releases: tune, SelectivePredictor.
PUBLIC = [
    *("Masker", "XGradCAM", "GradCAM", "GradCAMPlusPlus", "LayerCAM", "RandomMap", "SaliencyMaps"),
    *("MeanPlusStd", "TopFraction", "Quantile"),
    *("ERM", "ContinueERM", "MaskTune", "RandomMask", "LeastSalientMask"),
    *("Classifier", "InputSpec", "ImageFolder", "Manifest", "BiasedMNIST", "BiasedDigits"),
    *("Predictions", "SelectivePredictor", "MasktuneError", "scan", "tune"),
]

HEAVY = {"torchvision", "timm", "transformers", "datasets", "scipy", "matplotlib", "ray", "pandas"}
HEAVY |= {"pyarrow", "pydicom", "sklearn", "cyclopts", "tyro", "typer", "rich", "jinja2"}

FRESH = """
import json, sys, time
import torch
before, start = set(sys.modules), time.perf_counter()
import masktune
{then}
seconds = time.perf_counter() - start
print(json.dumps([seconds, sorted({{name.split(".")[0] for name in set(sys.modules) - before}})]))
"""


def in_fresh_interpreter(then: str = "") -> tuple[float, set[str]]:
    """Seconds of `import masktune` beside torch, and the packages that came along."""
    code = FRESH.format(then=then)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, packages = json.loads(done.stdout)
    return seconds, set(packages)


def test_import_loads_nothing_heavy():
    assert not in_fresh_interpreter()[1] & HEAVY


def test_import_takes_less_than_a_second_beside_torch():
    # The best of up to five: a busy machine makes any one of them slow.
    assert any(in_fresh_interpreter()[0] < 1 for _ in range(5))


def test_the_three_line_use_loads_nothing_heavy():
    use = "masktune.Masker(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1),"
    use += "torch.nn.Flatten(), torch.nn.Linear(4, 2)))(torch.rand(2, 3, 8, 8))"
    assert not in_fresh_interpreter(use)[1] & HEAVY


def test_all_is_the_public_list():  # That it is sorted is ruff's RUF022.
    assert sorted(masktune.__all__) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_documented(name):
    assert getattr(masktune, name).__doc__


def test_nothing_else_looks_public():
    rooms = {name for name in dir(masktune) if isinstance(getattr(masktune, name), ModuleType)}
    offered = {name for name in dir(masktune) if not name.startswith("_")} - rooms
    assert offered == set(masktune.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="MaskTuned"):
        masktune.MaskTuned  # noqa: B018 - the access is the test.


def test_no_room_bears_the_name_of_a_public_noun():
    rooms = {path.name for path in (ROOT / "src/masktune").iterdir() if path.is_dir()}
    assert not rooms.intersection({*PUBLIC, "tune"})


def test_the_version_is_the_same_everywhere():
    assert metadata.version("masktune") == masktune.__version__
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert cited
    assert newest
    assert cited[1] == newest[1] == masktune.__version__


def test_torch_is_never_pinned():
    (torch,) = [line for line in PROJECT["dependencies"] if re.match(r"torch\b(?!vision)", line)]
    assert re.fullmatch(r"torch>=[\d.]+", torch)


def test_the_wheel_holds_types_digits_and_licences():
    wheel = pytest.importorskip("hatchling.builders.wheel", reason="hatchling builds the wheel")
    files = {file.distribution_path for file in wheel.WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {"masktune/py.typed", "masktune/data/digits.npz", "masktune/data/DIGITS-LICENSE.txt"} <= files
    assert all(name.startswith("masktune/") for name in files)
    templates = {f"masktune/{path.relative_to(ROOT / 'src/masktune')}" for path in ROOT.rglob("src/**/*.j2")}
    assert templates <= files


def test_the_licence_travels_with_the_metadata():
    assert PROJECT["license"] == "MIT"
    assert PROJECT["license-files"] == ["LICENSE"]
    assert "MIT License" in (ROOT / "LICENSE").read_text()
