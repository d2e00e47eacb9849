import json
from pathlib import Path

import pytest

from data.official import layouts
from masktune.cli import main


@pytest.fixture
def data(capsys, no_network):
    """`masktune data`; returns (exit code, stdout, stderr)."""

    def call(*words):
        with pytest.raises(SystemExit) as left:
            main(["data", *map(str, words)])
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return call


def test_list_names_every_data_set_and_its_layouts(data):
    code, out, _ = data("list")
    assert code == 0
    for name in ("waterbirds", "celeba", "imagenet9", "cifar10", "svhn", "cats-vs-dogs"):
        assert f"\n{name} " in f"\n{out}"
    assert "waterbirds_v1.0/ (WILDS)" in out
    assert "\nmnist " in out


def test_check_prints_counts_and_the_variant(data, tmp_path):
    code, out, err = data("check", "waterbirds", layouts.waterbirds(tmp_path))
    assert code == 0
    assert "variant subset-" in out
    assert "not whole" in out
    assert "waterbird on water" in out
    assert "note: labels follow the official rule" in out
    assert max(map(len, [line for line in out.splitlines() if "─" in line])) <= 80
    assert err == ""


def test_the_widest_table_keeps_its_names(data, tmp_path):
    _, out, _ = data("check", "imagenet9", layouts.imagenet9(tmp_path, "both"))
    assert "musical instrument" in out
    assert "…" not in out


def test_check_as_json(data, tmp_path):
    code, out, _ = data("check", "celeba", layouts.celeba(tmp_path), "--target", "Smiling", "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["name"], found["whole"]) == ("celeba", False)
    assert sum(row["n"] for row in found["rows"]) == len(layouts.FACES)


def test_missing_files_are_one_line_and_all_of_them_where_asked_for(data, tmp_path):
    home = layouts.waterbirds(tmp_path)
    gone = [row["img_filename"] for row in layouts.bird_rows()][:5]
    for name in gone:
        (home / name).unlink()
    code, out, err = data("check", "waterbirds", home)
    assert (code, out) == (2, "")
    assert err.startswith("error: expected waterbirds in ")
    assert err.count("\n") == 1
    assert "and 2 more" in err
    assert data("check", "waterbirds", home, "--json") == (2, "", err)
    code, out, listed = data("check", "waterbirds", home, "--list-missing")
    assert (code, out) == (2, "")
    assert listed == "".join(f"missing: {name}\n" for name in gone) + err


def test_as_json_a_column_that_is_missing_is_an_error_as_everywhere(data, tmp_path):
    home = layouts.waterbirds(tmp_path)
    layouts.write_rows(home / "metadata.csv", [{"img_filename": "a.jpg", "y": 0}])
    code, out, err = data("check", "waterbirds", home, "--json")
    assert (code, out) == (2, "")
    assert err.startswith("error: expected the columns img_filename, y, split, place in ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("json_too", [(), ("--json",)])
def test_images_that_cannot_be_decoded_are_all_named(data, tmp_path, json_too):
    home = layouts.waterbirds(tmp_path)
    birds = sorted(home / row["img_filename"] for row in layouts.bird_rows())[:5]
    for path in birds:
        path.write_bytes(b"")
    assert data("check", "waterbirds", home, "--quiet")[0] == 0
    code, out, err = data("check", "waterbirds", home, "--decode", "--quiet", *json_too)
    assert code == 2
    *named, last = err.splitlines()
    assert named == [f"{path} is empty (0 bytes)" for path in birds]
    assert last == (
        f"error: expected 24 images that can be read, but 5 cannot: {birds[0]} is empty (0 bytes) and 4 "
        "more; get them again, or remove them"
    )
    if json_too:
        assert json.loads(out)["unreadable"] == named
    else:
        assert "waterbird on water" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("waterbrids", "."), "no data set 'waterbrids' (did you mean 'waterbirds'?)"),
        (("waterbirds", "nowhere"), "no folder nowhere"),
        (("waterbirds", ".", "--target", "Male"), "waterbirds has no option 'target'"),
        (("waterbirds", ".", "--jsn"), "Unknown option: --jsn. Did you mean --json?"),
        (("waterbirds",), "`masktune data check` needs ROOT"),
        ((), "`masktune data check` needs NAME"),
        (("mnist", "."), "got 'mnist': its four files have known hashes, and `masktune data get mnist ROOT`"),
    ],
)
def test_mistakes_are_one_line(data, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    code, out, err = data("check", *words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1


def test_nothing_is_written(data, tmp_path):
    home = layouts.svhn(tmp_path)
    before = sorted(path for path in Path(tmp_path).rglob("*"))
    data("check", "svhn", home, "--decode", "--quiet")
    assert sorted(path for path in Path(tmp_path).rglob("*")) == before
