import jaxtyping
import numpy as np
import pytest
import torch

from masktune.errors import InputError
from masktune.types import Batch, InputSpec, Step, View, as_float, check_choice, silent


def test_bytes_become_shares_of_255():
    images = torch.tensor([0, 51, 102, 255], dtype=torch.uint8).view(1, 1, 2, 2)
    assert as_float(images).flatten().tolist() == pytest.approx([0.0, 0.2, 0.4, 1.0])
    assert as_float(images).dtype == torch.float32
    assert images.flatten().tolist() == [0, 51, 102, 255]


def test_floats_stay_as_they_are():
    images = torch.rand(1, 3, 2, 2, dtype=torch.float64)
    assert as_float(images) is images


def test_a_batch_moves_its_tensors_and_keeps_its_names():
    batch = Batch(torch.zeros(2, 1, 1, 1), torch.tensor([0, 1]), ("a", "b"), ("g", "h"), ("s", "s"))
    moved = batch.to(torch.device("meta"))
    assert (moved.images.device.type, moved.labels.device.type) == ("meta", "meta")
    assert (moved.ids, moved.groups, moved.subjects) == (("a", "b"), ("g", "h"), ("s", "s"))
    assert len(batch) == 2


def test_a_whole_view_shows_all():
    assert View.whole((3, 5)) == View(source=(3, 5), box=(0, 0, 3, 5), size=(3, 5), flip=False)


def test_a_box_may_reach_beyond_its_source_but_must_meet_it():
    View((10, 20), (-3, 9.5, 6, 12), (2, 2))
    for box in [(10, 8, 6, 12), (4, 20, 6, 12), (-2, 0, 2, 2), (0, -2, 2, 2), (0, 0, 0, 2)]:
        with pytest.raises(InputError, match=r"expected a box that meets a source of \(10, 20\) pixels"):
            View((10, 20), box, (2, 2))


def test_the_share_that_a_view_sees():
    assert View((10, 20), (0, 0, 10, 20), (2, 2)).seen == 1
    assert View((10, 20), (2.5, 5, 5, 10), (2, 2)).seen == 0.25
    assert View((10, 20), (-5, 0, 20, 20), (2, 2)).seen == 1  # Bordered, not cut.
    assert View((10, 20), (-5, 10, 10, 20), (2, 2)).seen == 0.25  # The upper right quarter.


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"size": (0, 28)}, "expected a positive size and channel count, got (0, 28) and 3"),
        ({"channels": 0}, "expected a positive size and channel count, got (28, 28) and 0"),
        ({"mean": (0.1, 0.2)}, "expected 1 or 3 numbers as mean, got 2"),
        ({"std": (1.0,) * 4}, "expected 1 or 3 numbers as std, got 4"),
        ({"crop_share": 1.1}, "expected a crop share above 0 and at most 1, got 1.1"),
        ({"range": (5.0, 5.0)}, "expected a range of two numbers, the lower first, got (5.0, 5.0)"),
        ({"range": "uint8"}, "expected range as one of dtype, percentile, got 'uint8'"),
        ({"std": (0.5, 0.0, 0.5)}, "expected a positive std, got (0.5, 0.0, 0.5); it divides the pixels"),
        (
            {"resize": "squish"},
            "expected resize as one of crop, squash, pad, got 'squish' (did you mean 'squash'?)",
        ),
        (
            {"interpolation": "linear"},
            (
                "expected interpolation as one of nearest, bilinear, bicubic, got 'linear' "
                "(did you mean 'bilinear' or 'nearest'?)"
            ),
        ),
    ],
)
def test_an_input_spec_checks_itself(settings, sentence):
    with pytest.raises(InputError) as caught:
        InputSpec(**{"size": (28, 28)} | settings)
    assert str(caught.value) == sentence


def test_a_choice_is_one_of_its_list():
    check_choice("fruit", "apple", ["apple", "pear"])
    with pytest.raises(InputError, match=r"^expected fruit as one of apple, pear, got 3$"):
        check_choice("fruit", 3, iter(["apple", "pear"]))


def test_the_silent_progress_shows_nothing(capsys):
    assert silent(Step("training", 1, 2)) is None
    assert capsys.readouterr() == ("", "")


def test_labels_of_a_batch_are_checked_in_the_suite():
    with pytest.raises(jaxtyping.TypeCheckError):
        Batch(torch.zeros(2, 1, 1, 1), torch.from_numpy(np.zeros(2)), ("a", "b"))
