"""The scan as a whole: what it names, what is refused, that nothing is left behind."""

import numpy as np
import pytest
import torch
from torch import nn

import masktune
from findings.scans import ReadsCorner, classifier, marked, small_scan
from masktune.errors import InputError
from masktune.findings import ScanSettings, scan_images
from masktune.findings.questions import QUESTIONS
from masktune.models.classifier import Classifier
from masktune.testing import ShortcutImages
from masktune.types import InputSpec


def fired(findings, verdict="problem"):
    return {
        (one.code, one.about.get("class"), one.about.get("place"))
        for one in findings
        if one.verdict == verdict
    }


def test_the_class_and_the_place_are_named():
    assert ("MT002", "cross", "bottom right corner") in fired(small_scan().findings)


def test_every_question_is_answered_and_sorted_by_verdict():
    findings = small_scan().findings
    assert {one.code for one in findings} == {question.code for question in QUESTIONS}
    rank = {"problem": 0, "hint": 1, "passed": 2, "not_applicable": 3}
    keys = [(rank[one.verdict], one.code) for one in findings]
    assert keys == sorted(keys)
    assert all(one.advice for one in findings if one.verdict in ("problem", "hint"))


def test_codes_are_unique_and_have_a_page_and_tests():
    from pathlib import Path

    root = Path(__file__).parents[2]
    codes = [question.code for question in QUESTIONS]
    assert codes == [f"MT{number:03d}" for number in range(1, len(codes) + 1)]
    for question in QUESTIONS:
        page = root / "docs" / "findings" / f"{question.code}.md"
        assert page.read_text().startswith(f"# {question.code}: "), page
        tests = list((root / "tests" / "findings").glob(f"test_*{question.code.lower()}*.py"))
        assert tests, question.code


def test_numbers_are_those_of_a_plain_loop():
    data = marked()
    net = classifier(data)
    batch = data.__getitems__(range(len(data)))
    with torch.inference_mode():
        logits = net(batch.images).numpy()
    seen = small_scan().observed
    assert np.allclose(seen.predictions.logits, logits, atol=1e-5)
    assert (seen.ids == data.ids).all()
    whole = batch.images.float().reshape(200, 1, 32, 1, 32, 1).mean((3, 5))[:, 0].numpy()
    assert np.abs(seen.tiny[..., 0].astype(float) - whole).max() <= 1


def test_muted_codes_are_not_asked():
    data = marked(60)
    found = scan_images("made", classifier(data), data, ScanSettings(shown=0), muted=("MT002", "MT008"))
    assert not {"MT002", "MT008"} & {one.code for one in found.findings}
    assert found.muted == ("MT002", "MT008")
    assert found.shown == ()


def test_a_code_that_does_not_exist():
    data = marked(60)
    with pytest.raises(InputError, match=r"no finding has the code 'MT02' \(did you mean 'MT012'"):
        scan_images("made", classifier(data), data, ScanSettings(), muted=("MT02",))


def test_three_images_and_one_class_are_refused():
    data = marked(60)
    with pytest.raises(InputError, match="expected at least 10 images, two a class, got 3; add images"):
        masktune.scan(classifier(data), _first(data, np.arange(3)))
    with pytest.raises(InputError, match="expected images of at least two classes, got 30 of 'cross' alone"):
        masktune.scan(classifier(data), _first(data, np.flatnonzero(data.labels == 1)))


def _first(data, positions):
    from masktune.data.base import Subset

    return Subset(data, torch.from_numpy(positions))


def test_the_net_is_left_as_it_was():
    data = marked(60)
    net = classifier(data).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    masktune.scan(net, data, settings=ScanSettings(shown=4))
    assert net.training
    assert all(module.training for module in net.modules())
    assert not any(module._forward_hooks for module in net.modules())
    assert all((value == before[name]).all() for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_bare_net_and_a_map_style_data_set():
    class Pairs:
        def __init__(self, data):
            self.data, self.classes, self.targets = data, data.classes, data.labels.tolist()

        def __len__(self):
            return len(self.data)

        def __getitem__(self, index):
            return self.data.images[index], int(self.data.labels[index])

    data = marked(120)
    report = masktune.scan(ReadsCorner(), Pairs(data), settings=ScanSettings(shown=4))
    assert ("MT002", "cross", "bottom right corner") in fired(report.findings)
    assert report.summary().startswith(f"{sum(one.verdict == 'problem' for one in report.findings)} problem")


def test_mean_and_std_belong_to_a_bare_net():
    data = marked(60)
    with pytest.raises(InputError, match="a Classifier normalises its images itself; leave out mean and std"):
        masktune.scan(classifier(data), data, mean=(0.5,), std=(0.5,))
    with pytest.raises(InputError, match="expected mean and std together, or neither of them"):
        masktune.scan(ReadsCorner(), data, mean=(0.5,))
    shifted = nn.Sequential(_Shift(), ReadsCorner())
    plain = masktune.scan(ReadsCorner(), data, settings=ScanSettings(shown=0)).scanned.observed
    other = masktune.scan(shifted, data, mean=(0.5,), std=(0.5,), settings=ScanSettings(shown=0))
    assert np.allclose(other.scanned.observed.predictions.logits, plain.predictions.logits, atol=1e-4)


class _Shift(nn.Module):
    """Undoes (x - 0.5) / 0.5."""

    def forward(self, images):
        return images * 0.5 + 0.5


def test_the_same_seed_gives_the_same_scan_whatever_the_batch():
    data = marked(60)
    first, again = (
        scan_images("made", classifier(data), data, ScanSettings(batch_size=size, shown=6))
        for size in (32, 7)
    )
    assert [one.reason for one in first.findings] == [one.reason for one in again.findings]
    assert [one.id for one in first.shown] == [one.id for one in again.shown]
    for area, logits in first.observed.hidden_logits.items():
        assert np.allclose(logits, again.observed.hidden_logits[area], atol=1e-5)


def test_a_net_that_was_never_trained_is_said_to_be_at_chance_and_nothing_else():
    data = ShortcutImages.no_shortcut(120)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 2)
        )
    spec = InputSpec((64, 64), channels=1)
    found = scan_images("clean", Classifier(net, spec, data.classes).eval(), data, ScanSettings(shown=0))
    problems = {one.code for one in found.findings if one.verdict == "problem"}
    assert problems
    assert problems <= {"MT014", "MT015"}


def test_a_bare_net_gets_what_its_training_normalised_with(tmp_path):
    """One number stands for all channels; files bring their own InputSpec; both are said in the report."""
    data = marked(60)
    one, each = (
        masktune.scan(ReadsCorner(), data, mean=mean, std=std, settings=ScanSettings(shown=4))
        for mean, std in ((0.5, 0.25), ((0.5,), (0.25,)))
    )
    assert (one.scanned.observed.predictions.logits == each.scanned.observed.predictions.logits).all()
    assert any("mean 0.5, std 0.25" in note for note in one.scanned.observed.notes)
    data.save(tmp_path)
    spec = InputSpec((32, 32), channels=1, mean=(0.5,), std=(0.25,))
    files = masktune.Manifest(tmp_path / "manifest.csv", spec)
    own = masktune.scan(ReadsCorner(), files, settings=ScanSettings(shown=4))
    assert own.scanned.observed.notes == one.scanned.observed.notes
    by_id = dict(
        zip(one.scanned.observed.ids.tolist(), one.scanned.observed.predictions.predicted, strict=True)
    )
    for sample, said in zip(
        own.scanned.observed.ids.tolist(), own.scanned.observed.predictions.predicted, strict=True
    ):
        assert by_id[sample] == said
