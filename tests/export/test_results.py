"""What `masktune mask` says of the images: rows, tables, sentences, picture."""

import json

import numpy as np
import pytest
from PIL import Image

from masktune.cli import main
from masktune.evaluation import wilson
from masktune.runs import load_predictions

from .colours import (
    SHARE,
    files_in,
    picture,
    read_table,
    rows_of,
    save_image,
    write_folder,
    write_nets,
    write_table,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Counted by hand. train: 6 images, 1 shows the other colour, 1 shows none; test: 4, all right."""
    folder = tmp_path_factory.mktemp("finished")
    shown = {
        "train/blue": ("blue", "blue", "none"),
        "train/red": ("red", "red", "blue"),
        "test/blue": ("blue", "blue"),
        "test/red": ("red", "red"),
    }
    for place, colours in shown.items():
        for at, colour in enumerate(colours):
            values = picture(colour, seed=ord(place[-1]) + ord(place[1]) + 100 * at)
            save_image(folder / "images" / place / f"{at}.png", values)
    words = ["mask", folder / "images", *write_nets(folder), "--top", SHARE, "--out", folder / "out"]
    with pytest.raises(SystemExit) as left:
        main([*map(str, words), "--quiet", "--json"])
    assert left.value.code == 0
    return folder / "out"


def test_what_a_run_leaves(finished):
    top = {name.partition("/")[0] for name in files_in(finished)}
    assert {name for name in top if not name.startswith(".")} == {
        *("run.json", "results.json", "summary.md", "masks.png", "images.csv"),
        *("masked", "chunks", "models"),
    }


def test_run_json_comes_first_and_results_json_last(finished):
    written = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}
    named = [path for path in written if not path.name.startswith(".")]
    assert min(named, key=written.__getitem__).name == "run.json"
    assert max(named, key=written.__getitem__).name == "results.json"


def test_rows_are_what_a_person_counts(finished):
    assert rows_of(finished, "accuracy") == {"train": (5 / 6, 6), "test": (1, 4)}
    assert rows_of(finished, "empty_masks") == {"train": (1 / 6, 6), "test": (0, 4)}
    # A sixteenth of each picture, but for the one that shows nothing.
    hidden = rows_of(finished, "image_hidden")
    assert hidden["train"] == (pytest.approx(5 / 6 / 16), 6)
    assert hidden["test"] == (pytest.approx(1 / 16), 4)


def test_rates_have_wilsons_interval_and_rows_say_where_they_come_from(finished):
    rows = json.loads((finished / "results.json").read_text())["rows"]
    (row,) = (row for row in rows if row["metric"] == "accuracy" and row["split"] == "train")
    # By hand: (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n), p = 5/6, n = 6, z = 1.96.
    assert (row["low"], row["high"]) == pytest.approx((0.4365, 0.9699), abs=1e-4)
    rate = wilson(5, 6)
    assert (row["low"], row["high"]) == (rate.low, rate.high)
    assert {row["dataset"] for row in rows} == {"images"}
    assert {row["method"] for row in rows} == {"untouched"}
    assert {(row["supervision"], row["epochs"]) for row in rows} == {("none", 0)}


def test_images_csv_has_a_row_an_image(finished):
    rows = {row["id"]: row for row in read_table(finished / "images.csv")}
    assert sorted(rows) == sorted(files_in(finished.parent / "images"))
    right = rows["test/red/0.png"]
    assert (right["split"], right["label"], right["predicted"], right["explained"]) == (
        *("test", "red", "red", "red"),
    )
    # 16 of 256 pixels are fully red: the logits are 100/16 and 0, as far as the resize keeps the edge.
    assert float(right["probability"]) == pytest.approx(1 / (1 + np.exp(-100 / 16)), abs=0.002)
    assert (right["hidden"], right["why_empty"]) == ("0.0625", "")
    wrong = rows["train/red/2.png"]
    assert (wrong["label"], wrong["predicted"]) == ("red", "blue")
    nothing = rows["train/blue/2.png"]
    assert (nothing["probability"], nothing["hidden"]) == ("0.5000", "0.0000")
    assert nothing["why_empty"] == "no evidence"


def test_predictions_read_back(finished):
    (file,) = finished.glob("models/images/seed-0/untouched/predictions/all.npz")
    predictions = load_predictions(file)
    assert sorted(predictions.ids.tolist()) == sorted(files_in(finished.parent / "images"))
    assert int(predictions.correct.sum()) == 9


def test_summary_says_it_in_words(finished):
    text = (finished / "summary.md").read_text()
    assert text.startswith("# images: masked\n")
    assert "`masktune mask " in text
    # 9 of 10 images, a sixteenth each: 5.625 %.
    assert "10 images: 5.6 % of what the net sees is hidden on average (layer features)." in text
    assert "In 1 nothing is hidden: 1 maps have no positive value, in 0 the threshold lies above" in text
    assert "100.0 % (51.0 to 100.0) on test (4 images), 83.3 % (43.6 to 97.0) on train (6 images)." in text
    assert "| train | accuracy |  | 83.3 % (43.6 to 97.0) | 6 |" in text


def test_the_picture_is_one(finished):
    with Image.open(finished / "masks.png") as image:
        assert image.format == "PNG"
        assert min(image.size) > 200


def test_run_json_holds_all_that_the_numbers_depend_on(finished):
    record = json.loads((finished / "run.json").read_text())
    assert record["command"] == "mask"
    assert record["argv"][0] == "mask"
    settings = record["settings"]
    assert settings["layer"] == "features"
    assert settings["threshold"] == "TopFraction(share=0.0625, most_salient=True)"
    assert settings["model"].endswith("nets.py:build")
    assert "size=(16, 16)" in settings["input"]
    assert record["data"][0]["name"] == "images"
    assert len(record["data"][0]["sha256"]) == len(record["weights_sha256"]) == 64


def test_the_papers_threshold_hides_the_bright_core(tmp_path, masked):
    # 16 x 16 pixels, as the net's input: 32 of a fifth and 4 at full strength. Of the positive ones the mean
    # is (32 / 5 + 4) / 36 = 0.289 and the deviation 0.251: above 0.791 lie the 4.
    for colour, channel in (("blue", 2), ("red", 0)):
        for at in range(2):
            values = picture("none", (16, 16), seed=10 * channel + at)
            values[4:10, 4:10, channel] = 51
            values[6:8, 6:8, channel] = 255
            save_image(tmp_path / "images" / colour / f"{at}.png", values)
    masked(tmp_path / "images", *write_nets(tmp_path), "--what", "masks", "--out", tmp_path / "out")
    for name in files_in(tmp_path / "images"):
        with Image.open(tmp_path / "out/masks" / name) as image:
            expected = np.zeros((16, 16), dtype=np.uint8)
            expected[6:8, 6:8] = 255
            assert np.array_equal(np.asarray(image), expected)
    assert rows_of(tmp_path / "out", "image_hidden") == {"train": (4 / 256, 4)}


def test_a_flat_patch_is_below_no_mean_and_the_table_says_so(tmp_path, masked):
    # All its positive pixels are alike: nothing lies above their mean.
    for colour in ("blue", "red"):
        for at in range(2):
            save_image(tmp_path / "images" / colour / f"{at}.png", picture(colour, (16, 16), seed=at))
    masked(tmp_path / "images", *write_nets(tmp_path), "--out", tmp_path / "out")
    assert rows_of(tmp_path / "out", "empty_masks") == {"train": (1, 4)}
    rows = read_table(tmp_path / "out/images.csv")
    assert {row["why_empty"] for row in rows} == {"threshold above the maximum"}


def test_the_label_instead_of_the_prediction(tmp_path, masked):
    # Both colours in each picture, more of the wrong one.
    for colour, other in (("blue", "red"), ("red", "blue")):
        values = picture(colour, place=(1, 1))
        values[picture(other, place=(9, 9))[:, :, 1] == 9] = (255, 9, 0) if other == "red" else (0, 9, 255)
        values[16:22, :] = (255, 0, 0) if other == "red" else (0, 0, 255)
        save_image(tmp_path / "images" / colour / "0.png", values)
    net = write_nets(tmp_path)
    for explain in ("predicted", "label"):
        out = tmp_path / explain
        masked(tmp_path / "images", *net, "--explain", explain, "--top", SHARE, "--out", out)
        assert rows_of(out, "accuracy") == {"train": (0, 2)}
        for row in read_table(out / "images.csv"):
            assert row["predicted"] != row["label"]
            assert row["explained"] == row[explain]
            with Image.open(out / "masked" / row["id"]) as image:
                hidden = (np.asarray(image) == 0).all(2)
            assert hidden[2:10, 3:15].all() == (explain == "label")


def test_a_manifest_with_groups_gives_rows_by_group(tmp_path, masked):
    rows = []
    for at in range(8):
        label = ("blue", "red")[at % 2]
        shown = "blue" if at == 7 else label  # One red image of the group "dim" is mistaken.
        path = save_image(tmp_path / f"study/{at}.png", picture(shown, seed=at))
        rows.append({"path": path.name, "label": label, "group": f"{label} {('clear', 'dim')[at // 4]}"})
    table = write_table(tmp_path / "study/table.csv", rows)
    masked(table, *write_nets(tmp_path), "--top", SHARE, "--out", tmp_path / "out")
    results = json.loads((tmp_path / "out/results.json").read_text())["rows"]
    groups = {row["group"]: (row["value"], row["n"]) for row in results if row["metric"] == "group_accuracy"}
    assert groups == {"blue clear": (1, 2), "blue dim": (1, 2), "red clear": (1, 2), "red dim": (0.5, 2)}
    (worst,) = (row for row in results if row["metric"] == "worst_group_accuracy")
    assert (worst["group"], worst["value"], worst["n"]) == ("red dim", 0.5, 2)
    assert {row["dataset"] for row in results} == {"table"}


def test_a_net_of_other_classes_is_masked_and_no_accuracy_is_told(tmp_path, masked):
    from safetensors.torch import load_file, save_file

    root = write_folder(tmp_path / "images", {"blue": 2, "red": 2})
    model = write_nets(tmp_path)
    weights = load_file(model[3])
    weights["head.weight"] = weights["head.weight"].new_tensor([[100.0, 0], [0, 100], [0, 0]])
    save_file(weights, tmp_path / "three.safetensors")
    masked(
        *(root, "--model", model[1].replace(":build", ":three"), "--weights", tmp_path / "three.safetensors"),
        *("--top", SHARE, "--out", tmp_path / "out"),
    )
    results = json.loads((tmp_path / "out/results.json").read_text())["rows"]
    assert {row["metric"] for row in results} == {"image_hidden", "empty_masks"}
    said = {row["label"]: row["predicted"] for row in read_table(tmp_path / "out/images.csv")}
    assert said == {"blue": "class 0", "red": "class 1"}
    assert not (tmp_path / "out/models").exists()


def test_subjects_make_the_intervals(tmp_path, masked):
    rows = []
    for at in range(12):
        label = ("blue", "red")[at % 2]
        shown = label if at < 10 else "blue"
        path = save_image(tmp_path / f"study/{at:02d}.png", picture(shown, seed=at))
        rows.append({"path": path.name, "label": label, "patient": f"p{at // 4}"})
    table = write_table(tmp_path / "study/table.csv", rows)
    net = write_nets(tmp_path)
    masked(table, *net, "--top", SHARE, "--out", tmp_path / "images")
    masked(table, *net, "--top", SHARE, "--out", tmp_path / "subjects", "--subject-column", "patient")
    one, other = (
        next(
            row
            for row in json.loads((tmp_path / name / "results.json").read_text())["rows"]
            if row["metric"] == "accuracy"
        )
        for name in ("images", "subjects")
    )
    assert one["value"] == other["value"] == 11 / 12
    # All of the one mistake is in one of three subjects: resampled, the rate is 9/12 at worst, not Wilson's.
    assert (one["low"], one["high"]) == pytest.approx((0.6461, 0.9851), abs=1e-4)
    assert (other["low"], other["high"]) == (0.75, 1)
    assert "subject" in read_table(tmp_path / "subjects/masked/manifest.csv")[0]
