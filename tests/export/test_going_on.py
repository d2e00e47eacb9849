"""The same command goes on where it stopped, and gives the same bytes; another one is refused."""

import json

import pytest

from masktune.errors import DataDamaged
from masktune.export import chunks
from masktune.export.work import Work

from .colours import SHARE, files_in, write_folder, write_nets


@pytest.fixture
def words(tmp_path, monkeypatch):
    """Ten images, four to a chunk: three chunks."""
    monkeypatch.setattr(chunks, "SIZE", 4)
    folder = write_folder(tmp_path / "images", {"blue": 5, "red": 5})
    return [folder, *write_nets(tmp_path), "--top", SHARE, "--batch-size", 2, "--out", tmp_path / "out"]


@pytest.fixture
def made(monkeypatch):
    """Positions of the images that are explained, in order."""
    plain, seen = Work.batch, []

    def batch(work, positions):
        seen.extend(positions.tolist())
        return plain(work, positions)

    monkeypatch.setattr(Work, "batch", batch)
    return seen


def contents(out):
    """The bytes of all files but run.json, which has the time, and the lock."""
    return {
        name: (out / name).read_bytes()
        for name in files_in(out)
        if name != "run.json" and not name.startswith(".")
    }


def test_nothing_is_made_twice(words, masked, made, tmp_path):
    masked(*words)
    assert made == list(range(10))
    before = contents(tmp_path / "out")
    made.clear()
    masked(*words)
    assert made == []
    assert contents(tmp_path / "out") == before


def test_a_chunk_that_is_missing_is_made_again_and_no_other(words, masked, made, tmp_path):
    masked(*words)
    out = tmp_path / "out"
    before = contents(out)
    times = {name: (out / name).stat().st_mtime_ns for name in files_in(out) if name.endswith(".png")}
    made.clear()
    (out / "chunks/00000004.npz").unlink()
    (out / "results.json").unlink()
    masked(*words)
    assert made == [4, 5, 6, 7]
    assert contents(out) == before
    again = {name for name, time in times.items() if (out / name).stat().st_mtime_ns != time}
    # In the order of ids: blue 0 to 4, red 0 to 4.
    assert again == {f"masked/{name}.png" for name in ("blue/04", "red/00", "red/01", "red/02")}


def test_interrupted_in_the_second_chunk_it_goes_on(words, mask, masked, made, tmp_path, monkeypatch):
    plain, out = Work.chunk, tmp_path / "out"

    def interrupted(work, start, stop):
        if start == 4:
            raise KeyboardInterrupt
        return plain(work, start, stop)

    with monkeypatch.context() as patched:
        patched.setattr(Work, "chunk", interrupted)
        code, out_text, err = mask(*words, "--quiet")
    assert (code, out_text) == (130, "")
    assert err.startswith("interrupted; the same command goes on")
    assert err.count("\n") == 1
    assert (out / "run.json").exists()
    assert not (out / "results.json").exists()
    assert made == [0, 1, 2, 3]
    masked(*words)
    assert made == list(range(10))
    masked(*words[:-1], tmp_path / "undisturbed")
    ours, theirs = contents(out), contents(tmp_path / "undisturbed")
    # What was typed differs by the folder.
    ours["summary.md"] = ours["summary.md"].replace(str(out).encode(), str(tmp_path / "undisturbed").encode())
    assert ours == theirs


def test_a_damaged_chunk_is_named(words, masked, mask, tmp_path):
    masked(*words)
    chunk = tmp_path / "out/chunks/00000004.npz"
    chunk.write_bytes(chunk.read_bytes()[:100])
    code, out, err = mask(*words, "--quiet")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {chunk} is damaged")
    assert "delete it, and its images run again" in err
    with pytest.raises(DataDamaged, match="is damaged"):
        chunks.Chunk.load(chunk)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--what", "masks"), "what was 'masked', is 'masks'"),
        (("--fill", "blur"), "fill was 'black', is 'blur'"),
        (("--saliency", "gradcam"), "saliency was 'auto', is 'gradcam'"),
        (("--classes", "red,blue"), "classes of the net was ['blue', 'red'], is ['red', 'blue']"),
        (("--max-images", "8"), "max_images was None, is 8"),
        (("--explain", "label"), "classes was 'predicted', is 'label'"),
    ],
)
def test_another_setting_in_the_same_folder_is_refused(words, masked, mask, tmp_path, more, said):
    masked(*words)
    before = contents(tmp_path / "out")
    code, out, err = mask(*words, *more, "--quiet")
    assert (code, out) == (2, "")
    errors = [line for line in err.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert err.splitlines()[-1].startswith(f"error: {tmp_path / 'out'} holds another run: ")
    assert said in errors[0]
    assert contents(tmp_path / "out") == before


def test_other_images_or_weights_in_the_same_folder_are_refused(words, masked, mask, tmp_path):
    masked(*words)
    turned = write_nets(tmp_path, turned=True)
    code, _, err = mask(words[0], *turned, *words[5:], "--quiet")
    assert code == 2
    assert "the start weights had the sha256" in err
    (tmp_path / "images/red/04.png").write_bytes((tmp_path / "images/red/03.png").read_bytes())
    code, _, err = mask(*words, "--quiet")
    assert code == 2
    assert "the data were images" in err


def test_changed_code_of_the_user_is_another_run(words, masked, mask, tmp_path):
    masked(*words)
    nets = tmp_path / "nets.py"
    nets.write_text(nets.read_text() + "\n# Another way to build it.\n")
    code, _, err = mask(*words, "--quiet")
    assert code == 2
    assert "sha256 of code was" in err


def test_other_threads_and_a_cache_are_the_same_run(words, masked, made, tmp_path):
    masked(*words)
    made.clear()
    before = contents(tmp_path / "out")
    masked(*words, "--workers", 1, "--cache", tmp_path / "cache")
    assert made == []
    assert contents(tmp_path / "out") == before
    masked(*words[:-1], tmp_path / "cached", "--cache", tmp_path / "cache")
    cached = contents(tmp_path / "cached")
    assert {name: cached[name] for name in cached if name.startswith("masked/")} == {
        name: before[name] for name in before if name.startswith("masked/")
    }


def test_a_folder_with_other_files_is_refused_and_left_alone(words, mask, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.tex").write_text("precious")
    code, out, err = mask(*words, "--quiet")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"error: {tmp_path / 'out'} holds other files (thesis.tex)")
    assert err.count("error:") == 1
    assert files_in(tmp_path / "out") == ["thesis.tex"]


def test_a_run_writes_what_it_was_asked_first(words, masked, tmp_path):
    masked(*words)
    record = json.loads((tmp_path / "out/run.json").read_text())
    assert record["argv"] == ["mask", *map(str, words), "--quiet"]


def test_other_labels_or_names_of_the_same_images_are_another_run(words, masked, mask, tmp_path):
    masked(*words)
    (tmp_path / "images/red/04.png").rename(tmp_path / "images/red/4.png")
    code, _, err = mask(*words, "--quiet")
    assert code == 2
    assert "the data were images" in err
    (tmp_path / "images/red/4.png").rename(tmp_path / "images/red/04.png")
    masked(*words)
    # In the order of ids it stays the fifth file.
    (tmp_path / "images/blue/04.png").rename(tmp_path / "images/red/00 0.png")
    code, _, err = mask(*words, "--quiet")
    assert code == 2
    assert "the data were images" in err
