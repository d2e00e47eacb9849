"""`masktune report` as it is typed, for trials: by what the run was, and its statement."""

import json
import re
import shutil

import pytest
from tests.report.scans import scan_of
from tests.report.test_trial_files import record_of, run_of
from tests.report.trials import trial_of

from masktune.cli import main
from masktune.report import Told, write_scan


@pytest.fixture
def typed(capsys):
    """Type `masktune report`; returns exit code, stdout, stderr."""

    def call(*words):
        with pytest.raises(SystemExit) as left:
            main(["report", *map(str, words)])
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return call


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return run_of(tmp_path_factory.mktemp("trials") / "done", trial_of())


@pytest.fixture
def tuned(done, tmp_path):
    return shutil.copytree(done, tmp_path / "tuned")


def test_a_trials_report_is_drawn_again_without_pictures_or_names(tuned, typed):
    (tuned / "report.html").unlink()
    code, out, err = typed(tuned, "--no-images", "--pseudonymous-ids")
    assert (code, out, err) == (0, f"Written: {tuned / 'report.html'}\n", "")
    html = (tuned / "report.html").read_text()
    assert "masktune tune" in html
    assert "may leave the building" in html
    assert "/home/mueller" not in (tuned / "MODEL_CARD.md").read_text()
    code, _, err = typed(tuned)
    assert code == 0
    assert err.count("type its tune again without --") == 2


def test_the_statement_is_one_paragraph_and_nothing_is_written(tuned, typed):
    before = {path.name: path.read_bytes() for path in tuned.iterdir()}
    code, out, err = typed(tuned, "--statement")
    assert (code, err) == (0, "")
    assert out.startswith("The trial was run on ")
    assert out.count("\n") == 1
    assert {path.name: path.read_bytes() for path in tuned.iterdir()} == before


def test_a_statement_without_names_where_the_report_has_none(tuned, typed):
    assert "Data: pets (" in typed(tuned, "--statement")[1]
    typed(tuned, "--pseudonymous-ids")
    assert "Data: a data set (" in typed(tuned, "--statement")[1]


def test_a_trial_without_a_record_is_known_by_its_files(tuned, typed):
    (tuned / "run.json").unlink()
    assert typed(tuned)[0] == 0
    assert "masktune tune" in (tuned / "report.html").read_text()


@pytest.mark.parametrize(
    ("make", "words", "said"),
    [
        ("scan", ("--statement",), r"expected the folder of a trial for --statement, got .*tune --out`$"),
        (
            "empty",
            (),
            r"expected the folder of a finished scan or trial, got .*run, which holds neither",
        ),
        ("absent", (), r"expected the folder of a finished scan or trial, got .*run, which does not exist; "),
        ("empty", ("--statement",), r"expected the folder of a finished scan or trial, got"),
        ("mask", (), r"expected the folder of a scan or a trial, got one of `masktune mask`"),
        ("half", (), r"no finished trial in .*; give the folder of `masktune tune --out`$"),
        ("two", ("--statement",), r"expected one trial for --statement, got two folders; leave the second"),
        ("damaged", (), r"the trial in .* is damaged .*type its tune again$"),
    ],
)
def test_what_is_refused_is_refused_in_one_line(tmp_path, done, typed, make, words, said):
    run = tmp_path / "run"
    if make != "absent":
        run.mkdir()
    if make == "scan":
        write_scan(run, scan_of(), Told(images=False))
    elif make in ("mask", "half"):
        record = record_of().to_json() | {"command": "mask" if make == "mask" else "tune"}
        (run / "run.json").write_text(json.dumps(record))
    elif make == "damaged":
        shutil.copytree(done, run, dirs_exist_ok=True)
        (run / "trial.npz").write_bytes(b"PK")
    elif make == "two":
        words = (run, *words)
    code, out, err = typed(run, *words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert re.search(said, err.removeprefix("error: ").rstrip())
