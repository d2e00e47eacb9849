import json
from pathlib import Path

import numpy as np
import pytest

from masktune.bench import Common, Plan, Source, in_process, open_bench, run_bench, run_one
from masktune.bench.jobs import FAILED, attempt
from masktune.errors import DataNotFound, InputError, RunFolderError, StorageError
from masktune.evaluation import compare_worst_groups
from masktune.methods import ERM
from masktune.methods import erm as erm_module
from masktune.runs import RunFolder, load_predictions
from masktune.types import Step

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*masks hide nothing"),
    pytest.mark.filterwarnings("ignore:jtt's first training"),
]

EXAMPLE = Path(__file__).parents[2] / "examples/07_own_method.py"

BROKEN = """
class Broken:
    name = "broken"
    supervision = "none"

    def fit(self, task):
        raise ZeroDivisionError("no\\nway")
"""


@pytest.fixture
def plan(small_mnist):
    """The real recipe on 256 training images, two epochs, one thread."""

    def make(**changed):
        given = {"methods": ("erm", "masktune"), "seeds": (0,), "threads": 1}
        common = changed.pop("common", Common(epochs=2, batch_size=32))
        sources = (Source("biased-mnist", str(small_mnist)),)
        return Plan(**{"sources": sources, "common": common} | given | changed)

    return make


@pytest.fixture
def trainings(monkeypatch):
    """How often ERM is trained from the start."""
    counted = []
    plain = erm_module.train_to_end

    def train_to_end(state, *given, **more):
        if more.get("path") is None or not more["path"].exists():
            counted.append(str(more.get("path")))
        return plain(state, *given, **more)

    monkeypatch.setattr(erm_module, "train_to_end", train_to_end)
    return counted


def bits(results):
    """All but how long it took."""
    return [{**row.to_json(), "seconds": None} for row in results.rows]


def test_stage_1_is_trained_once_for_all_that_start_from_it(plan, tmp_path, trainings):
    methods = ("masktune", "continue_erm", "random_mask", "dfr", "last_layer_balanced")
    run_bench(open_bench(plan(methods=methods, seeds=(0, 1)), tmp_path / "out"), tmp_path / "out")
    assert len(trainings) == 2
    assert {Path(path).parts[-3] for path in trainings} == {"seed-0", "seed-1"}


def test_a_job_is_named_by_its_content(plan, tmp_path):
    first = {job.method: job for job in open_bench(plan(), tmp_path).jobs}
    again = {job.method: job for job in open_bench(plan(), tmp_path).jobs}
    assert first["erm"].name == again["erm"].name
    assert first["erm"].name.startswith("biased-mnist-seed0-erm-")
    others = [
        plan(threads=2),
        plan(seeds=(1,)),
        plan(budget="equal"),
        plan(common=Common(epochs=3, batch_size=32)),
    ]
    names = [open_bench(one, tmp_path).jobs[0].name for one in others]
    assert len({first["erm"].name, *names}) == 5


def test_erm_is_always_run_and_comes_first(plan, tmp_path):
    jobs = open_bench(plan(methods=("random_mask", "masktune", "group_dro")), tmp_path).jobs
    assert [job.method for job in jobs] == ["erm", "masktune", "random_mask", "group_dro"]
    needs = {job.method: job.needs for job in jobs}
    by_method = {job.method: job.name for job in jobs}
    assert needs == {
        "erm": (),
        "masktune": (by_method["erm"],),
        "random_mask": (by_method["masktune"],),  # Its maps.
        "group_dro": (),
    }


def test_what_is_finished_is_not_run_again_and_more_may_be_asked_for(plan, tmp_path, trainings):
    out = tmp_path / "out"
    first = run_bench(open_bench(plan(), out), out)
    steps: list[Step] = []
    again = run_bench(open_bench(plan(), out), out, progress=steps.append)
    assert not steps
    assert bits(again.results) == bits(first.results)
    grown = run_bench(open_bench(plan(methods=("suby",)), out), out)
    assert [job.method for job in grown.bench.jobs] == ["erm", "masktune", "suby"]
    assert bits(first.results) == bits(grown.results)[: len(first.rows)]
    assert len(trainings) == 1


def test_a_failed_job_is_a_row_and_stops_no_other(plan, tmp_path):
    (tmp_path / "mine.py").write_text(BROKEN)
    out = tmp_path / "out"
    typed = f"{tmp_path}/mine.py:Broken"
    benched = run_bench(open_bench(plan(methods=(typed, "masktune")), out), out)
    (name,) = benched.failed
    assert benched.failed[name] == "ZeroDivisionError: no way"
    rows = [row for row in benched.rows if row.method == "broken"]
    assert [(row.value, row.n, row.metric, row.config) for row in rows] == [(None, 0, "accuracy", "failed")]
    assert {row.method for row in benched.rows} == {"erm", "masktune", "broken"}
    said = json.loads((out / "models/biased-mnist/seed-0/broken" / FAILED).read_text())
    assert said["job"] == name
    assert any("mine.py" in line for line in said["trace"])


MENDED = "from masktune.methods import ERM; return ERM().fit(task)"


def test_a_diverged_stage_1_fails_those_that_start_from_it_and_no_others(plan, tmp_path, monkeypatch):
    from masktune.errors import TrainingDiverged

    def fit(method, task):
        raise TrainingDiverged("the loss is no longer a finite number")

    monkeypatch.setattr(ERM, "fit", fit)
    out = tmp_path / "out"
    benched = run_bench(open_bench(plan(methods=("masktune", "suby")), out), out)
    why = {name.split("-seed0-")[1].rsplit("-", 1)[0]: said for name, said in benched.failed.items()}
    assert why["erm"] == "the loss is no longer a finite number"
    assert "failed, which it needs: the loss is no longer a finite number" in why["masktune"]
    assert {row.method for row in benched.rows if row.value is not None} == {"suby"}


def test_a_full_disk_stops_all(plan, tmp_path, monkeypatch):
    def fit(method, task):
        raise StorageError("no space left on device")

    monkeypatch.setattr(ERM, "fit", fit)
    out = tmp_path / "out"
    with pytest.raises(StorageError, match="no space left"):
        run_bench(open_bench(plan(), out), out)
    assert not (out / "results.json").exists()


def test_a_method_of_ones_own_in_one_file(plan, tmp_path):
    assert len(EXAMPLE.read_text().splitlines()) <= 40
    out = tmp_path / "out"
    benched = run_bench(open_bench(plan(methods=(f"{EXAMPLE}:Cutout",)), out), out)
    rows = {row.split: row for row in benched.rows if (row.method, row.metric) == ("cutout", "accuracy")}
    assert set(rows) == {"validation", "raw", "aligned", "conflicting"}
    assert rows["raw"].supervision == "none"
    assert benched.done["biased-mnist", 0, "cutout"].samples == 2 * 256


def test_the_name_of_a_job_names_no_place_in_memory(plan, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(BROKEN)
    methods = (f"{file}:Broken",)
    first, again = (open_bench(plan(methods=methods), tmp_path / "out").jobs[1].name for _ in range(2))
    assert first == again
    file.write_text(BROKEN + "# Another file is another job.")
    assert open_bench(plan(methods=methods), tmp_path / "out").jobs[1].name != first


def test_a_method_whose_file_changed_is_not_taken_for_the_old_one(plan, tmp_path):
    file, out = tmp_path / "mine.py", tmp_path / "out"
    file.write_text(BROKEN.replace('raise ZeroDivisionError("no\\nway")', MENDED))
    methods = (f"{file}:Broken",)
    assert not run_bench(open_bench(plan(methods=methods), out), out).failed
    file.write_text(file.read_text() + "# Another file is another method.")
    with pytest.raises(RunFolderError, match=r"seed-0/broken holds another broken.*delete that folder"):
        run_bench(open_bench(plan(methods=methods), out), out)


def test_jobs_one_by_one_give_the_same_rows(plan, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    methods = ("masktune", "random_mask", "suby")
    expected = run_bench(open_bench(plan(methods=methods), whole), whole)
    # The last one first: what it needs is done before it.
    for job in reversed(open_bench(plan(methods=methods), parts).jobs):
        outcome = run_one(open_bench(plan(methods=methods), parts), job.name, parts)
        assert outcome.failed is None
    gathered = run_bench(open_bench(plan(methods=methods), parts), parts)
    assert bits(gathered.results) == bits(expected.results)


def test_two_processes_are_never_at_one_job(plan, tmp_path):
    out = tmp_path / "out"
    bench = open_bench(plan(), out)
    folder = RunFolder.join(
        out, command="bench", argv=[], settings=bench.settings, data=bench.data, threads=1, device="cpu"
    )
    seen = []

    class Beside(ERM):
        def fit(self, task):
            with pytest.raises(RunFolderError, match="in use by another masktune process"):
                attempt(bench, bench.jobs[0], folder)
            seen.append(task.seed)
            return super().fit(task)

    bench.methods["biased-mnist"]["erm"] = Beside()
    assert attempt(bench, bench.jobs[0], folder).failed is None
    assert seen == [0]


def test_the_budget_is_kept(plan, tmp_path):
    out = tmp_path / "out"
    methods = ("masktune", "group_dro", "lff", "jtt", "suby")
    common = Common(epochs=2, batch_size=128)  # After two steps some images are still wrong, as jtt wants.
    benched = run_bench(open_bench(plan(methods=methods, budget="equal", common=common), out), out)
    samples = {method: benched.done["biased-mnist", 0, method].samples for method in ("erm", *methods)}
    budget = 3 * 256  # Two epochs of ERM, and one of tuning.
    assert samples["erm"] == 2 * 256
    assert samples["masktune"] == budget
    assert samples["group_dro"] == budget
    assert samples["lff"] == 2 * 256  # One epoch of two nets; a second one would be too much.
    assert samples["suby"] <= budget < samples["suby"] + 256
    assert {row.config for row in benched.rows} == {"batch_size=128, epochs=2, budget=equal"}


def test_samples_are_counted_by_hand_for_each_kind_of_method(plan, tmp_path):
    out = tmp_path / "out"
    methods = ("masktune", "dfr", "group_dro", "lff", "jtt", "xrm", "afr")
    common = Common(epochs=2, batch_size=128)
    benched = run_bench(open_bench(plan(methods=methods, common=common), out), out)
    samples = {method: benched.done["biased-mnist", 0, method].samples for method in ("erm", *methods)}
    n, validation = 256, 64
    assert samples["erm"] == 2 * n
    assert samples["masktune"] == 3 * n
    assert samples["dfr"] == 2 * n + validation
    assert samples["group_dro"] == 2 * n
    assert samples["lff"] == 2 * 2 * n
    wrong = len(json.loads((out / "models/biased-mnist/seed-0/jtt/errors.json").read_text())["ids"])
    assert samples["jtt"] == n + 2 * (n + 50 * wrong)  # One epoch to find them, two with copies.
    assert samples["xrm"] == 2 * 2 * n + 2 * n
    assert samples["afr"] < 2 * n + n


def test_the_table_holds_both_baselines_against_each_method(plan, tmp_path):
    from masktune.bench import standings

    out = tmp_path / "out"
    benched = run_bench(open_bench(plan(methods=("masktune", "continue_erm"), seeds=(0, 1)), out), out)
    (table,) = standings(benched)
    assert (table.dataset, table.variant, table.net, table.split) == (
        "biased-mnist",
        "sorted",
        "SmallCNN",
        "conflicting",
    )
    lines = {line.method: line for line in table.lines}
    assert set(lines["masktune"].against) == {"erm", "continue_erm"}
    assert not lines["erm"].against  # That is told in the other one's row, and corrected for once.
    assert set(lines["continue_erm"].against) == {"erm"}

    def worst(method):
        """Of each seed, from the stored logits alone."""
        found = []
        for seed in (0, 1):
            stored = np.load(out / f"models/biased-mnist/seed-{seed}/{method}/predictions/conflicting.npz")
            right = stored["logits"].argmax(1) == stored["labels"]
            found.append({group: right[stored["groups"] == group] for group in set(stored["groups"])})
        return found

    by_seed = worst("masktune")
    each = [min(right.mean() for right in groups.values()) for groups in by_seed]
    assert lines["masktune"].worst.cell.mean == pytest.approx(np.mean(each), abs=1e-12)
    names = [min(sorted(groups), key=lambda group: groups[group].mean()) for groups in by_seed]
    assert lines["masktune"].worst.group in names
    assert lines["masktune"].worst.seeds == names.count(lines["masktune"].worst.group)
    assert lines["masktune"].worst.rate.value == pytest.approx(np.mean(each), abs=1e-12)
    assert lines["masktune"].worst.images == len(by_seed[0][lines["masktune"].worst.group])
    before = [min(right.mean() for right in groups.values()) for groups in worst("erm")]
    difference = np.mean(each) - np.mean(before)
    assert lines["masktune"].against["erm"].comparison.difference == pytest.approx(difference, abs=1e-12)


def test_one_seed_is_compared_as_two_predictions_are(plan, tmp_path):
    from masktune.bench import standings

    out = tmp_path / "out"
    (table,) = standings(run_bench(open_bench(plan(), out), out))
    said = {
        name: load_predictions(out / f"models/biased-mnist/seed-0/{name}/predictions/conflicting.npz")
        for name in ("erm", "masktune")
    }
    expected = compare_worst_groups(said["erm"], said["masktune"])
    found = next(line for line in table.lines if line.method == "masktune").against["erm"].comparison
    assert (found.difference, found.gained, found.lost) == (
        expected.difference,
        expected.gained,
        expected.lost,
    )
    assert found.p_value == pytest.approx(expected.p_value, abs=0.02)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"methods": ("masktun",)},
            "unknown method 'masktun' (did you mean 'masktune'?); there are erm, continue_erm",
        ),
        ({"methods": ()}, "expected at least one method, got none"),
        ({"methods": ("erm", "erm")}, "expected each method once, got erm erm"),
        ({"seeds": ()}, "expected one seed or more"),
        ({"seeds": (1, 1)}, "expected each seed once, got (1, 1)"),
        ({"seeds": (-1,)}, "expected one seed or more, from 0"),
        ({"threads": 0}, "expected at least 1 thread a job, got 0"),
        ({"sources": ()}, "expected at least one data set, got none"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_a_plan_checks_itself(plan, changed, sentence):
    with pytest.raises(InputError) as caught:
        plan(**changed)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("word", "kind", "sentence"),
    [
        ("biased-digit", InputError, "unknown data set 'biased-digit' (did you mean 'biased-digits'"),
        (
            "waterbirds",
            InputError,
            "expected waterbirds=FOLDER, where waterbirds lies, got 'waterbirds' alone",
        ),
        ("waterbirds=/no/such", DataNotFound, "there is no /no/such to find waterbirds in"),
        ("waterbird=/tmp", InputError, "unknown data set 'waterbird=/tmp' (did you mean 'waterbirds'"),
    ],
)
def test_a_data_set_that_is_none(word, kind, sentence):
    with pytest.raises(kind) as caught:
        Source.typed(word)
    assert str(caught.value).startswith(sentence)


def test_data_of_ones_own_need_a_model(tmp_path):
    (tmp_path / "photos").mkdir()
    plan = Plan(sources=(Source.typed(str(tmp_path / "photos")),))
    with pytest.raises(InputError, match=r"expected --model for .*photos, which is data of your own"):
        open_bench(plan, tmp_path / "out")


def test_the_folder_of_another_bench_is_refused(plan, tmp_path):
    out = tmp_path / "out"
    run_bench(open_bench(plan(methods=("erm",)), out), out)
    other = plan(methods=("erm",), common=Common(epochs=1, batch_size=32))
    with pytest.raises(RunFolderError, match=r"holds another run: biased-mnist: training.epochs was 2, is 1"):
        run_bench(open_bench(other, out), out)


def test_own_methods_are_checked_before_anything_is_trained(plan, tmp_path):
    file = tmp_path / "mine.py"
    for body, sentence in [
        ("class Mine:\n    pass", "to make a method, with name, supervision and fit"),
        (BROKEN.replace('"broken"', '"masktune"'), "bears the name of a method of masktune, 'masktune'"),
        (BROKEN.replace('"broken"', '"My Method"'), "to have a name of a-z, 0-9 and _, got 'My Method'"),
        (BROKEN.replace('"none"', '"some"'), "to declare supervision as one of none, validation_groups"),
    ]:
        file.write_text(body.replace("class Broken", "class Mine"))
        with pytest.raises(InputError, match=sentence):
            open_bench(plan(methods=(f"{file}:Mine",)), tmp_path / "out")


def test_an_unknown_job_names_near_ones(plan, tmp_path):
    bench = open_bench(plan(), tmp_path)
    name = bench.jobs[0].name
    with pytest.raises(InputError, match=f"did you mean '{name}'"):
        bench.job(name[:-1])


def test_199_of_200_finished_jobs_are_read_in_3_seconds(plan, tmp_path):
    import time

    out = tmp_path / "out"
    bench = open_bench(plan(methods=("erm",)), out)
    run_bench(bench, out)
    model = out / "models/biased-mnist/seed-0/erm"
    rows = (model / "rows.json").read_text()
    for seed in range(1, 199):
        place = out / f"models/biased-mnist/seed-{seed}/erm"
        place.mkdir(parents=True)
        (place / "rows.json").write_text(rows)
    start = time.perf_counter()
    many = open_bench(plan(methods=("erm",), seeds=tuple(range(200))), out)
    assert len(many.jobs) == 200
    asked = []

    def engine(bench, jobs, folder, progress):
        asked.append((time.perf_counter() - start, [job.seed for job in jobs]))
        yield from in_process(bench, jobs, folder, progress)

    run_bench(many, out, engine=engine)
    ((seconds, seeds),) = asked
    assert seeds == [199]
    assert seconds < 3
