import json
from dataclasses import replace

import pytest

from masktune.errors import DataDamaged, MasktuneWarning, RunFolderError, StorageError
from masktune.runs import DataRecord, folder, read_record
from masktune.runs.versions import versions

from .fakes import DATA, all_rows, open_run, settings


def refusal(path, **changed):
    with pytest.raises(RunFolderError) as caught:
        open_run(path, **changed)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(path), "OUT")


def test_run_json_is_there_first_with_the_keys_of_the_contract(tmp_path):
    with open_run(tmp_path / "a" / "out", weights_sha256="cd" * 32) as run:
        assert [entry.name for entry in run.path.iterdir() if entry.suffix == ".json"] == ["run.json"]
        entries = json.loads((run.path / "run.json").read_text())
        assert read_record(run.path / "run.json") == run.record
    assert list(entries) == [
        *("schema", "command", "argv", "settings", "versions", "data"),
        *("weights_sha256", "threads", "device", "started"),
    ]
    assert entries["schema"] == "masktune.run/1"
    assert entries["settings"] == settings()
    assert entries["versions"] == versions()
    assert entries["data"] == [{"name": "biased-mnist", "variant": "sorted", "sha256": "ab" * 32}]
    assert entries["started"].endswith("+00:00")


def test_the_same_run_goes_on_and_keeps_its_record(tmp_path):
    with open_run(tmp_path) as run:
        before = (tmp_path / "run.json").read_bytes()
    with open_run(tmp_path, argv=["masktune", "--quiet"], threads=8) as again:
        assert again.record == run.record
        assert again.threads == 2  # Bits depend on the number of threads.
    assert (tmp_path / "run.json").read_bytes() == before


def test_seeds_and_methods_may_grow_and_never_shrink(tmp_path):
    with open_run(tmp_path):
        pass
    with open_run(tmp_path, settings=settings(seeds=[2, 0], methods=["dfr"]), argv=["more"]) as run:
        assert run.settings["seeds"] == [0, 1, 2]
        assert run.settings["methods"] == ["erm", "masktune", "dfr"]
    assert read_record(tmp_path / "run.json") == run.record
    assert run.record.argv == ["more"]


def test_tuples_and_paths_among_the_settings_are_no_difference(tmp_path):
    for _ in range(2):
        with open_run(tmp_path / "out", settings={"at": tmp_path, "size": (3, 4), "seeds": (0,)}) as run:
            assert run.settings == {"at": str(tmp_path), "size": [3, 4], "seeds": [0]}


def test_results_are_there_only_when_all_that_was_asked_for_is_done(tmp_path):
    with open_run(tmp_path) as run:
        run.write_results(all_rows())
        assert run.read_results().rows == all_rows()
        assert run.read_results().command == "reproduce"
    with open_run(tmp_path) as run:
        assert run.results_path.exists()
    with open_run(tmp_path, settings=settings(seeds=[2])) as run:
        assert not run.results_path.exists()  # It has one seed more to do.


def test_results_go_before_the_record_asks_for_more(tmp_path, monkeypatch):
    with open_run(tmp_path) as run:
        run.write_results(all_rows())

    def full(path, _value):
        raise StorageError(f"cannot write {path}: the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(folder, "write_json", full)
        with pytest.raises(StorageError):
            open_run(tmp_path, settings=settings(seeds=[2]))
    assert not run.results_path.exists()
    assert read_record(tmp_path / "run.json") == run.record


def test_the_places_of_files(tmp_path):
    with open_run(tmp_path) as run:
        assert run.model_folder("celeba", 3, "dfr") == tmp_path / "models/celeba/seed-3/dfr"
        path = run.predictions_path("celeba", 3, "dfr", "test")
        assert path == tmp_path / "models/celeba/seed-3/dfr/predictions/test.npz"


def test_a_strangers_part_file_is_another_file(tmp_path):
    (tmp_path / ".video.part").touch()
    assert refusal(tmp_path).startswith("OUT holds other files (.video.part)")
    (tmp_path / ".video.part").rename(tmp_path / ".results.json.0123abcd.part")  # Ours, left by a kill.
    with open_run(tmp_path):
        assert not list(tmp_path.glob(".*.part"))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / ".video.part").touch()
    open_run(tmp_path).close()
    assert (tmp_path / "models" / ".video.part").exists()  # A stranger's in our folder is left alone.


def test_other_files_are_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("dear")
    message = refusal(tmp_path)
    assert message == "OUT holds other files (thesis.tex) and no run of masktune; choose an empty folder"
    (tmp_path / "a.txt").touch()
    assert "(a.txt and 1 more)" in refusal(tmp_path)
    assert {entry.name for entry in tmp_path.iterdir()} == {"thesis.tex", "a.txt"}


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"command": "tune"}, "the command was 'reproduce', is 'tune'"),
        ({"settings": settings(epochs=20)}, "epochs was 10, is 20"),
        (
            {"settings": settings(epochs=2, preset="paper")},
            "epochs was 10, is 2; preset was 'default', is 'paper'",
        ),
        (
            {"settings": settings(a=1, b=2, c=3, d=4, epochs=2)},
            "a was None, is 1; b was None, is 2; c was None, is 3; and 2 more settings",
        ),
        ({"settings": settings(layer="layer4")}, "layer was None, is 'layer4'"),
        ({"settings": settings(seeds=None)}, "seeds was [0, 1], is None"),
        (
            {"data": [replace(DATA[0], sha256="cd" * 32)]},
            "the data were biased-mnist (sorted) abababababab, are biased-mnist (sorted) cdcdcdcdcdcd",
        ),
        (
            {"data": [DataRecord("celeba", None, "ef" * 32)]},
            "the data were biased-mnist (sorted) abababababab, are celeba efefefefefef",
        ),
        ({"weights_sha256": "beef"}, "the start weights had the sha256 None, have beef"),
    ],
)
def test_another_run_is_refused_and_says_what_differs(tmp_path, changed, difference):
    open_run(tmp_path).close()
    before = (tmp_path / "run.json").read_bytes()
    expected = f"OUT holds another run: {difference}; choose another folder, or repeat that run to go on"
    assert refusal(tmp_path, **changed) == expected
    assert (tmp_path / "run.json").read_bytes() == before
    open_run(tmp_path).close()  # The refused one has not kept the lock.


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "nonsense", '{"schema": "masktune.run/1"}', '{"schema": "masktune.run/1", "a": 1}'],
)
def test_a_damaged_run_json_is_refused(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    expected = (
        "OUT/run.json is damaged, so the run cannot go on; choose another folder, or move this one away"
    )
    assert refusal(tmp_path) == expected


def test_other_versions_of_the_formats_are_refused(tmp_path):
    (tmp_path / "run.json").write_text('{"schema": "masktune.run/2"}')
    message = refusal(tmp_path)
    assert "OUT/run.json has the schema 'masktune.run/2', this masktune reads 'masktune.run/1'" in message
    (tmp_path / "run.json").unlink()
    open_run(tmp_path).close()
    (tmp_path / "results.json").write_text('{"schema": "masktune.results/9"}')
    message = refusal(tmp_path)
    assert "OUT/results.json has the schema 'masktune.results/9', this masktune reads" in message
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(DataDamaged, match=r"results\.json is damaged"):
        open_run(tmp_path)


def test_a_change_of_versions_or_device_is_said(tmp_path):
    open_run(tmp_path).close()
    entries = json.loads((tmp_path / "run.json").read_text())
    entries["versions"]["torch"] = "1.0"
    (tmp_path / "run.json").write_text(json.dumps(entries))
    with pytest.warns(
        MasktuneWarning, match=r"torch was 1\.0, is .*; device was cpu, is cuda\), so its numbers"
    ):
        open_run(tmp_path, device="cuda").close()


def test_leftovers_of_a_killed_writer_are_ignored_and_cleaned(tmp_path):
    (tmp_path / ".run.json.0a1b2c3d.part").write_text("{")
    with open_run(tmp_path) as run:
        assert not (tmp_path / ".run.json.0a1b2c3d.part").exists()
        leftover = run.model_folder("celeba", 0, "erm") / ".weights.safetensors.00ff00ff.part"
        leftover.parent.mkdir(parents=True)
        leftover.touch()
    open_run(tmp_path).close()
    assert not leftover.exists()


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(StorageError, match=r"cannot make the folder .*out: file exists"):
        open_run(tmp_path / "out")
