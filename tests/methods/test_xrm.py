"""XRM: chances, labels and loss by hand, the environments it infers, and what it is held to."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from masktune.data import InMemory
from masktune.data.base import WithGroups
from masktune.errors import InputError, RunFolderError
from masktune.methods import GroupDRO, Method
from masktune.methods.resampling import RWG, SUBG
from masktune.methods.xrm import XRM, CrossRisk, flip_chance
from masktune.seeds import generator
from masktune.training.devices import ALONE

from .tasks import by_two, gone_on, killed_at, levels, names_of, planted, same_weights, task_of

LABELS = np.array([0, 0, 0, 1])
FOUR = InMemory(torch.zeros(4, 3, 8, 8), LABELS, np.array(["a", "b", "c", "d"]), names_of(3))


@pytest.mark.parametrize(
    ("probabilities", "chance"),
    [([0.5, 0.5], 0.0), ([0.9, 0.1], 0.8), ([0.2, 0.6, 0.2], 0.4), ([1 / 4] * 4, 0.0), ([0.25, 0.75], 0.5)],
)
def test_the_chance_of_a_flip_by_hand(probabilities, chance):
    # (p - 1/C) C / (C - 1): of 0.6 among three classes (0.6 - 1/3) * 3 / 2 = 0.4.
    logits = torch.tensor([probabilities], dtype=torch.float64).log()
    assert flip_chance(logits).item() == pytest.approx(chance, abs=1e-12)


def test_who_is_sure_always_flips_and_an_empty_share_has_no_chances():
    assert flip_chance(torch.tensor([[0.0, 500.0, 0.0]])).item() == 1
    assert flip_chance(torch.zeros(0, 3)).shape == (0,)


def crossed():
    """Images 0 and 3 train the first twin, 1 and 2 the second; a chance of 0.4 flips all but image 0."""
    objective = CrossRisk(FOUR, generator(0))
    objective.in_first = torch.tensor([True, False, False, True])
    objective.draws = torch.tensor([0.41, 0.39, 0.39, 0.39])
    return objective


SAYS_1, SAYS_2, UNSURE = ([0.2, 0.6, 0.2], [0.2, 0.2, 0.6], [1 / 3] * 3)
FIRST = [UNSURE, SAYS_2, UNSURE, [0.5, 0.3, 0.2]]
SECOND = [SAYS_1, [0.5, 0.3, 0.2], SAYS_1, SAYS_2]


def step(objective, here=ALONE):
    """The loss of a batch of all four (this process's part), and the gradient."""
    whole = torch.arange(4)
    own = here.deal(whole)
    both = torch.cat([torch.tensor(FIRST), torch.tensor(SECOND)], 1).log()
    logits = both[own].requires_grad_()
    loss = objective(logits, torch.from_numpy(LABELS)[own], own, whole, here)
    loss.backward()
    return loss.item(), logits.grad


def test_a_step_by_hand():
    objective = crossed()
    loss, gradient = step(objective)
    # Three images of class 0 and one of 1; class 2 has none: weights 4 / (2 * 3) and 4 / (2 * 1).
    held_in = [-np.log(1 / 3), -np.log(0.5), -np.log(0.2), -np.log(0.3)]
    assert loss == pytest.approx((2 / 3 * sum(held_in[:3]) + 2 * held_in[3]) / 4)
    # The held-out twins say 1 of image 0 (not drawn), 2 of 1 and 3 (drawn), and nothing of 2 (chance 0).
    assert objective.current.tolist() == [0, 2, 0, 2]
    assert (gradient[:, 3:][[0, 3]] == 0).all()
    assert (gradient[:, :3][[1, 2]] == 0).all()
    # The next step goes by the changed labels: two images of class 0, two of 2.
    loss, _ = step(objective)
    held_in = [-np.log(1 / 3), -np.log(0.2), -np.log(0.2), -np.log(0.2)]
    assert loss == pytest.approx(sum(held_in) / 4)


def test_two_processes_change_the_labels_of_the_whole_batch():
    def compute(here):
        objective = crossed()
        return step(objective, here)[0], objective.current

    (first, of_first), (second, of_second) = by_two(compute)
    whole, changed = compute(ALONE)
    assert first + second == pytest.approx(whole)
    assert of_first.tolist() == of_second.tolist() == changed.tolist()


def test_halves_are_drawn_and_so_is_each_epochs_chance():
    data = levels(49)
    objective = CrossRisk(data, generator(0))
    assert objective.in_first.sum() == 25
    assert not torch.equal(objective.in_first, CrossRisk(data, generator(1)).in_first)
    order = objective.order(49, generator(2))
    draws = objective.draws
    assert sorted(order.tolist()) == list(range(49))
    assert (draws.min(), draws.max()) == (pytest.approx(0, abs=0.1), pytest.approx(1, abs=0.1))
    assert torch.equal(objective.order(49, generator(2)), order)
    assert torch.equal(objective.draws, draws)
    assert objective.current.data_ptr() != torch.from_numpy(data.labels).data_ptr()  # Labels stay the data's.


def environments(folder):
    return json.loads((folder / "xrm/environments.json").read_text())


def test_images_that_contradict_the_shortcut_land_in_an_environment_of_their_own(tmp_path):
    task, *contradicts = planted(300)
    XRM(first_epochs=12).fit(replace(task, folder=tmp_path, training=replace(task.training, epochs=1)))
    found = environments(tmp_path)
    for part, minority in zip(("train", "validation"), contradicts, strict=True):
        one = np.array(found[part]["environment"])
        assert one[minority].mean() > 0.8
        assert one[~minority].mean() < 0.2
    # What changed are the labels of the minority, most of them.
    assert 0.5 * contradicts[0].mean() < found["flip_rate"] < 1.5 * contradicts[0].mean()


@pytest.mark.parametrize(("second", "method"), [("group_dro", GroupDRO()), ("rwg", RWG()), ("subg", SUBG())])
def test_the_second_stage_is_the_method_on_class_and_environment(tmp_path, second, method):
    task = task_of(tmp_path)
    fitted = XRM(first_epochs=2, second=second).fit(task)
    parts = {}
    for name, data in (("train", task.train), ("validation", task.validation)):
        found = environments(tmp_path)[name]
        assert found["ids"] == data.ids.tolist()
        assert set(found["environment"]) <= {0, 1}
        pairs = zip(data.labels, found["environment"], strict=True)
        parts[name] = WithGroups(data, np.array([f"level-{y} in environment {m}" for y, m in pairs]))
    assert same_weights(fitted, method.fit(replace(task_of(), **parts)))
    assert (fitted.selection, fitted.epochs) == ("worst_inferred_group", 2 + 3)
    seconds = [torch.load(tmp_path / "xrm" / name)["seconds"] for name in ("twins.pt", f"{second}/state.pt")]
    assert fitted.seconds == pytest.approx(sum(seconds) + environments(tmp_path)["seconds"])


def test_twins_are_asked_in_evaluation_mode_and_either_may_disagree(tmp_path):
    task = task_of(tmp_path)
    XRM().fit(task)
    weights = torch.load(tmp_path / "xrm/twins.pt")["last"]["weights"]
    wrong = np.zeros(49, bool)
    for twin in ("first", "second"):
        one = task.build().eval()
        mine = f"net.{twin}."
        one.load_state_dict({k.removeprefix(mine): v for k, v in weights.items() if k.startswith(mine)})
        wrong |= one(task.train.images).argmax(1).numpy() != task.train.labels
    assert environments(tmp_path)["train"]["environment"] == wrong.astype(int).tolist()
    changed = torch.load(tmp_path / "xrm/twins.pt")["objective"]["current"].numpy() != task.train.labels
    assert environments(tmp_path)["flip_rate"] == pytest.approx(changed.mean())
    assert 0 < changed.mean() < 1


def test_it_reads_no_groups_at_all():
    assert isinstance(XRM(), Method)
    assert XRM().supervision == "none"
    bare = replace(task_of(), train=levels(49), validation=levels(24, seed=1))
    assert same_weights(XRM().fit(bare), XRM().fit(task_of()))


@pytest.mark.parametrize("piece", ["xrm, twins, epoch 3", "xrm, environments", "xrm: group_dro, epoch 2"])
def test_it_goes_on_where_it_was_killed_with_the_same_bits(tmp_path, piece):
    killed_at(XRM(), task_of(tmp_path), piece)
    fitted, said = gone_on(XRM(), task_of(tmp_path))
    assert "xrm, twins, epoch 2 of 3" not in said
    assert ("xrm, twins, epoch 3 of 3" in said) == piece.startswith("xrm, twins")
    assert ("xrm, environments of train" in said) == (piece != "xrm: group_dro, epoch 2")
    assert ("xrm: group_dro, epoch 1 of 3" in said) == (piece != "xrm: group_dro, epoch 2")
    whole = XRM().fit(task_of())
    assert same_weights(fitted, whole)
    assert not same_weights(whole, XRM().fit(task_of(seed=1)))


def test_environments_of_other_images_are_refused(tmp_path):
    killed_at(XRM(), task_of(tmp_path), "xrm: group_dro")
    with pytest.raises(RunFolderError, match=r"xrm/environments.json is about other images than these"):
        XRM().fit(replace(task_of(tmp_path), validation=levels(20)))


@pytest.mark.usefixtures("unchecked")
def test_settings_that_cannot_be():
    with pytest.raises(InputError, match="expected second as one of group_dro, rwg, subg, got 'grup_dro'"):
        XRM(second="grup_dro")
    with pytest.raises(InputError, match="expected first_epochs of 1 or more, got 0"):
        XRM(first_epochs=0)
