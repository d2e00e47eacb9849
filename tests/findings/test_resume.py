"""A walk that was cut off goes on where it stopped, and what comes out is the same bits."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import nn

from findings.scans import SIZE, classifier, marked
from masktune.data.memory import InMemory
from masktune.errors import DataDamaged
from masktune.findings import ScanSettings, observe, scan_images
from masktune.findings.observe import Observer, Walk, observe_images
from masktune.findings.parts import Part, joined
from masktune.models.classifier import Classifier
from masktune.runs.chunks import chunk_path, remove_chunks
from masktune.types import InputSpec, Step

CPU = torch.device("cpu")
SETTINGS = ScanSettings(batch_size=8, shown=4)


@pytest.fixture
def chunks_of_16(monkeypatch):
    monkeypatch.setattr(observe, "CHUNK", 16)


@pytest.fixture
def looked_at(monkeypatch):
    """Ids of the images that are observed, in order; `stop_at` interrupts at that one."""
    plain = Observer.part

    class LookedAt(list):
        stop_at = None

    ids = LookedAt()

    def part(observer, batch, seen):
        if ids.stop_at in batch.ids:
            raise KeyboardInterrupt
        ids.extend(batch.ids)
        return plain(observer, batch, seen)

    monkeypatch.setattr(Observer, "part", part)
    return ids


def observer_of(data, net=None, settings=SETTINGS):
    return Observer(net or classifier(data), settings, CPU)


def columns(part):
    """All arrays by name."""
    found = {field.name: getattr(part, field.name) for field in fields(part)}
    mappings = {name: found.pop(name) for name in ("hidden_logits", "properties")}
    return found | {f"{name}/{key}": value for name, of in mappings.items() for key, value in of.items()}


def same_bits(one, other):
    ours, theirs = columns(one), columns(other)
    return list(ours) == list(theirs) and all(
        np.asarray(value).dtype == np.asarray(theirs[name]).dtype
        and np.asarray(value).tobytes() == np.asarray(theirs[name]).tobytes()
        for name, value in ours.items()
    )


def part_of(data, positions):
    batch = data.__getitems__(positions)
    return observer_of(data).part(batch, np.ones(len(positions)))


def test_parts_are_joined_in_order():
    data = marked(20)
    first, second = part_of(data, range(3)), part_of(data, range(3, 5))
    whole = joined(iter([first, second]), 5)
    assert len(whole) == 5
    assert (whole.layer, whole.formula) == (first.layer, first.formula)
    theirs = columns(second)
    for name, column in columns(first).items():
        if not isinstance(column, str):
            np.testing.assert_array_equal(columns(whole)[name], np.concatenate([column, theirs[name]]), name)


def test_parts_of_fewer_images_than_there_are():
    part = part_of(marked(20), range(3))
    with pytest.raises(DataDamaged, match="expected records of 5 images, got those of 3: one was taken away"):
        joined(iter([part]), 5)
    with pytest.raises(DataDamaged, match="expected records of 5 images, got those of 0"):
        joined(iter([]), 5)


def test_a_record_that_goes_away_behind_the_walk_is_said(chunks_of_16, tmp_path, monkeypatch):
    """A person cleans up while the run goes on; the same command again mends it."""
    data, make = marked(40), Walk.make

    def made_and_gone(walk, shares, folder):
        make(walk, shares, folder)
        chunk_path(folder, 16).unlink()

    with monkeypatch.context() as patched:
        patched.setattr(Walk, "make", made_and_gone)
        with pytest.raises(
            DataDamaged,
            match=r"of 40 images, got those of 24: .*; the same command again makes what is missing",
        ):
            observe_images(observer_of(data), data, folder=tmp_path)
    assert len(observe_images(observer_of(data), data, folder=tmp_path)) == 40


def test_a_record_is_read_as_it_was_written(tmp_path):
    part = part_of(marked(20), range(5))
    path = chunk_path(tmp_path, 512)
    assert path == tmp_path / "chunks" / "00000512.npz"
    part.save(path)
    assert same_bits(Part.load(path, 5), part)
    remove_chunks(tmp_path)
    assert list(tmp_path.iterdir()) == []
    remove_chunks(tmp_path)  # Where there is none, nothing is to be done.


@pytest.mark.parametrize(("batch", "chunk"), [(32, 128), (48, 96), (1, 128), (128, 128), (700, 700)])
def test_a_chunk_is_whole_batches(batch, chunk):
    data = marked(20)
    assert Walk(observer_of(data, settings=ScanSettings(batch_size=batch)), data).chunk == chunk


def test_interrupted_in_the_third_chunk_only_the_rest_is_looked_at(chunks_of_16, looked_at, tmp_path):
    data = marked(60)
    whole = observe_images(observer_of(data), data)
    assert looked_at == data.ids.tolist()
    looked_at.clear()
    looked_at.stop_at = data.ids[45]  # In the second batch of the third chunk, 32 to 47.
    with pytest.raises(KeyboardInterrupt):
        observe_images(observer_of(data), data, folder=tmp_path)
    assert looked_at == data.ids[:40].tolist()
    assert sorted(tmp_path.glob("chunks/*")) == [chunk_path(tmp_path, 0), chunk_path(tmp_path, 16)]
    looked_at.clear()
    looked_at.stop_at, steps = None, []
    again = observe_images(observer_of(data), data, progress=steps.append, folder=tmp_path)
    assert looked_at == data.ids[32:].tolist()
    assert same_bits(again, whole)
    note = "32 of 60 images were done already"
    at = [32, 40, 48, 56, 60]
    assert steps == [Step("looking where it looks", done, 60, note) for done in at]


def test_a_record_in_the_middle_is_used_and_those_around_it_are_made(chunks_of_16, looked_at, tmp_path):
    data = marked(60)
    whole = observe_images(observer_of(data), data, folder=tmp_path)
    for start in (0, 32, 48):
        chunk_path(tmp_path, start).unlink()
    looked_at.clear()
    assert same_bits(observe_images(observer_of(data), data, folder=tmp_path), whole)
    assert looked_at == [*data.ids[:16], *data.ids[32:]]


def test_a_scan_that_was_cut_off_is_the_scan_in_one_go(chunks_of_16, looked_at, tmp_path):
    data = marked(60)
    whole = scan_images("made", classifier(data), data, SETTINGS)
    looked_at.stop_at = data.ids[20]
    with pytest.raises(KeyboardInterrupt):
        scan_images("made", classifier(data), data, SETTINGS, folder=tmp_path)
    looked_at.stop_at = None
    again = scan_images("made", classifier(data), data, SETTINGS, folder=tmp_path)
    assert again.findings == whole.findings
    assert again.review == whole.review
    assert [one.jpeg for one in again.shown] == [one.jpeg for one in whole.shown]
    assert again.observed.about == whole.observed.about


def test_without_a_folder_nothing_is_written(chunks_of_16, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Part, "save", lambda part, path: pytest.fail(f"{path} was written"))
    data = marked(60)
    assert len(scan_images("made", classifier(data), data, SETTINGS).observed) == 60
    assert list(tmp_path.iterdir()) == []


class SignedLater(nn.Module):
    """Its layer is below zero on black pixels alone; how xGradCAM is to be judged depends on the batch."""

    def __init__(self):
        super().__init__()
        self.spec = InputSpec(SIZE, channels=1)
        self.features = nn.Conv2d(1, 1, 1)
        self.head = nn.Conv2d(1, 2, 32)
        with torch.no_grad():
            self.features.weight.fill_(1)
            self.features.bias.fill_(-0.1)
            weights = torch.linspace(-1, 1, 32 * 32).view(1, 32, 32)
            self.head.weight.copy_(torch.stack([weights, weights.flip(1)]))
            self.head.bias.zero_()

    def forward(self, images):
        return self.head(self.features(images)).flatten(1)


def test_the_formula_is_that_of_the_first_batch_wherever_a_run_goes_on(chunks_of_16, looked_at, tmp_path):
    random = np.random.default_rng(0)
    images = torch.from_numpy(random.integers(0, 256, (32, 1, 32, 32)).astype(np.uint8))
    images[:8].clamp_(min=100)  # The first batch has no black pixel.
    ids = np.array([f"{at:02d}" for at in range(32)])
    data = InMemory(images, np.arange(32) % 2, ids, ("a", "b"))
    net = Classifier(SignedLater(), InputSpec(SIZE, channels=1), ("a", "b")).eval()
    settings = replace(SETTINGS, layer="features")
    whole = observe_images(observer_of(data, net, settings), data, folder=tmp_path)
    assert whole.formula == "XGradCAM"
    chunk_path(tmp_path, 16).unlink()
    looked_at.clear()
    assert same_bits(observe_images(observer_of(data, net, settings), data, folder=tmp_path), whole)
    assert looked_at == data.ids[16:].tolist()


@pytest.fixture
def walked(chunks_of_16, tmp_path):
    """A walk over 40 images with its records: of 16, 16 and 8."""
    data = marked(40)
    observe_images(observer_of(data), data, folder=tmp_path)
    return data, tmp_path


def test_half_a_record_is_named_before_anything_is_computed(walked, looked_at):
    data, folder = walked
    chunk_path(folder, 0).unlink()
    path = chunk_path(folder, 16)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(
        DataDamaged, match=r"00000016\.npz is damaged .*; delete it, and its images run again"
    ):
        observe_images(observer_of(data), data, folder=folder)
    assert looked_at == []
    path.unlink()
    observe_images(observer_of(data), data, folder=folder)
    assert looked_at == data.ids[:32].tolist()


def test_a_flipped_bit_is_found(walked):
    _, folder = walked
    path = chunk_path(folder, 0)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataDamaged, match=r"00000000\.npz is damaged"):
        Part.load(path, 16)


def test_a_record_of_another_number_of_images(walked):
    data, folder = walked
    chunk_path(folder, 32).replace(chunk_path(folder, 16))
    with pytest.raises(
        DataDamaged,
        match=r"expected 16 images in .*00000016\.npz, got 8; delete it, and its images run again",
    ):
        observe_images(observer_of(data), data, folder=folder)


def test_a_record_that_lacks_a_property(walked):
    _, folder = walked
    path = chunk_path(folder, 0)
    with np.load(path) as arrays:
        kept = {name: arrays[name] for name in arrays if name != "properties/noise"}
    np.savez_compressed(path, **kept)
    with pytest.raises(DataDamaged, match=r"is damaged .*properties/noise.*; delete it"):
        Part.load(path, 16)
