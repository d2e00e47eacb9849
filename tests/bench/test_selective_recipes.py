"""The recipes on abstaining: settings, which images are held back, a run from end to end on made images."""

import json
from dataclasses import replace

import numpy as np
import pytest

from masktune.bench import Choices, Common, FromNothing, Source, run_recipe, selective, table
from masktune.bench.recipe import FIVE_ARMS, net_of
from masktune.bench.selective import divided
from masktune.bench.sources import recipe_of
from masktune.data import Samples
from masktune.data.contents import FilesOnDisk
from masktune.errors import InputError
from masktune.runs import load_predictions

from . import small_image_sets


@pytest.fixture(scope="module")
def cifar(tmp_path_factory):
    return small_image_sets.cifar10(tmp_path_factory.mktemp("cifar"))


def rate(recipe, epoch):
    return recipe.training.learning_rate_at(epoch)


def test_the_rate_is_halved_every_25_epochs_and_constant_in_the_official_code(cifar):
    for preset in ("default", "paper"):
        recipe = selective("selective-cifar10", FromNothing(cifar), Choices(preset=preset))
        assert recipe.training.epochs == 300
        assert [rate(recipe, epoch) for epoch in (0, 24, 25, 50)] == [0.1, 0.1, 0.05, 0.025]
        assert rate(recipe, 299) == pytest.approx(0.1 / 2**11)
        # A shorter run halves it as often, so the epoch after the first milestone has half the first rate.
        short = selective("selective-cifar10", FromNothing(cifar), Choices(preset=preset, epochs=36))
        assert [rate(short, epoch) for epoch in (2, 3)] == [0.1, 0.05]
        assert rate(short, 35) == rate(recipe, 299)
    official = selective("selective-cifar10", FromNothing(cifar), Choices(preset="official_code"))
    assert {rate(official, epoch) for epoch in range(300)} == {0.1}


def test_settings_of_each_recipe(tmp_path, cifar):
    photos = small_image_sets.cats_vs_dogs(tmp_path / "photos")
    digits = small_image_sets.svhn(tmp_path / "digits")
    places = {"selective-cifar10": cifar, "selective-svhn": digits, "selective-cats-dogs": photos}
    made = {name: selective(name, FromNothing(place)) for name, place in places.items()}
    assert {name: recipe.training.augment for name, recipe in made.items()} == {
        "selective-cifar10": "crop_flip",
        "selective-svhn": "crop",
        "selective-cats-dogs": "crop_flip",
    }
    assert all(recipe.choices.methods == tuple(FIVE_ARMS) for recipe in made.values())
    assert all(recipe.training.batch_size == 128 for recipe in made.values())
    assert [made["selective-cats-dogs"].build(0).spec.size, made["selective-svhn"].build(0).spec.size] == [
        (64, 64),
        (32, 32),
    ]
    cats = made["selective-cats-dogs"].training
    assert (cats.optimizer, cats.epochs, cats.weight_decay) == ("adam", 200, 1e-4)
    assert [cats.learning_rate_at(epoch) for epoch in (49, 50)] == [1e-3, pytest.approx(1e-4)]
    decays = {
        (name, preset): selective(
            name, FromNothing(places[name]), Choices(preset=preset)
        ).training.weight_decay
        for name in ("selective-cifar10", "selective-svhn")
        for preset in ("default", "paper")
    }
    assert decays == {
        ("selective-cifar10", "default"): 5e-4,
        ("selective-cifar10", "paper"): 1e-4,
        ("selective-svhn", "default"): 5e-4,
        ("selective-svhn", "paper"): 5e-4,
    }


def test_the_small_variant_lets_the_rate_fall_to_zero(cifar):
    recipe = selective("selective-cifar10", FromNothing(cifar, cpu=True))
    assert [rate(recipe, epoch) for epoch in (0, 15, 30)] == [0.1, 0.05, 0.0]
    told = selective("selective-cifar10", FromNothing(cifar, cpu=True), Choices(preset="paper")).shown.notes
    assert "--cpu trains in its own way" in told[0]


def test_the_net_is_named_in_the_settings(cifar):
    recipe = selective("selective-cifar10", FromNothing(cifar, net="vgg16_bn"))
    assert type(recipe.build(0).net).__name__ == "VGG16BN"
    assert recipe.settings()["net"] == net_of(recipe) == "vgg16_bn"
    assert "vgg16_bn" in recipe.shown.explained


def listed(order):
    """A thousand training and two hundred test images of ten classes, in some order."""
    ids = np.array([f"train/{at:05d}" for at in range(1000)] + [f"test/{at:05d}" for at in range(200)])
    splits = np.array([name.partition("/")[0] for name in ids.tolist()])
    labels = np.arange(1200) % 10
    return Samples(
        ids[order],
        labels[order],
        tuple("abcdefghij"),
        FilesOnDisk(tuple(ids[order].tolist())),
        splits[order],
    )


def roles(samples):
    return {split: {*samples.of_split(split).ids.tolist()} for split in samples.split_names}


@pytest.mark.parametrize(
    ("preset", "counts"),
    [
        ("default", {"train": 800, "validation": 100, "test": 200, "calibration": 100}),
        ("official_code", {"train": 800, "validation": 200, "test": 200}),
    ],
)
def test_images_are_held_back_by_their_id_alone(preset, counts):
    found = roles(divided(listed(np.arange(1200)), preset))
    shuffled = roles(divided(listed(np.random.default_rng(0).permutation(1200)), preset))
    assert found == shuffled
    assert {split: len(ids) for split, ids in found.items()} == counts
    # None is in two splits, and test images stay what they are.
    assert len(set().union(*found.values())) == 1200
    assert all(name.startswith("test/") for name in found["test"])


def test_each_class_gives_its_share():
    held = divided(listed(np.arange(1200))).of_split("calibration")
    assert np.bincount(held.labels).tolist() == [10] * 10


def test_test_images_are_drawn_where_none_are_given(tmp_path):
    photos = small_image_sets.cats_vs_dogs(tmp_path)
    recipe = selective("selective-cats-dogs", FromNothing(photos))
    splits = recipe.splits(0)
    assert {name: len(data) for name, data in splits.tests.items()} == {"test": 8, "calibration": 4}
    assert (len(splits.train), len(splits.validation)) == (24, 4)
    assert "the data come without test images" in recipe.shown.notes[-1]
    # With every seed the same images, read once.
    assert recipe.splits(1) is splits


def test_splits_that_are_given_are_kept(tmp_path):
    photos = small_image_sets.cats_vs_dogs_in_folders(tmp_path)
    splits = selective("selective-cats-dogs", FromNothing(photos)).splits(0)
    assert len(splits.validation) == 40
    assert all(name.startswith("val/") for name in splits.validation.ids.tolist())
    held = [*splits.tests["test"].ids.tolist(), *splits.tests["calibration"].ids.tolist()]
    assert all(name.startswith("train/") for name in held)


def test_too_few_images_of_a_class_are_said_before_anything_is_trained(tmp_path):
    digits = small_image_sets.svhn(tmp_path, each=3)
    with pytest.raises(
        InputError, match="class '0' has no images in split 'validation', which was to be made"
    ):
        selective("selective-svhn", FromNothing(digits))


@pytest.fixture(scope="module")
def run(cifar, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    choices = Choices(seeds=(0,), methods=("erm", "masktune"), epochs=1, batch_size=40, precision="float32")
    recipe = selective("selective-cifar10", FromNothing(cifar, cpu=True), choices)
    return recipe, out, run_recipe(recipe, out)


def test_every_model_leaves_its_predictions_on_calibration_and_test(run):
    recipe, out, _ = run
    splits = recipe.splits(0)
    for method in ("erm", "masktune"):
        place = out / "models" / "selective-cifar10" / "seed-0" / method / "predictions"
        assert {path.name for path in place.iterdir()} == {"validation.npz", "calibration.npz", "test.npz"}
        for split, data in {**splits.tests, "validation": splits.validation}.items():
            found = load_predictions(place / f"{split}.npz")
            assert found.ids.tolist() == data.ids.tolist()
            assert found.logits.shape == (len(data), 10)


def test_calibration_is_no_result(run):
    recipe, out, results = run
    rows = json.loads((out / "results.json").read_text())["rows"]
    assert {row["split"] for row in rows} == {"train", "validation", "test"}
    lines = {line.method: line for line in table(results.rows, recipe.shown)}
    assert set(lines["masktune"].cells) == {"accuracy", "image hidden"}


def test_no_image_of_the_run_is_in_two_splits(run):
    splits = run[0].splits(0)
    parts = [splits.train, splits.validation, *splits.tests.values()]
    ids = [name for part in parts for name in part.ids.tolist()]
    assert len(ids) == len(set(ids)) == 240


def test_the_bench_takes_them_too(cifar):
    source = Source.typed(f"selective-cifar10={cifar}")
    recipe = recipe_of(source, Common(cpu=True, epochs=2), seeds=(0, 1))
    assert (recipe.name, recipe.command, recipe.training.epochs) == ("selective-cifar10", "bench", 2)
    assert (
        recipe.settings()
        == replace(
            selective("selective-cifar10", FromNothing(cifar, cpu=True), recipe.choices), command="bench"
        ).settings()
    )
    with pytest.raises(InputError, match="expected selective-svhn=FOLDER, where selective-svhn lies"):
        Source.typed("selective-svhn")
