"""`masktune mask` as it is typed: mistakes, warnings, what is printed. Its files: tests/export."""

import pytest
import torch
from safetensors.torch import save_file

from export.colours import (
    SHARE,
    files_in,
    picture,
    read_table,
    rows_of,
    save_image,
    spotted,
    write_folder,
    write_nets,
    write_table,
)


@pytest.fixture
def images(tmp_path):
    return write_folder(tmp_path / "images", {"blue": 4, "red": 4})


@pytest.fixture
def refused(mask, tmp_path):
    """Call what must be refused: exit code 2, one line, nothing written; returns what the line says."""

    def call(*words):
        before = files_in(tmp_path)
        code, out, err = mask(*words, "--out", tmp_path / "out", "--quiet")
        assert (code, out) == (2, "")
        assert err.startswith("error: "), err
        assert err.count("\n") == 1, err
        assert [name for name in files_in(tmp_path) if "__pycache__" not in name] == before
        return err.removeprefix("error: ").rstrip("\n")

    return call


def test_no_images_there(refused, tmp_path, images):
    line = refused(tmp_path / "imgaes", *write_nets(tmp_path))
    assert line == f"no images at {tmp_path / 'imgaes'} (did you mean 'images'?); give a folder or a manifest"


def test_a_file_that_is_no_table(refused, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    line = refused(tmp_path / "thesis.tex", *write_nets(tmp_path))
    assert line.startswith("expected a folder, a manifest (.csv, .tsv, .txt, .parquet) or a saved data set")


def test_a_layer_that_does_not_exist(refused, tmp_path, images):
    line = refused(images, *write_nets(tmp_path), "--layer", "fetures.0")
    assert line.startswith("Colours has no layer 'fetures.0' (did you mean 'features.0'")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("nonsense", "expected a model as timm:NAME, torchvision:NAME, hf:DIR"),
        ("timm:resnet5O", "timm has no model 'resnet5O' (did you mean 'resnet50'"),
        ("torchvision:resnet-18", "torchvision has no classifier 'resnet-18' (did you mean 'resnet18'"),
        ("timm:resnet18", "timm:resnet18 comes without weights; pass --weights FILE"),
        ("{}/nets.py:bild", "has no function 'bild' (did you mean 'build'"),
        ("{}/net.py:build", "no file at {}/net.py (did you mean 'nets.py'"),
    ],
)
@pytest.mark.vision
def test_an_unknown_model(refused, tmp_path, images, model, said):
    write_nets(tmp_path)
    assert said.format(tmp_path) in refused(images, "--model", model.format(tmp_path))


def test_weights_that_are_not_there_or_of_another_net(refused, tmp_path, images):
    model = write_nets(tmp_path)[:2]
    line = refused(images, *model, "--weights", tmp_path / "colors.safetensors")
    assert str(tmp_path / "colors.safetensors") in line
    save_file({"conv1.weight": torch.zeros(4, 3, 3, 3)}, tmp_path / "other.safetensors")
    line = refused(images, *model, "--weights", tmp_path / "other.safetensors")
    assert "other.safetensors" in line
    assert "features.0.weight" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--expect 0.9", "expected --expect accuracy=0.91, got '0.9'"),
        ("--expect acc=0.9", "expected --expect accuracy=0.91, got 'acc=0.9'"),
        ("--expect accuracy=2", "expected an accuracy from 0 to 1 in --expect, got 2"),
        ("--range a b", "expected --range dtype, --range percentile or --range LO HI, got a b"),
        ("--range 7", "expected --range dtype, --range percentile or --range LO HI, got 7"),
        ("--classes names.txt", "or a text file with one a line for --classes, found no names.txt"),
        ("--classes blue,rde", "the model has no class 'red' (did you mean 'rde'"),
        ("--split test", "expected the split 'test', but no splits are given"),
        ("--what mask", 'Invalid value "mask" for --what'),
        ("--fill blakc", "(did you mean 'black'"),
        ("--top 1.5", "expected --top as a share above 0 and up to 1, got 1.5"),
        ("--sigmas -1", "expected --sigmas of 0 or more, got -1.0"),
        ("--max-images 3", "expected at least 4 images, two a class, got 3"),
        ("--subject-from (", "'(' is no regular expression for --subject-from"),
        ("--input-size 16", "--input-size"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(refused, tmp_path, images, words, said):
    assert said in refused(images, *write_nets(tmp_path), *words.split())


def test_class_names_come_from_a_file_too(mask, refused, tmp_path, images):
    names = tmp_path / "names.txt"
    names.write_text("\ufeffblue\nred\n\n", encoding="utf-8")  # As Windows' editor writes it.
    words = (images, *write_nets(tmp_path), "--classes", names)
    assert mask(*words, "--expect", "accuracy=0.9", "--out", tmp_path / "out", "--quiet")[0] == 0
    names.write_text("red\nblue\n")
    assert "expected an accuracy of 0.9" in refused(*words, "--expect", "accuracy=0.9")
    names.write_bytes(b"\xff\xfe\x00\xd8")
    assert f"expected a text file with a class a line for --classes, got {names}" in refused(*words)


def test_a_net_that_is_not_as_good_as_expected(refused, tmp_path, images):
    line = refused(images, *write_nets(tmp_path, turned=True), "--expect", "accuracy=0.99")
    # Wilson's interval of 0 of 8 ends at z² / (n + z²).
    assert line.startswith("expected an accuracy of 0.99, got 0.0000 on 8 images (95 %: 0.0000 to 0.3244)")


def test_a_net_as_good_as_expected_goes_on(mask, tmp_path, images):
    words = (images, *write_nets(tmp_path), "--expect", "accuracy=0.9", "--out", tmp_path / "out", "--quiet")
    assert mask(*words)[0] == 0


def test_a_split_and_columns_that_are_not_there(refused, tmp_path):
    rows = []
    for at in range(8):
        colour = ("blue", "red")[at % 2]
        path = save_image(tmp_path / f"{at}.png", picture(colour, seed=at))
        rows.append({"path": path.name, "label": colour, "split": ("train", "test")[at // 4]})
    table = write_table(tmp_path / "table.csv", rows)
    net = write_nets(tmp_path)
    assert refused(table, *net, "--split", "tset").startswith("no split 'tset' (did you mean 'test'?)")
    line = refused(table, *net, "--label-column", "lable")
    assert line.startswith(
        f"no column 'lable' (did you mean 'label'?) in {table}, which has path, label, split"
    )
    line = refused(table, *net, "--group-column", "splitt")
    assert line.startswith(f"no column 'splitt' in {table} (did you mean 'split'?)")


def test_an_option_for_other_kinds_of_data_is_refused(refused, tmp_path, images):
    # A folder has no columns, and images of a table of paths lie in files.
    net = write_nets(tmp_path)
    assert "--label-column" in refused(images, *net, "--label-column", "diagnosis")
    assert "--root" in refused(images, *net, "--root", tmp_path)
    rows = [{"path": f"images/{colour}/00.png", "label": colour} for colour in ("red", "blue")]
    table = write_table(tmp_path / "table.csv", rows)
    assert "--image-column" in refused(table, *net, "--image-column", "scan")


def test_several_logits_that_are_questions_of_their_own_need_a_target(refused, mask, tmp_path):
    root = tmp_path / "images"
    for at in range(2):
        save_image(root / "spot" / f"{at}.png", spotted(seed=at, deep=False))
        save_image(root / "none" / f"{at}.png", spotted(seed=9 + at, deep=False, spot=False))
    net = write_nets(tmp_path)
    model = ("--model", net[1].replace(":build", ":three"))
    weights = {"features.0.weight": torch.ones(2, 3, 1, 1) / 3, "head.weight": torch.ones(3, 2)}
    save_file(weights, tmp_path / "three.safetensors")
    words = (root, *model, "--weights", tmp_path / "three.safetensors")
    assert "--target from 0 to 2" in refused(*words, "--target", "3")
    assert "--target by number, 0 to 2" in refused(*words, "--target", "spot")
    assert mask(*words, "--target", 1, "--out", tmp_path / "out", "--quiet")[0] == 0
    assert {row["predicted"] for row in read_table(tmp_path / "out/images.csv")} == {"spot"}


@pytest.mark.vision
def test_a_multi_label_head_of_hugging_face(refused, tmp_path, images, capsys):
    from models.tiny import save_hugging_face

    labels = {"id2label": {0: "cat", 1: "dog", 2: "tail"}, "label2id": {"cat": 0, "dog": 1, "tail": 2}}
    save_hugging_face("ResNet", tmp_path / "hf", problem_type="multi_label_classification", **labels)
    capsys.readouterr()  # Of the library.
    line = refused(images, "--model", f"hf:{tmp_path / 'hf'}")
    assert "answers 3 separate questions (multi-label), and the data have two classes" in line
    assert "pass --target with one of 'cat', 'dog', 'tail'" in line


def test_the_label_cannot_be_explained_by_a_net_of_other_classes(refused, tmp_path, images):
    net = write_nets(tmp_path)
    weights = {"features.0.weight": torch.zeros(2, 3, 1, 1), "head.weight": torch.ones(3, 2)}
    save_file(weights, tmp_path / "three.safetensors")
    model = ("--model", net[1].replace(":build", ":three"), "--weights", tmp_path / "three.safetensors")
    line = refused(images, *model, "--explain", "label")
    assert line.startswith("expected logits that stand for the data's classes for --explain label")


def test_an_accuracy_cannot_be_expected_of_a_net_of_other_classes(refused, tmp_path, images):
    net = write_nets(tmp_path)
    weights = {"features.0.weight": torch.zeros(2, 3, 1, 1), "head.weight": torch.ones(3, 2)}
    save_file(weights, tmp_path / "three.safetensors")
    model = ("--model", net[1].replace(":build", ":three"), "--weights", tmp_path / "three.safetensors")
    assert "--expect" in refused(images, *model, "--expect", "accuracy=0.9")


def test_a_preprocess_that_gives_another_size_or_fails(refused, tmp_path, images):
    net = write_nets(tmp_path)
    line = refused(images, *net, "--preprocess", f"{tmp_path / 'nets.py'}:wrong_size")
    assert "expected 16x16 pixels of 3 channels from --preprocess, got (5, 5, 3)" in line
    line = refused(images, *net, "--preprocess", f"{tmp_path / 'nets.py'}:blackene")
    assert "did you mean 'blackened'" in line


def test_all_unreadable_files_are_listed_before_the_error(mask, tmp_path, images):
    (images / "blue/01.png").write_bytes(b"")
    whole = (images / "red/02.png").read_bytes()
    (images / "red/02.png").write_bytes(whole[: len(whole) // 2])
    (images / "red/notes.jpg").write_text("no image")
    words = (images, *write_nets(tmp_path), "--top", SHARE, "--out", tmp_path / "out")
    code, out, err = mask(*words, "--quiet")
    assert (code, out) == (2, "")
    first, second, third, last = err.splitlines()
    assert first == f"{images}/blue/01.png is empty (0 bytes)"
    assert second.startswith(f"{images}/red/02.png is truncated or damaged")
    assert third == f"{images}/red/notes.jpg is no image that Pillow can read"
    assert last.startswith("error: expected 9 images that can be read, but 3 cannot: ")
    assert last.endswith("--skip-unreadable")
    assert not (tmp_path / "out").exists()
    code, _, err = mask(*words, "--skip-unreadable")
    assert code == 0
    assert "note: 3 of 9 images cannot be read and are skipped" in err.splitlines()
    assert (tmp_path / "out/unreadable.txt").read_text().splitlines() == [first, second, third]
    skipped = (tmp_path / "out/unreadable.txt").read_text(encoding="utf-8").splitlines()
    assert skipped == [first, second, third]
    assert "3 images could not be read and are left out" in (tmp_path / "out/summary.md").read_text()
    assert rows_of(tmp_path / "out", "accuracy") == {"train": (1, 6)}


def test_a_class_of_unreadable_files_alone(refused, tmp_path, images):
    for file in (images / "red").iterdir():
        file.write_bytes(b"")
    line = refused(images, *write_nets(tmp_path), "--skip-unreadable")
    assert line == "no image of class 'red' can be read; mend them, or leave the class out"
