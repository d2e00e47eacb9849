"""The recipes on photos from end to end, on a few made pictures and with random weights for ImageNet's."""

import csv
import hashlib
import json
import re

import numpy as np
import pytest
import timm
from safetensors.torch import save_file

from masktune.bench import Choices, Photos, celeba, differences, in9, run_recipe, table, waterbirds
from masktune.data.official.imagenet9 import FOLDERS
from masktune.errors import InputError
from masktune.models.build import from_seed
from masktune.report import About, summary_of

from . import photo_sets

QUICK = Choices(seeds=(0,), methods=("erm", "random_mask", "masktune"), epochs=1, batch_size=8)


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Of EfficientNet-Lite0, random: what is learnt is of no interest here."""
    net = from_seed(lambda: timm.create_model("tf_efficientnet_lite0", pretrained=False), 0)
    path = tmp_path_factory.mktemp("weights") / "lite0.safetensors"
    save_file({name: value.contiguous() for name, value in net.state_dict().items()}, path)
    return path


def rows_of(out):
    return json.loads((out / "results.json").read_text())["rows"]


def value_of(rows, method, split, metric, group=None):
    (one,) = (
        row
        for row in rows
        if (row["method"], row["split"], row["metric"], row["group"]) == (method, split, metric, group)
    )
    return one


@pytest.fixture(scope="module")
def birds(tmp_path_factory, weights):
    root, out = (tmp_path_factory.mktemp(name) for name in ("birds", "out"))
    recipe = waterbirds(Photos(photo_sets.waterbirds(root), weights, cpu=True), QUICK)
    return recipe, out, run_recipe(recipe, out)


def test_waterbirds_has_every_number_that_its_table_shows(birds):
    recipe, out, results = birds
    lines = {line.method: line for line in table(results.rows, recipe.shown)}
    titles = {column.title for column in recipe.shown.columns}
    assert set(lines["masktune"].cells) == titles
    assert set(lines["erm"].cells) == titles - {"image hidden", "hidden on bird"}
    rows = rows_of(out)
    assert {row["dataset"] for row in rows} == {"waterbirds"}
    assert {row["variant"][:6] for row in rows} <= {"other-", "subset"}
    # Three images of each group are tested.
    groups = {
        row["group"]: row["n"] for row in rows if row["metric"] == "group_accuracy" and row["split"] == "test"
    }
    assert groups == dict.fromkeys(
        ("landbird on land", "landbird on water", "waterbird on land", "waterbird on water"), 3
    )
    for place in ("land", "water"):
        assert value_of(rows, "erm", "test", "auroc_within", place)["n"] == 6
    worst = next(row for row in rows if row["metric"] == "worst_group_accuracy_equal_shares")
    assert worst["n"] == 3


def test_the_record_names_the_weights_that_it_starts_from(birds, weights):
    _, out, _ = birds
    record = json.loads((out / "run.json").read_text())
    assert record["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()


def test_how_much_of_what_is_hidden_lies_on_the_bird_is_told_by_group(birds):
    _, out, _ = birds
    rows = rows_of(out)
    whole = value_of(rows, "masktune", "train", "hidden_on_object")
    each = [
        value_of(rows, "masktune", "train", "hidden_on_object", group)
        for group in ("landbird on land", "landbird on water", "waterbird on land", "waterbird on water")
    ]
    assert whole["n"] == sum(one["n"] for one in each) <= 12
    mean = np.average([one["value"] for one in each], weights=[one["n"] for one in each])
    assert whole["value"] == pytest.approx(mean)
    assert not any(row["metric"] == "hidden_on_object" and row["method"] == "erm" for row in rows)


def test_waterbirds_is_judged_by_its_worst_group(birds):
    recipe, out, results = birds
    found = differences(out, results.rows, recipe.shown)
    assert [one.method for one in found] == ["erm", "random_mask"]
    rows = rows_of(out)
    worst = {
        row["method"]: row["value"]
        for row in rows
        if row["metric"] == "worst_group_accuracy" and row["split"] == "test"
    }
    for one in found:
        assert one.comparison.difference == pytest.approx(worst["masktune"] - worst[one.method])
    about = About("waterbirds", "masktune ...", results.data[0].sha256, {"train": 12})
    text = summary_of(about, results.rows, table(results.rows, recipe.shown), found, recipe.shown)
    assert "worst group" in text
    assert f"Status of this recipe: {recipe.shown.status}." in text
    assert (
        len(re.findall(r"^\| \w+ \| 0 \| (land|water)bird on (land|water) \| 3 \| ", text, re.MULTILINE)) == 3
    )
    named = "landbird on water"
    right = {
        row["method"]: row["value"]
        for row in rows
        if (row["split"], row["metric"], row["group"]) == ("test", "group_accuracy", named)
    }
    cells = " | ".join(f"{100 * right[method]:.2f}" for method in ("erm", "random_mask", "masktune"))
    assert f"| {named} | 3 | {cells} |" in text
    assert "Of what is hidden, % on the bird, by group of the training images:" in text
    ours, chance = (
        value_of(rows, method, "train", "hidden_on_object")["value"] for method in ("masktune", "random_mask")
    )
    assert f": {100 * ours:.0f} % of what it hides lies on the bird, of what random masks of the same" in text
    assert ("hides the bird rather than what" in text) == (ours > chance)


def test_celeba_end_to_end_with_other_attributes(tmp_path, weights):
    photos = Photos(photo_sets.celeba(tmp_path / "faces"), weights, cpu=True)
    choices = Choices(seeds=(0,), methods=("erm",), epochs=1, batch_size=8)
    run_recipe(celeba(photos, "Smiling", "Male", choices), tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert {row["variant"].partition(", ")[2] for row in rows} == {"Smiling x Male"}
    groups = {row["group"] for row in rows if row["metric"] == "group_accuracy"}
    assert groups == {"not smiling, woman", "not smiling, man", "smiling, woman", "smiling, man"}
    assert {row["group"] for row in rows if row["metric"] == "auroc_within"} == {"woman", "man"}


def test_the_backgrounds_challenge_end_to_end_without_training_images(tmp_path, weights):
    photos = Photos(photo_sets.challenge(tmp_path / "in9", FOLDERS), weights, cpu=True)
    choices = Choices(seeds=(0,), methods=("erm", "masktune"), epochs=1, batch_size=8)
    recipe = in9(photos, choices)
    results = run_recipe(recipe, tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    # Of six a class four are tuned on, one of them to choose a checkpoint; two are tested in each variant.
    assert value_of(rows, "erm", "original", "accuracy")["n"] == 18
    same, other = (value_of(rows, "erm", name, "accuracy")["value"] for name in ("mixed_same", "mixed_rand"))
    assert value_of(rows, "erm", "mixed_same", "bg_gap")["value"] == pytest.approx(same - other)
    assert value_of(rows, "masktune", "train", "hidden_on_object")["n"] <= 27
    (_, masktune) = table(results.rows, recipe.shown)
    assert set(masktune.cells) == {column.title for column in recipe.shown.columns}


def test_the_papers_settings(tmp_path):
    root = photo_sets.waterbirds(tmp_path)
    with pytest.raises(InputError, match="expected --weights FILE with ImageNet's weights of timm:resnet50"):
        waterbirds(Photos(root))
    # The official code starts from random weights, and never applies its schedule.
    recipe = waterbirds(Photos(root), Choices(preset="official_code"))
    assert recipe.training.learning_rate_at(99) == 1e-4
    assert (recipe.training.epochs, recipe.training.batch_size) == (100, 128)
    assert recipe.masktune.tune_checkpoint == "last"
    with pytest.raises(InputError, match="expected no --weights"):
        waterbirds(Photos(root, root / "metadata.csv"), Choices(preset="official_code"))
    # A shorter run keeps the quarters.
    assert waterbirds(Photos(root), Choices(preset="official_code", epochs=8)).training.epochs == 8


def test_boxes_stand_in_for_masks(tmp_path):
    from masktune.bench.waterbirds import birds_in

    root = photo_sets.waterbirds(tmp_path)
    masks = birds_in(root)
    names = [row["img_filename"] for row in csv.DictReader((root / "metadata.csv").open())]
    (root / "masks.zip").unlink()
    assert birds_in(root) is None
    rows = [
        {"image": names[0], "part": part, "x0": 14, "y0": 10, "x1": 34, "y1": 30} for part in ("beak", "bird")
    ]
    photo_sets.write_rows(root / "part_boxes.csv", rows)
    found = birds_in(root).pixels(names[0], photo_sets.SIZE)
    assert found.sum() == 400
    photo_sets.waterbirds(root)
    assert np.array_equal(found, masks.pixels(names[0], photo_sets.SIZE))


@pytest.mark.parametrize("beside", ["home", "above"])
def test_masks_are_found_beside_the_images_and_above_them(tmp_path, beside):
    from masktune.bench.waterbirds import birds_in

    home = tmp_path / "waterbird_complete95_forest2water2"
    home.mkdir()
    photo_sets.waterbirds(home)
    if beside == "above":
        (home / "masks.zip").rename(tmp_path / "masks.zip")
    assert birds_in(tmp_path) is not None
