"""The jobs of a bench on a real Ray cluster of two nodes, one of which is killed in the middle."""

import os
import time
from pathlib import Path

import pytest

from masktune.bench import Common, OnRay, Plan, Source, open_bench, run_bench
from masktune.errors import InputError, MissingExtra

ray = pytest.importorskip("ray")

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*masks hide nothing"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    # One cluster a test session: with pytest -n all tests of this file go to one process.
    pytest.mark.xdist_group("ray"),
    pytest.mark.timeout(900),  # Each worker imports torch, on cores that other tests use too.
]

WAITING = '''
"""ERM that says where it runs, and waits the first time until somebody has killed that place."""

import os
import time
from pathlib import Path

import ray

from masktune.methods import ERM

NOTE = Path(__file__).with_name("runs_on")


class Waiting:
    name = "waiting"
    supervision = "none"

    def fit(self, task):
        first = not NOTE.exists()
        with NOTE.open("a") as file:
            file.write(ray.get_runtime_context().get_node_id() + "\\n")
        if first:
            time.sleep(600)
        return ERM().fit(task)


class Dying:
    name = "dying"
    supervision = "none"

    def fit(self, task):
        os._exit(1)


class Failing:
    name = "failing"
    supervision = "none"

    def fit(self, task):
        raise ValueError("not today")
'''


@pytest.fixture(scope="module")
def cluster():
    """A head without CPUs, for it must live on, and two nodes of one CPU each."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    small = {"object_store_memory": 80 * 2**20}
    try:
        made = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **small}
        )
    except Exception as error:  # noqa: BLE001 - a sandbox without shared memory, say: not ours to mend.
        pytest.skip(f"Ray cannot start here: {error}")
    nodes = [made.add_node(num_cpus=1, **small) for _ in range(2)]
    yield made, nodes
    ray.shutdown()
    made.shutdown()


@pytest.fixture
def plan(small_mnist):
    def make(methods, **changed):
        sources = (Source("biased-mnist", str(small_mnist)),)
        common = Common(epochs=1, batch_size=64)
        given = {"sources": sources, "common": common, "seeds": (0,), "threads": 1}
        return Plan(**given | {"methods": methods} | changed)

    return make


def bits(results):
    return [{**row.to_json(), "seconds": None} for row in results.rows]


def test_a_node_dies_and_the_rows_are_those_of_one_process(cluster, plan, tmp_path):
    made, nodes = cluster
    mine = tmp_path / "mine.py"
    mine.write_text(WAITING)
    typed = tuple(f"{mine}:{name}" for name in ("Waiting", "Failing"))
    chosen = plan(("masktune", "suby", *typed))
    out = tmp_path / "ray"
    killed = []

    def progress(step):
        """Once the waiting job is at work, its node goes down."""
        note = tmp_path / "runs_on"
        if note.exists() and not killed:
            (node,) = [one for one in nodes if one.node_id == note.read_text().split()[0]]
            killed.append(node)
            made.remove_node(node, allow_graceful=False)

    engine = OnRay(address=made.address, retries=3)
    found = run_bench(open_bench(chosen, out), out, engine=engine, progress=progress)
    assert killed
    places = (tmp_path / "runs_on").read_text().split()
    assert places[0] == killed[0].node_id
    assert places[-1] != killed[0].node_id
    (failed,) = found.failed.items()
    assert failed == (
        next(job.name for job in found.bench.jobs if job.method == "failing"),
        "ValueError: not today",
    )

    alone = tmp_path / "alone"
    expected = run_bench(open_bench(chosen, alone), alone)
    assert bits(found.results) == bits(expected.results)
    assert {row.method for row in found.rows if row.value is not None} == {
        "erm",
        "masktune",
        "suby",
        "waiting",
    }


def test_a_worker_that_dies_again_and_again_is_a_failed_row(cluster, plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # A relative path is meant from here, wherever workers start.
    made, _ = cluster
    mine = tmp_path / "mine.py"
    mine.write_text(WAITING)
    out = tmp_path / "out"
    chosen = plan(("mine.py:Dying", "suby"))
    found = run_bench(open_bench(chosen, out), out, engine=OnRay(address=made.address, retries=1))
    (why,) = found.failed.values()
    assert why.startswith("its worker died, again and again")
    assert {row.method for row in found.rows if row.value is not None} == {"erm", "suby"}


def test_a_job_that_fits_on_no_machine_is_said_at_once(cluster, plan, tmp_path):
    made, _ = cluster
    out = tmp_path / "out"
    start = time.perf_counter()
    with pytest.raises(InputError, match="expected a machine with 7 CPUs in the cluster"):
        run_bench(open_bench(plan(("suby",), threads=7), out), out, engine=OnRay(address=made.address))
    assert time.perf_counter() - start < 60
    assert not (out / "results.json").exists()


def test_ray_that_is_not_installed(plan, tmp_path, monkeypatch):
    import builtins

    plain = builtins.__import__

    def without(name, *given, **more):
        if name == "ray":
            raise ImportError("no module named ray")
        return plain(name, *given, **more)

    out = tmp_path / "out"
    bench = open_bench(plan(("suby",)), out)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r'type: pip install "masktune\[ray\]"'):
        run_bench(bench, out, engine=OnRay())


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"retries": -1}, "expected 0 retries or more, got -1"),
        ({"memory": 0.0}, "expected a positive number of GB"),
    ],
)
def test_an_engine_checks_itself(changed, sentence):
    with pytest.raises(InputError, match=sentence):
        OnRay(**changed)


def test_the_folder_of_examples_is_there():
    assert (Path(__file__).parents[2] / "examples/slurm_bench.sh").exists()
