from collections import Counter

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation
from scipy.stats import f_oneway

from masktune.data import Dataset, KnowsShortcut, WithoutGroups, batches
from masktune.errors import InputError
from masktune.models import Classifier
from masktune.testing import Marker, ShortcutImages
from masktune.testing.shapes import SHAPES
from masktune.types import InputSpec

SIZE = (32, 40)


def made(n=40, **given):
    return ShortcutImages(n, **{"size": SIZE, **given})


def test_it_is_a_data_set_that_knows_its_shortcut():
    data = made(7)
    assert isinstance(data, Dataset)
    assert isinstance(data, KnowsShortcut)
    assert not isinstance(WithoutGroups(data), KnowsShortcut)
    batch = next(batches(data, 5))
    assert (batch.images.shape, batch.images.dtype) == ((5, 1, 32, 40), torch.uint8)
    assert batch.ids == tuple(f"images/{at:05d}.png" for at in range(5))
    assert batch.subjects is None
    assert data.classes == ("circle", "cross")


def test_subjects_have_several_images_of_one_class():
    data = made(11, images_per_subject=3)
    assert data.subjects.tolist() == [f"s{at // 3:04d}" for at in range(11)]
    assert data.ids.tolist() == [f"images/s{at // 3:04d}_{at % 3:02d}.png" for at in range(11)]
    assert all(len(set(data.labels[data.subjects == name])) == 1 for name in data.subjects)


def test_the_same_seed_gives_the_same_bits_and_another_one_others():
    assert torch.equal(made(seed=3).images, made(seed=3).images)
    assert not torch.equal(made(seed=3).images, made(seed=4).images)


def test_an_image_depends_on_seed_and_number_and_on_no_count():
    # Which class an image has is drawn for all together: those that have the same in both are the same.
    few, many = made(60, marker=None, images_per_subject=2), made(100, marker=None, images_per_subject=2)
    same = np.flatnonzero(few.labels == many.labels[:60])
    assert 10 < len(same) < 60
    assert torch.equal(few.images[same], many.images[same])
    later = made(40, marker=None, images_per_subject=2, first=30)
    same = np.flatnonzero(later.labels == many.labels[60:])
    assert 5 < len(same) < 40
    assert torch.equal(later.images[same], many.images[60:][same])
    assert later.ids.tolist() == many.ids[60:].tolist()


def test_images_differ_from_each_other():
    data = made(100, images_per_subject=4)
    assert len({image.numpy().tobytes() for image in data.images}) == 100


@pytest.mark.parametrize(("channels", "colour"), [(1, (1, 0.5, 0)), (3, (1, 0.5, 0))])
@pytest.mark.parametrize("kind", ["square", "cross", "tag", "stripe", "border", "tint", "object"])
def test_a_marker_changes_its_own_pixels_as_said_and_no_others(kind, channels, colour):
    marker = Marker(kind, strength=0.75, colour=colour, share=1, conflicting=0.5)
    with_it, without = made(channels=channels, marker=marker), made(channels=channels, marker=None)
    on = with_it.shortcut_pixels(range(40))
    assert on.any(2).any(1).sum() == 30  # All of 20 and half of 20.
    below, above = without.images.double(), with_it.images.double()
    towards = torch.tensor(colour if channels == 3 else [0.5]).double().view(1, -1, 1, 1) * 255
    expected = torch.where(on[:, None], below + 0.75 * (towards - below), below)
    assert (above - expected).abs().max() <= 1  # Both were rounded to whole values.
    assert torch.equal(above[~on[:, None].expand_as(above)], below[~on[:, None].expand_as(above)])


def test_without_a_marker_no_pixel_is_a_shortcut():
    assert not made(marker=None).shortcut_pixels(range(40)).any()


def test_the_groups_say_who_carries():
    data = made(100, marker=Marker(share=0.8, conflicting=0.2))
    carries = data.shortcut_pixels(range(100)).any(2).any(1).numpy()
    assert carries.tolist() == ["with marker" in group for group in data.groups]
    assert [data.classes[label] for label in data.labels] == [group.split()[0] for group in data.groups]
    assert carries.sum() == 40 + 10


def test_two_markers_are_both_known():
    tag = Marker("tag", 8, "bottom right", of_class="cross", share=1, conflicting=0)
    square = Marker(size=6, share=1, conflicting=0.5)
    data = made(40, marker=square, second=tag)
    count = data.shortcut_pixels(range(40)).sum((1, 2)).numpy()
    # A square has 36 pixels; the letter 8 x 2 + 2 x 6 - 2 x 2 = 24.
    pairs = zip(data.labels.tolist(), count.tolist(), strict=True)
    assert Counter(pairs) == {(0, 36): 20, (1, 24): 10, (1, 60): 10}


def test_anywhere_is_drawn_for_each_image():
    data = made(marker=Marker(size=4, place="anywhere", share=1, conflicting=1))
    on = data.shortcut_pixels(range(40))
    assert on.sum((1, 2)).unique().tolist() == [16]
    assert len({pixels.numpy().tobytes() for pixels in on}) > 30


@pytest.mark.parametrize("indices", [[4, 0, 4], torch.tensor([4, 0, 4])])
def test_pixels_come_in_the_order_asked_for(indices):
    data = made(8, marker=Marker(share=1, conflicting=1, place="anywhere"))
    for pixels in (data.shortcut_pixels, data.object_pixels):
        whole = pixels(range(8))
        assert torch.equal(pixels(indices), whole[[4, 0, 4]])
        assert pixels([]).shape == (0, *SIZE)


def test_where_the_marker_is_the_object_their_pixels_are_the_same():
    data = made(marker=Marker("object", share=1, conflicting=1))
    assert torch.equal(data.shortcut_pixels(range(40)), data.object_pixels(range(40)))


@pytest.mark.parametrize("channels", [1, 3])
def test_only_the_object_tells_the_class(channels):
    # Another class, the same number: all that differs lies within two pixels of either shape
    # (a star's tip is thinner than half a pixel for longer than one).
    given = {"marker": None, "channels": channels, "size": (48, 48)}
    one = ShortcutImages(40, classes=("star", "ring"), **given)
    other = ShortcutImages(40, classes=("square", "triangle"), **given)
    both = (one.object_pixels(range(40)) | other.object_pixels(range(40))).numpy()
    near = binary_dilation(both, np.ones((1, 5, 5), bool))
    differs = (one.images != other.images).any(1).numpy()
    assert differs.any((1, 2)).all()
    assert not (differs & ~near).any()


def test_the_object_stands_out_and_is_where_it_is_said_to_be():
    data = ShortcutImages(200, marker=None)
    on = data.object_pixels(range(200)).numpy()
    images = data.images[:, 0].numpy() / 255
    rim = binary_dilation(on, np.ones((1, 7, 7), bool)) & ~binary_dilation(on, np.ones((1, 3, 3), bool))
    contrast = [
        image[inside].mean() - image[around].mean()
        for image, inside, around in zip(images, on, rim, strict=True)
    ]
    # 0.15 to 0.3 lighter or darker, less what the texture under it differs from that around it.
    assert np.quantile(np.abs(contrast), 0.05) > 0.1
    assert 70 <= (np.array(contrast) > 0).sum() <= 130
    share = on.mean((1, 2))
    assert 0.075 < share.min() < 0.09
    assert 0.17 < share.max() < 0.185


def statistics(data):
    """What tells about an image without looking at an outline: (n, features)."""
    images = data.images.double().flatten(2).numpy() / 255
    rows = data.images.double()
    objects = data.object_pixels(range(len(data))).double()
    area = objects.sum((1, 2))
    y, x = (torch.arange(length).double() for length in data.images.shape[2:])
    inside = (rows.mean(1) * objects).sum((1, 2)) / area
    columns = [
        *images.mean(2).T,  # The mean of each channel.
        images.mean(1).std(1),
        images.mean(1).max(1),
        images.mean(1).min(1),
        rows[:, :, : len(y) // 2].mean((1, 2, 3)).numpy(),
        rows[:, :, :, : len(x) // 2].mean((1, 2, 3)).numpy(),
        area.numpy(),
        ((objects.sum(2) * y).sum(1) / area).numpy(),
        ((objects.sum(1) * x).sum(1) / area).numpy(),
        inside.numpy(),
    ]
    return np.stack(columns, axis=1)


def least_p(data):
    features = statistics(data)
    return [
        f_oneway(*(column[data.labels == label] for label in range(len(data.classes)))).pvalue
        for column in features.T
    ]


@pytest.mark.parametrize("seed", [0, 1])
def test_without_a_marker_nothing_but_the_outline_tells_the_class(seed):
    data = ShortcutImages(1800, seed=seed, channels=3, classes=tuple(SHAPES), marker=None, size=(48, 48))
    assert min(least_p(data)) > 0.005  # Twelve looks: one below 0.005 comes in 6 % of all seeds.


def test_the_same_look_finds_a_marker():
    data = ShortcutImages(1800, channels=3, classes=tuple(SHAPES), size=(48, 48))
    assert min(least_p(data)) < 1e-20


def test_more_bits_are_the_same_picture_in_finer_steps():
    eight, sixteen, twelve = made(), made(bits=16), made(bits=12)
    assert (eight.images.dtype, sixteen.images.dtype) == (torch.uint8, torch.float32)
    assert (sixteen.images.double() * 255 - eight.images).abs().max() < 0.51
    assert (sixteen.images.double() - twelve.images).abs().max() < 0.51 / 4095 * 1.1
    values = twelve.images.double() * 4095
    assert (values - values.round()).abs().max() < 1e-3
    assert len(values.round().unique()) > 1000


@pytest.fixture(scope="module")
def parts():
    data = made(80, images_per_subject=4, marker=Marker(share=0.9, conflicting=0.1), variant="mine")
    return data.splits(validation=24, test=42)


def test_splits_are_the_images_and_further_ones(parts):
    assert (parts.name, parts.variant) == ("shortcut-images", "mine")
    assert (len(parts.train), len(parts.validation)) == (80, 24)
    assert {name: len(data) for name, data in parts.tests.items()} == dict.fromkeys(
        ("test", "raw", "aligned", "conflicting"), 42
    )
    whole = made(80).splits()
    assert (len(whole.validation), len(whole.tests["raw"])) == (20, 40)


def test_no_subject_and_no_image_is_in_two_splits(parts):
    every = [parts.train, parts.validation, *parts.tests.values()]
    for names in ([set(data.ids) for data in every], [set(data.subjects) for data in every]):
        assert len(set.union(*names)) == sum(map(len, names))
    images = [image.numpy().tobytes() for data in every for image in data.images]
    assert len(set(images)) == 80 + 24 + 4 * 42


def test_who_carries_the_marker_in_each_split(parts):
    def carried(data):
        on = data.shortcut_pixels(range(len(data))).any(2).any(1).numpy()
        return tuple(int(on[data.labels == label].sum()) for label in (0, 1))

    assert carried(parts.train) == (36, 4)  # 40 a class.
    assert carried(parts.validation) == (11, 1)  # 12 a class.
    size = np.bincount(parts.tests["raw"].labels)
    assert carried(parts.tests["raw"]) == (0, 0)
    assert carried(parts.tests["aligned"])[1] == 0 < carried(parts.tests["aligned"])[0]
    assert carried(parts.tests["conflicting"])[0] == 0 < carried(parts.tests["conflicting"])[1]
    assert size.min() >= 18
    for name, label in (("aligned", 0), ("conflicting", 1)):
        data = parts.tests[name]
        assert carried(data)[label] == (data.labels == label).sum()


def test_the_hash_is_of_the_content(parts):
    given = {"images_per_subject": 4, "marker": Marker(share=0.9, conflicting=0.1)}
    again = made(80, **given).splits(validation=24, test=42)
    assert again.sha256 == parts.sha256
    assert len(again.sha256) == 64
    others = [
        made(80, seed=1, **given).splits(validation=24, test=42),
        made(80, **given | {"marker": Marker(share=0.9, conflicting=0.1, strength=0.7)}).splits(
            validation=24, test=42
        ),
        made(80, **given).splits(validation=24, test=41),
    ]
    assert len({parts.sha256, *(each.sha256 for each in others)}) == 4


def test_without_a_marker_there_is_nothing_to_be_aligned_with():
    assert list(made(40, marker=None).splits().tests) == ["test"]


def test_the_clinic():
    data = ShortcutImages.clinic(1000)
    assert (data.images.dtype, data.images.shape) == (torch.float32, (1000, 1, 96, 80))
    assert data.settings.white == 4095
    assert Counter(data.groups.tolist()) == {
        "finding with marker": 36,
        "finding without marker": 4,
        "no finding with marker": 10,  # round(9.6).
        "no finding without marker": 950,
    }
    assert set(Counter(data.subjects.tolist()).values()) == {4}
    on = data.shortcut_pixels(np.flatnonzero(data.groups == "finding with marker").tolist())
    assert on.sum((1, 2)).unique().tolist() == [2 * 8 + 2 * 6 - 4]  # 0.4 % of the image.


def test_a_net_with_one_logit_takes_the_clinics_images():
    data = ShortcutImages.clinic(200)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(96 * 80, 1))
    classifier = Classifier(net, InputSpec((96, 80), channels=1), data.classes)
    with torch.no_grad():
        logits = classifier(data.__getitems__([0, 7]).images)
        z = net(data.images[[0, 7]])[:, 0]
    assert torch.equal(logits, torch.stack([torch.zeros(2), z], dim=1))


@pytest.mark.parametrize(
    ("case", "variant", "channels", "groups"),
    [
        ("no_shortcut", "no-shortcut", 1, {"circle": 60, "cross": 60}),
        (
            "shortcut_is_object",
            "shortcut-is-object",
            1,
            {
                "circle with marker": 57,
                "circle without marker": 3,
                "cross with marker": 3,
                "cross without marker": 57,
            },
        ),
        (
            "many_classes",
            "many-classes",
            3,
            {"star with marker": 19, "star without marker": 1}
            | {f"{name} without marker": 20 for name in ("circle", "square", "triangle", "cross", "ring")},
        ),
    ],
)
def test_named_cases(case, variant, channels, groups):
    data = getattr(ShortcutImages, case)(120)
    assert data.settings.variant == variant
    assert data.images.shape == (120, channels, 64, 64)
    assert Counter(data.groups.tolist()) == groups


def test_two_shortcuts_each_give_one_class_away():
    data = ShortcutImages.two_shortcuts(400)
    groups = Counter(data.groups.tolist())
    assert sum(groups[name] for name in groups if name.startswith("circle with marker")) == 190
    assert sum(groups[name] for name in groups if name.startswith("cross with marker")) == 10
    assert sum(groups[name] for name in groups if "cross" in name and "with second" in name) == 190
    assert sum(groups[name] for name in groups if "circle" in name and "with second" in name) == 10


@pytest.mark.parametrize("given", [{"n": 0}, {"n": 5, "first": -1}])
def test_numbers_that_cannot_be_are_refused(given):
    with pytest.raises(InputError, match=r"^expected 1 or more images and a first subject from 0, got "):
        made(**given)
