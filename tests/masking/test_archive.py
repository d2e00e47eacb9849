import json
import resource

import numpy as np
import pytest
import torch
from torch import nn

from masktune.errors import DataDamaged, DataNotFound, InputError, StorageError
from masktune.masking.archive import SavedMaps
from masktune.masking.geometry import hidden_through_view
from masktune.masking.masker import Masker
from masktune.masking.thresholds import MeanPlusStd, TopFraction
from masktune.saliency.cam import enlarge
from masktune.types import Batch, View

from .fakes import BrightPatches, Pixels, small_net

NET = nn.Identity()


def some_batches(count=10, size=(24, 32)):
    images = torch.randint(
        0, 256, (count, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    images[3] = 0  # A map without a positive value.
    labels = torch.arange(count) % 2
    ids = tuple(f"train/{number}.png" for number in range(count))
    return [Batch(images[at : at + 4], labels[at : at + 4], ids[at : at + 4]) for at in range(0, count, 4)]


def computed(**settings):
    return SavedMaps.compute(
        BrightPatches(NET, grid=(6, 8)), some_batches(), weights_sha256="abc", **settings
    )


def test_what_is_kept():
    saved = computed()
    assert saved.stored.shape == (10, 6, 8)
    assert saved.stored.dtype == np.float16
    assert saved.manifest.n == len(saved) == 10
    assert saved.manifest.method == "BrightPatches"
    assert saved.manifest.layer == "patches"
    assert saved.manifest.size == (24, 32)
    assert saved.manifest.grid == (6, 8)
    assert saved.views == (View.whole((24, 32)),)
    assert saved.empty.nonzero()[0].tolist() == [3]
    assert saved.classes.tolist() == [1] * 3 + [0] + [1] * 6  # The maximum is above the mean, but for black.


def test_maps_are_those_of_the_explainer_in_any_order():
    saved = computed()
    batch = some_batches()[1]
    found = BrightPatches(NET, grid=(6, 8))(batch.images)
    assert torch.equal(saved.low(batch.ids), found.low.half().float())
    assert torch.equal(saved.low(batch.ids[::-1]), found.low.half().float().flip(0))
    assert torch.equal(saved.maps(batch.ids), enlarge(found.low.half().float(), (24, 32)))


def test_the_label_may_be_explained():
    assert computed(classes="label").classes.tolist() == [0, 1] * 5


def test_progress_is_told():
    steps = []
    computed(total=10, progress=steps.append)
    assert [(step.what, step.done, step.total) for step in steps] == [
        ("computing saliency maps", done, 10) for done in (4, 8, 10)
    ]


def test_round_trip(tmp_path):
    saved = computed()
    saved.save(tmp_path / "maps")
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == [
        "manifest.json",
        "maps.npy",
        "samples.npz",
    ]
    opened = SavedMaps.open(tmp_path / "maps", weights_sha256="abc")
    assert isinstance(opened.stored, np.memmap)
    assert opened.manifest == saved.manifest
    assert opened.ids == saved.ids
    assert opened.views == saved.views
    for name in ("stored", "classes", "empty"):
        np.testing.assert_array_equal(getattr(opened, name), getattr(saved, name))
    assert torch.equal(opened.low(saved.ids), saved.low(saved.ids))


def test_the_manifest_says_what_the_maps_are(tmp_path):
    computed().save(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert 0 < manifest.pop("seconds") < 60
    assert manifest == {
        "method": "BrightPatches",
        "layer": "patches",
        "classes": "predicted",
        "weights_sha256": "abc",
        "size": [24, 32],
        "grid": [6, 8],
        "n": 10,
        "schema": "masktune.maps/1",
    }


def test_each_map_may_have_its_own_view(tmp_path):
    views = [View((50 + at, 60), (at, 2, 40, 50), (24, 32), flip=at % 2 == 1) for at in range(10)]
    computed(views=views).save(tmp_path)
    opened = SavedMaps.open(tmp_path)
    assert opened.views == tuple(views)
    assert opened.views_of(["train/7.png", "train/2.png"]) == (views[7], views[2])
    assert computed().views_of(["train/7.png", "train/2.png"]) == (View.whole((24, 32)),) * 2


def test_threshold_and_share_change_without_the_net():
    saved = computed()
    assert (
        saved.hidden(saved.ids, TopFraction(0.25)).sum((1, 2)) == torch.tensor([192] * 3 + [0] + [192] * 6)
    ).all()
    hidden = saved.hidden(saved.ids, MeanPlusStd(1.0))
    statistics = saved.statistics(saved.ids, hidden)
    assert (statistics.n, statistics.no_evidence, statistics.above_maximum) == (10, 1, 0)


@pytest.mark.parametrize(
    "threshold", [MeanPlusStd(1.0), MeanPlusStd(0.5, at="map"), TopFraction(0.1)], ids=str
)
@pytest.mark.filterwarnings("ignore:1 of 8 masks hide nothing")
def test_saved_masks_are_the_online_masks_bit_for_bit(tmp_path, threshold):
    computed().save(tmp_path)
    saved = SavedMaps.open(tmp_path)
    masker = Masker(NET, explainer=BrightPatches(NET, grid=(6, 8)), threshold=threshold)
    for batch in some_batches():
        online = masker.hidden(batch.images)
        assert online.any()
        assert torch.equal(saved.hidden(batch.ids, threshold), online)


def test_so_are_those_of_a_real_net(tmp_path):
    masker = Masker(Pixels(small_net()), threshold=MeanPlusStd(1.0))
    SavedMaps.compute(masker.explainer, some_batches(), weights_sha256="abc").save(tmp_path)
    saved = SavedMaps.open(tmp_path)
    assert saved.manifest.method == "XGradCAM"
    for batch in some_batches():
        assert torch.equal(saved.hidden(batch.ids, masker.threshold), masker.hidden(batch.images))


def test_a_saved_mask_follows_its_image_into_another_view():
    view = View((40, 40), (4, 8, 24, 32), (24, 32))
    saved = computed(views=[view])
    hidden = saved.hidden(saved.ids, TopFraction(0.2))
    shifted = View((40, 40), (5, 9, 24, 30), (24, 30))  # One row and one column further, two columns less.
    moved = hidden_through_view(hidden, saved.views_of(saved.ids), shifted)
    assert torch.equal(moved[:, :23], hidden[:, 1:, 1:31])
    assert not moved[:, 23].any()


def test_other_weights_are_refused(tmp_path):
    computed().save(tmp_path)
    with pytest.raises(
        InputError, match=r"expected maps of the weights other in .*, got maps of abc; compute them anew"
    ):
        SavedMaps.open(tmp_path, weights_sha256="other")


@pytest.mark.parametrize("name", ["maps.npy", "samples.npz", "manifest.json"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_said_in_one_line(tmp_path, name, share):
    computed().save(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataDamaged, match="compute them anew") as caught:
        SavedMaps.open(tmp_path)
    assert "\n" not in str(caught.value)


def test_files_of_different_maps_do_not_go_together(tmp_path):
    computed().save(tmp_path)
    np.save(tmp_path / "maps.npy", np.zeros((9, 6, 8), np.float16))
    with pytest.raises(DataDamaged, match="expected 10 maps"):
        SavedMaps.open(tmp_path)


def test_a_missing_file_is_a_plain_error(tmp_path):
    with pytest.raises(DataNotFound, match=r"no complete saved maps in .*: it has no manifest.json"):
        SavedMaps.open(tmp_path)
    computed().save(tmp_path)
    (tmp_path / "maps.npy").unlink()
    with pytest.raises(StorageError, match=r"cannot read .*: no such file"):
        SavedMaps.open(tmp_path)


def test_another_schema_is_refused(tmp_path):
    computed().save(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text()) | {"schema": "masktune.maps/9"}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(
        DataDamaged, match=r"expected maps of schema masktune.maps/1 in .*, got masktune.maps/9"
    ):
        SavedMaps.open(tmp_path)


def test_while_it_is_written_a_folder_is_not_complete(tmp_path, monkeypatch):
    computed().save(tmp_path)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(StorageError, match="the disk is full"):
        computed().save(tmp_path)
    with pytest.raises(DataNotFound):
        SavedMaps.open(tmp_path)


def test_a_limit_of_the_system_is_met_for_real(tmp_path):
    saved = computed()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, before[1]))  # The maps need 1088 bytes.
    try:
        with pytest.raises(StorageError, match=r"maps.npy: the file is larger than this disk or your limits"):
            saved.save(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: computed().low(["train/0.png", "valid/0.png"]),
            "expected ids of samples with a map, got 'valid/0.png'",
        ),
        (
            lambda: computed(views=[View.whole((24, 32))] * 2),
            "expected one view, or one for each of 10 maps, got 2",
        ),
        (lambda: computed(views=[View.whole((24, 30))]), r"expected views of \(24, 32\) pixels"),
        (
            lambda: SavedMaps.compute(BrightPatches(NET), some_batches() * 2, weights_sha256="abc"),
            "expected each id once, got 20 ids of 10 samples",
        ),
        (
            lambda: SavedMaps.compute(BrightPatches(NET, layers=2), some_batches(), weights_sha256="abc"),
            "expected an explainer of one layer",
        ),
        (
            lambda: SavedMaps.compute(
                BrightPatches(NET), some_batches() + some_batches(size=(8, 8)), weights_sha256="abc"
            ),
            r"expected images, all of one size, got \[\(8, 8\), \(24, 32\)\]",
        ),
        (
            lambda: SavedMaps.compute(BrightPatches(NET), [], weights_sha256="abc"),
            "expected images, all of one size, got none",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(InputError, match=message):
        call()
