"""`masktune.tune` on a user's own torch module and data set."""

import csv
import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from cli.test_tune import WRITTEN
from cli.tune_made import images, write_folders, write_table, write_weights
from cli.tune_nets import Same, Small
from masktune import Classifier, ImageFolder, InputSpec, Manifest, tune
from masktune.errors import InputError
from masktune.trial import ARMS, TrialSettings

QUICK = TrialSettings(learning_rate=1e-3)
ONE = replace(QUICK, arms=("untouched", "masktune"))


class Shapes(torch.utils.data.Dataset):
    """As torchvision's data sets are: classes, targets, and a picture with its label."""

    def __init__(self, n, seed, transform=None):
        made = images(n, seed)
        self.classes, self.targets, self.transform = list(made.classes), made.labels.tolist(), transform
        self.pictures = [Image.fromarray(one[0].numpy()) for one in made.images]

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        picture = self.pictures[index]
        return (picture if self.transform is None else self.transform(picture)), self.targets[index]


class OneClass(Shapes):
    """Where somebody has forgotten the other one."""

    def __init__(self, n, seed):
        super().__init__(n, seed)
        self.targets = [1] * n


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return load_file(write_weights(tmp_path_factory.mktemp("weights") / "net.safetensors"))


@pytest.fixture
def net(weights):
    """A user's net in the middle of training, but for one layer that is kept as it is."""
    made = Small(2)
    made.load_state_dict(weights)
    made.train()
    made.features[1].eval()
    return made


@pytest.fixture(scope="module")
def undrawn():
    """Without the plots of the page and without masks.png, which take longest."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("masktune.report.trial.draw_examples", lambda *examples, **more: None)
        patched.setattr("masktune.report.page.trial_page.plots_of", lambda trialled: {})
        yield


def state_of(net):
    """Weights, modes and what is trained."""
    return (
        {name: value.clone() for name, value in net.state_dict().items()},
        {name: module.training for name, module in net.named_modules()},
        {name: (one.requires_grad, one.grad is None) for name, one in net.named_parameters()},
        {name: len(module._forward_hooks) for name, module in net.named_modules()},
    )


def check_same(before, after):
    assert before[1:] == after[1:]
    assert before[0].keys() == after[0].keys()
    for name, value in before[0].items():
        assert torch.equal(value, after[0][name]), name


def logits_of(net, dataset, places):
    pixels = torch.stack([torch.from_numpy(np.array(dataset[at][0])) for at in places])
    with torch.inference_mode():
        return net(pixels[:, None].float() / 255).numpy()


def test_ten_lines_give_a_verdict_arms_and_the_tuned_net(net, tmp_path, undrawn):
    before, dataset = state_of(net), Shapes(96, seed=3)
    result = tune(net, dataset, seed=0)
    check_same(before, state_of(net))
    assert (result.verdict.word, result.verdict.why) == ("no_evidence", "cannot_be_known")
    assert "it is not known which of these images the weights were trained on" in result.verdict.reason
    assert tuple(result.arms) == ARMS
    assert {one.metric for one in result.arms["masktune"].measures["validation"]} >= {"accuracy", "auroc"}
    assert type(result.model) is Small
    assert result.model is not net
    assert not any(module.training for module in result.model.modules())
    said = result.predictions["masktune"]["validation"]
    places = [int(name) for name in said.ids]
    assert said.labels.tolist() == [dataset.targets[at] for at in places]
    assert logits_of(result.model, dataset, places) == pytest.approx(said.logits, abs=1e-5)
    old = result.predictions["untouched"]["validation"].logits
    assert logits_of(net.eval(), dataset, places) == pytest.approx(old, abs=1e-5)
    assert old != pytest.approx(said.logits, abs=1e-3)

    assert result.save(tmp_path / "out") == tmp_path / "out" / "report.html"
    plain = Small(2)
    plain.load_state_dict(load_file(tmp_path / "out" / "tuned.safetensors"), strict=True)
    assert torch.equal(plain.head.weight, result.model.head.weight)
    assert json.loads((tmp_path / "out" / "report.json").read_text())["verdict"] == "no_evidence"


def test_what_is_saved_is_what_the_command_leaves(net, tmp_path, undrawn):
    result = tune(net, Shapes(64, seed=3), trained_on="none", name="wards 3 & 4/5", settings=ONE)
    result.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == WRITTEN - {"run.json", "masks.png"}
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    (row,) = [row for row in rows if (row["method"], row["metric"]) == ("masktune", "accuracy")]
    said = result.predictions["masktune"]["validation"]
    assert (row["dataset"], row["split"], row["n"]) == ("Shapes", "validation", len(said))
    assert "wards 3 &amp; 4/5" in (tmp_path / "report.html").read_text()
    told = result.statement()
    assert told.startswith(f"The trial was run on {datetime.now(UTC).date()} on the device cpu (")
    assert f"torch {torch.__version__.partition('+')[0]}" in told
    assert "Data: wards 3 & 4/5 (no hash known), images by role: train " in told
    assert row["value"] == pytest.approx((said.logits.argmax(1) == said.labels).mean())
    models = tmp_path / "models" / "Shapes" / "seed-0"
    assert {path.name for path in models.iterdir()} == {"untouched", "masktune"}
    saved = np.load(models / "masktune" / "predictions" / "validation.npz")
    assert np.array_equal(saved["logits"], said.logits)
    assert saved["ids"].tolist() == said.ids.tolist()
    for arm, state in (("masktune", result.model.state_dict()), ("untouched", net.state_dict())):
        weights = load_file(models / arm / "weights.safetensors")
        assert all(torch.equal(weights[name], state[name]) for name in ("head.weight", "features.0.weight"))
    with (tmp_path / "splits.csv").open() as file:
        roles = [(row["id"], row["role"]) for row in csv.DictReader(file)]
    assert roles == list(result.roles)
    assert [name for name, role in roles if role == "validation"] == said.ids.tolist()
    assert [role for _, role in roles].count("held back") == 6  # Of 27 a class three; 10 are judged on.


def test_the_result_in_a_line_and_in_a_page(net, tmp_path, undrawn):
    result = tune(net, Shapes(64, seed=3), trained_on="none", settings=ONE)
    assert repr(result) == (
        f"TuneResult(verdict={result.verdict.word!r}, why={result.verdict.why!r}, arms=('untouched', "
        "'masktune'), judged=10)"
    )
    said = result.summary()
    result.save(tmp_path)
    _, _, rest = (tmp_path / "summary.md").read_text().partition("\n\n")
    assert said == rest.rstrip("\n")
    assert f"n {len(result.predictions['masktune']['validation'])}" in said
    assert "| MaskTune |" in said


def test_numbers_by_class_bear_the_names_of_classes(net):
    result = tune(net, Shapes(64, seed=3), trained_on="none", settings=ONE)
    for arm in ("untouched", "masktune"):
        said = result.predictions[arm]["validation"]
        right = said.logits.argmax(1) == said.labels
        assert list(result.by_class[arm]) == ["circle", "cross"]
        for label, rate in enumerate(result.by_class[arm].values()):
            assert rate.value == pytest.approx(right[said.labels == label].mean())
            assert rate.n == (said.labels == label).sum()


def test_parts_that_torch_made_keep_the_names_of_classes_and_data(net):
    train, validation = torch.utils.data.random_split(
        Shapes(96, seed=3), [64, 32], torch.Generator().manual_seed(0)
    )
    result = tune(net, train, validation=validation, settings=ONE)
    assert len(result.predictions["masktune"]["validation"]) == 32
    assert result.outcome.trialled.classes == ("circle", "cross")
    assert result.outcome.trialled.name == "Shapes"
    named = tune(net, Shapes(64, seed=4), validation=validation, settings=ONE)
    assert named.outcome.trialled.classes == ("circle", "cross")


def test_an_image_may_not_be_in_two_of_the_data_sets(net):
    whole = Shapes(64, seed=3)
    part = torch.utils.data.Subset(whole, range(50, 64))
    for more, n in (({"validation": whole}, 64), ({"validation": part}, 14)):
        with pytest.raises(InputError) as error:
            tune(net, whole, settings=ONE, **more)
        assert str(error.value) == (
            f"expected other images in validation than in dataset, got {n} that are in both, such as "
            "'00000000'; leave them out of one of the two"
        )
    with pytest.raises(InputError, match="expected other images in test than in validation, got 14"):
        tune(net, Shapes(64, seed=4), validation=part, test=part, settings=ONE)


def test_what_got_worse_is_asked_of_columns_and_groups_of_validation_too(net, tmp_path):
    data = Manifest(write_table(tmp_path, 120, images_per_subject=2), InputSpec((24, 24), channels=1))
    train, validation = (data.select(np.arange(60) + start) for start in (0, 60))
    result = tune(net, train, validation=validation, settings=ONE)
    changes = result.outcome.trialled.changes
    assert {one.kind for one in changes} == {"class", "group", "column", "area"}
    assert any(one.name.startswith("site = ") for one in changes)
    assert result.outcome.trialled.subjects == 30


def test_all_unseen_images_are_judged_on_if_that_is_wanted(net, tmp_path):
    (tmp_path / "seen.txt").write_text("\n".join(f"{at:08d}" for at in range(24)))
    settings = replace(ONE, validation_share=1.0)
    result = tune(net, Shapes(64, seed=3), trained_on=tmp_path / "seen.txt", settings=settings)
    assert result.predictions["masktune"]["validation"].ids.tolist() == [f"{at:08d}" for at in range(24, 64)]


def test_validation_and_test_images_apart_are_what_is_judged_and_tested(net):
    train, validation, test = Shapes(64, seed=3), Shapes(60, seed=4), Shapes(40, seed=5)
    result = tune(net, train, validation=validation, test=test, settings=QUICK)
    assert result.verdict.why != "cannot_be_known"
    for arm in ARMS:
        found = result.predictions[arm]
        assert found["validation"].labels.tolist() == validation.targets
        assert found["test"].labels.tolist() == test.targets
    counts = result.outcome.trialled.counts
    assert {name: sum(of.values()) for name, of in counts.items()} == {
        "train": 58,
        "held back": 6,
        "validation": 60,
        "test": 40,
    }


def test_the_same_seed_gives_the_same_bits_and_another_one_others(net):
    dataset = Shapes(64, seed=3)
    first, again, other = (
        tune(net, dataset, trained_on="none", settings=ONE, seed=seed).model.state_dict()
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_a_harmful_tuning_gives_the_old_net_back(net, tmp_path, monkeypatch, undrawn):
    monkeypatch.setattr("masktune.trial.arms.collapsed", lambda *predictions: "it forgot all")
    result = tune(net, Shapes(64, seed=3), trained_on="none", settings=ONE)
    assert result.verdict.word == "harmful"
    assert result.model is net
    assert "masktune" not in result.outcome.classifiers
    result.save(tmp_path)
    assert not (tmp_path / "tuned.safetensors").exists()


def test_saving_a_harmful_trial_takes_weights_of_an_earlier_one_away(net, tmp_path, monkeypatch, undrawn):
    tune(net, Shapes(64, seed=3), trained_on="none", settings=ONE).save(tmp_path)
    assert (tmp_path / "tuned.safetensors").exists()
    monkeypatch.setattr("masktune.trial.arms.collapsed", lambda *predictions: "it forgot all")
    tune(net, Shapes(64, seed=3), trained_on="none", settings=ONE).save(tmp_path)
    assert not (tmp_path / "tuned.safetensors").exists()
    models = tmp_path / "models" / "Shapes" / "seed-0"
    assert {path.parent.name for path in models.rglob("weights.safetensors")} == {"untouched"}


def test_a_net_that_wants_normalised_images_gets_them(net):
    """Mean 0.5 and std 0.25: the first layer of a net for plain pixels is changed so that nothing changes."""
    dataset = Shapes(64, seed=3)
    plain = tune(net, dataset, trained_on="none", settings=ONE).predictions["untouched"]["validation"]

    class Undone(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, pixels):
            return self.net(pixels * 0.25 + 0.5)

    found = tune(Undone(), dataset, mean=0.5, std=0.25, trained_on="none", settings=ONE)
    assert found.predictions["untouched"]["validation"].logits == pytest.approx(plain.logits, abs=1e-4)


def test_a_classifier_comes_back_as_one(net):
    classifier = Classifier(net, InputSpec((24, 24), channels=1), ("circle", "cross"))
    result = tune(classifier, Shapes(64, seed=3), trained_on="none", settings=ONE)
    assert isinstance(result.model, Classifier)
    assert result.model.classes == ("circle", "cross")
    assert result.model is not classifier


def test_layers_that_are_not_trained_stay_as_they_are(net):
    net.features.requires_grad_(False)
    result = tune(net, Shapes(64, seed=3), trained_on="none", settings=ONE)
    for name, value in net.named_parameters():
        assert torch.equal(value, result.model.get_parameter(name)) == name.startswith("features."), name


def test_splits_and_subjects_of_our_own_data_sets_are_used(net, tmp_path):
    table = write_table(tmp_path / "table", 96, images_per_subject=2)
    folder = write_folders(tmp_path / "images", table, ("train", "train", "val", "val"))
    data = ImageFolder(folder, InputSpec((24, 24), channels=1))
    result = tune(net, data, settings=ONE)
    assert "the 48 images of split train" in result.outcome.trialled.seen
    judged = result.predictions["masktune"]["validation"].ids.tolist()
    assert len(judged) == 48
    assert all(name.startswith("val/") for name in judged)


def test_a_file_of_names_may_be_a_path(net, tmp_path):
    (tmp_path / "seen.txt").write_text("\n".join(f"{at:08d}" for at in range(40)))
    result = tune(net, Shapes(64, seed=3), trained_on=tmp_path / "seen.txt", settings=ONE)
    assert result.predictions["masktune"]["validation"].ids.tolist() == [f"{at:08d}" for at in range(40, 64)]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"test": Shapes(8, seed=4)}, "expected validation with test"),
        ({"trained_on": "all"}, "expected images to judge on that were not trained on, got none"),
        ({"validation": Shapes(8, seed=4), "trained_on": "all"}, "expected trained_on none or unknown"),
        (
            {"validation": Shapes(8, seed=4), "settings": replace(ONE, calibration_share=0.2)},
            "expected a calibration_share of 0 with validation, got 0.2",
        ),
        (
            {"validation": Shapes(8, seed=4), "settings": replace(ONE, validation_share=1.0)},
            "expected no validation_share with validation, which is judged on, got 1.0",
        ),
        ({"mean": 0.5}, "expected mean and std together"),
        ({"validation": OneClass(8, seed=4)}, "expected images of two classes or more to judge on"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(net, more, said):
    with pytest.raises(InputError, match=said) as error:
        tune(net, Shapes(64, seed=3), **{"settings": ONE, **more})
    assert "\n" not in str(error.value)


def test_a_net_that_says_the_same_of_all_images():
    with pytest.raises(InputError, match="the given one says 'cross' of all of them; check --weights"):
        tune(Same(), Shapes(64, seed=3), trained_on="none", settings=ONE)


def test_images_that_are_normalised_already(net):
    data = Shapes(64, seed=3, transform=lambda picture: torch.from_numpy(np.array(picture))[None] / 64 - 2)
    with pytest.raises(InputError, match="leave out Normalize and give its mean and std"):
        tune(net, data, trained_on="none", settings=ONE)
