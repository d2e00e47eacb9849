"""What is typed for the recipes on abstaining; what they do is tested in tests/bench."""

import json

import pytest
from tests.bench import small_image_sets

from masktune.cli import main

MISTAKES = {
    "selective-cifar10 --out o": (
        "`masktune reproduce selective-cifar10` needs --data. "
        "See `masktune reproduce selective-cifar10 --help`."
    ),
    "selective-cifar10 --data nowhere --out o": (
        "no folder nowhere; name another, or get the data set with `masktune data get cifar10 nowhere`"
    ),
    "selective-cats-dogs --data digits --out o": (
        "expected Cats vs Dogs in digits, but it looks like SVHN (cropped digits); name another folder, or "
        "type `masktune data check svhn digits`"
    ),
    "selective-svhn --data digits --out o --net vgg16": (
        'Invalid value "vgg16" for --net. Choose from: "resnet32", "vgg16_bn". Did you mean "vgg16_bn"? '
        "See `masktune reproduce selective-svhn --help`."
    ),
    "selective-svhn --data digits --out o --weights w": (
        "Unknown option: --weights. See `masktune reproduce selective-svhn --help`."
    ),
    "selective-svhn --data digits --out o --methods erm group_dro": (
        "group_dro reads group labels of the training images, and selective-svhn has none; leave it out: "
        "those that read none are erm, continue_erm, random_mask, least_salient_mask, masktune, lff, xrm, "
        "last_layer_balanced, selectivenet, deep_gamblers, sat, osp"
    ),
}


@pytest.fixture
def run(capsys):
    """Call `masktune reproduce`; returns (exit code, stdout, stderr)."""

    def call(*words):
        with pytest.raises(SystemExit) as left:
            main(["reproduce", *map(str, words)])
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return call


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    small_image_sets.svhn(root / "digits")
    return root


@pytest.mark.parametrize("typed", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(run, typed, data, monkeypatch):
    monkeypatch.chdir(data)
    code, out, err = run(*typed.split(), "--quiet")
    assert (code, out, err) == (2, "", f"error: {MISTAKES[typed]}\n")
    assert {path.name for path in data.iterdir()} == {"digits"}


def test_a_run_says_what_the_recipe_was_run_on_and_names_its_net(run, data, tmp_path):
    out = tmp_path / "out"
    words = ("--methods", "erm", "--epochs", 1, "--seeds", 0, "--cpu", "--batch-size", 40)
    code, shown, said = run("selective-svhn", "--data", data / "digits", "--out", out, *words)
    assert code == 0
    assert "status of this recipe: never run" in said
    assert "the data come without test images" in said
    assert "accuracy" in shown
    assert "calibration" not in shown.replace("predictions/calibration.npz", "")
    assert json.loads((out / "run.json").read_text())["settings"]["net"] == "resnet32"
    assert (out / "models/selective-svhn/seed-0/erm/predictions/calibration.npz").exists()


def test_they_are_listed(run):
    listed = run("list")[1]
    for name in ("selective-cifar10", "selective-svhn", "selective-cats-dogs"):
        assert f"\n{name} " in listed
