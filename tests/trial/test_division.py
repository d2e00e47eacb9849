"""Which images are tuned on, judged on, reserved and left alone."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.listed import make
from masktune.data.splits import with_splits
from masktune.errors import InputError
from masktune.trial.division import divide
from masktune.trial.seen import Listed, Seen, seen_images

FEW = settings(max_examples=60, deadline=None)


def listed(labels, **others):
    return Listed.of_samples(make(labels, **others))


def seen_of(flags):
    return Seen(np.array(flags, dtype=bool), "told")


def none_of(of):
    return seen_of([False] * len(of))


def counts(of, division):
    """Images of each role and class."""
    return Counter(zip(division.roles.tolist(), of.labels.tolist(), strict=True))


def split_of(of, division):
    return dict(zip(of.ids.tolist(), division.roles.tolist(), strict=True))


def test_given_splits_stay():
    splits = ["train"] * 8 + ["validation"] * 4 + ["test"] * 4
    of = listed([0, 1] * 8, splits=splits)
    division = divide(of, none_of(of), seed=0)
    assert division.roles.tolist() == splits
    assert (division.notes, division.made, division.cap) == ((), (), None)


def test_training_images_that_were_seen_are_still_trained_on():
    splits = ["train"] * 8 + ["validation"] * 4
    of = listed([0, 1] * 6, splits=splits)
    division = divide(of, seen_images(None, of, own_training=False), seed=0)
    assert division.roles.tolist() == splits
    assert division.notes == ()


def test_images_that_were_seen_are_never_judged_on():
    splits = ["train"] * 4 + ["validation"] * 6 + ["test"] * 4 + ["calibration"] * 2
    of = listed([0, 1] * 8, splits=splits)
    division = divide(of, seen_of([at in (0, 4, 5, 12, 14) for at in range(16)]), seed=0)
    assert division.roles.tolist() == (
        ["train"] * 4
        + ["unused"] * 2
        + ["validation"] * 4
        + ["test"] * 2
        + ["unused", "test"]
        + ["unused", "calibration"]
    )
    assert division.notes == (
        "2 of the 6 images of validation were trained on and are left out",
        "1 of the 4 images of test were trained on and are left out",
        "1 of the 2 images of calibration were trained on and are left out",
    )


def test_other_splits_are_not_used():
    splits = ["train"] * 4 + ["validation"] * 4 + ["extra"] * 3
    of = listed([0, 1] * 5 + [0], splits=splits)
    # An image of it that was trained on is not made a training image.
    division = divide(of, seen_of([at >= 10 for at in range(11)]), seed=0)
    assert division.roles.tolist() == ["train"] * 4 + ["validation"] * 4 + ["unused"] * 3
    assert division.notes == (
        "the 3 images of split 'extra' are not used; the splits are train, validation, test, calibration",
    )


def test_test_is_judged_on_where_there_is_no_validation():
    of = listed([0, 1] * 6, splits=["train"] * 6 + ["test"] * 6)
    division = divide(of, seen_of([at == 6 for at in range(12)]), seed=0)
    assert division.roles.tolist() == ["train"] * 6 + ["unused"] + ["validation"] * 5
    assert division.made == ()
    assert division.notes == (
        "1 of the 6 images of test were trained on and are left out",
        "no split validation is given, so the images of test are judged on: no untouched test is left",
    )


def test_validation_is_drawn_where_no_split_is_given():
    of = listed([0] * 40 + [1] * 20)
    division = divide(of, none_of(of), seed=3)
    # 15 % of each class.
    assert counts(of, division) == {
        ("train", 0): 34,
        ("validation", 0): 6,
        ("train", 1): 17,
        ("validation", 1): 3,
    }
    assert division.made == ("train", "validation")
    (note,) = division.notes
    assert note == (
        "60 images were not trained on: 9 are judged on, 51 are tuned on, drawn by seed 3; "
        "--validation-share judges on more"
    )


def test_it_is_drawn_as_splits_are_made():
    samples = make([0] * 40 + [1] * 20)
    of = Listed.of_samples(samples)
    for seed in range(3):
        made = with_splits(samples, ("train", "validation"), seed=seed).samples.splits
        assert divide(of, none_of(of), seed=seed).roles.tolist() == made.tolist()


def test_a_small_class_gives_two_images_to_judge_on():
    of = listed([0] * 20 + [1] * 5)
    # 15 % of five images would be one.
    assert counts(of, divide(of, none_of(of), seed=0))["validation", 1] == 2


def test_what_is_drawn_is_a_share_of_all_images_but_unseen():
    of = listed([0, 1] * 20)
    seen = seen_of([at < 16 for at in range(40)])
    division = divide(of, seen, seed=0)
    # 15 % of 40 images are 6, of the 24 that were not seen.
    assert counts(of, division) == {
        ("train", 0): 17,
        ("validation", 0): 3,
        ("train", 1): 17,
        ("validation", 1): 3,
    }
    assert (division.roles[:16] == "train").all()


def test_all_unseen_images_are_judged_on_if_they_are_at_most_half():
    of = listed([0, 1] * 20)
    division = divide(of, seen_of([at < 20 for at in range(40)]), seed=0)
    assert division.roles.tolist() == ["train"] * 20 + ["validation"] * 20
    (note,) = division.notes
    assert note == (
        "20 images were not trained on: 20 are judged on, since they are at most half of all; "
        "--validation-share judges on fewer"
    )
    division = divide(of, seen_of([at < 19 for at in range(40)]), seed=0)
    assert Counter(division.roles.tolist()) == {"train": 34, "validation": 6}


def test_a_share_of_the_unseen_images_is_judged_on_if_asked_for():
    of = listed([0] * 40 + [1] * 20)
    seen = seen_of([at % 6 == 0 for at in range(60)])  # 33 and 17 are left.
    division = divide(of, seen, validation_share=0.3, seed=0)
    assert counts(of, division) == {
        ("train", 0): 30,
        ("validation", 0): 10,
        ("train", 1): 15,
        ("validation", 1): 5,
    }
    assert (division.roles[::6] == "train").all()
    (note,) = division.notes
    assert note == (
        "50 images were not trained on: 15 are judged on, 35 are tuned on, drawn by seed 0, as "
        "--validation-share 0.3 says"
    )
    everything = divide(of, seen, validation_share=1, seed=0)
    assert everything.roles.tolist() == (["train"] + ["validation"] * 5) * 10
    assert everything.notes == (
        "50 images were not trained on: 50 are judged on, as --validation-share 1 says",
    )
    (unasked,) = divide(of, seen, seed=0).notes
    assert unasked.endswith(
        "9 are judged on, 41 are tuned on, drawn by seed 0; --validation-share 1 judges on all"
    )


def test_a_share_is_of_what_calibration_leaves():
    of = listed([0, 1] * 20)
    seen = seen_of([at < 20 for at in range(40)])
    division = divide(of, seen, calibration_share=0.2, validation_share=0.5, seed=0)
    assert Counter(division.roles.tolist()) == {"train": 28, "validation": 8, "calibration": 4}
    assert division.notes[1] == (
        "20 images were not trained on: 4 are reserved, 8 are judged on, 8 are tuned on, drawn by seed 0, as "
        "--validation-share 0.5 says"
    )


def test_a_small_share_still_gives_two_images_of_each_class_to_judge_on():
    of = listed([0, 1] * 20)
    assert Counter(divide(of, none_of(of), validation_share=0.01, seed=0).roles.tolist()) == {
        "train": 36,
        "validation": 4,
    }


def test_a_share_divides_no_subject():
    subjects = [f"p{at // 4}" for at in range(80)]
    of = listed([0, 1] * 40, subjects=subjects)
    division = divide(of, none_of(of), validation_share=0.5, seed=0)
    assert Counter(division.roles.tolist()) == {"train": 40, "validation": 40}
    assert not {*of.subjects[division.roles == "train"]} & {*of.subjects[division.roles == "validation"]}


def test_a_share_of_what_may_be_unseen():
    of = listed([0, 1] * 20)
    division = divide(of, seen_images(None, of, own_training=False), validation_share=0.5, seed=0)
    (note,) = division.notes
    assert note == (
        "40 images may not have been trained on: 20 are judged on, 20 are tuned on, drawn by seed 0, as "
        "--validation-share 0.5 says"
    )


def test_all_unseen_images_cannot_be_judged_on_where_none_was_seen():
    of = listed([0, 1] * 20)
    with pytest.raises(InputError) as caught:
        divide(of, none_of(of), validation_share=1, seed=0)
    assert str(caught.value) == (
        "expected images to tune on, got none: --validation-share 1 judges on all 40, none known to have "
        "been trained on; give a smaller share"
    )
    with pytest.raises(InputError, match="expected images to judge on that were not trained on, got none"):
        divide(of, seen_images("all", of, own_training=False), validation_share=1, seed=0)


@pytest.mark.parametrize("judged", ["validation", "test"])
def test_a_share_beside_a_split_that_is_judged_on_is_refused(judged):
    of = listed([0, 1] * 20, splits=["train"] * 30 + [judged] * 10)
    with pytest.raises(InputError) as caught:
        divide(of, none_of(of), validation_share=0.5, seed=0)
    assert str(caught.value) == (
        f"expected images to judge on by their split or by --validation-share, got both: split {judged!r} "
        "and the share 0.5; leave the share out"
    )


def test_validation_is_drawn_of_training_images_that_were_not_seen():
    of = listed([0, 1] * 20, splits=["train"] * 30 + ["extra"] * 10)
    division = divide(of, seen_of([at < 6 for at in range(40)]), seed=0)
    # 15 % of the 30 images in play are 4.5, of 24: each class gives 2.25.
    assert counts(of, division)["validation", 0] == counts(of, division)["validation", 1] == 2
    assert set(division.roles[:6]) == {"train"}
    assert set(division.roles[30:]) == {"unused"}
    assert division.made == ("validation",)


def test_where_nothing_is_known_numbers_are_shown_and_no_verdict():
    of = listed([0, 1] * 20)
    unknown = seen_images(None, of, own_training=False)
    division = divide(of, unknown, seed=0)
    assert division.cap == unknown.told
    assert division.roles.tolist() == divide(of, none_of(of), seed=0).roles.tolist()
    of = listed([0, 1] * 6, splits=["train"] * 8 + ["validation"] * 4)
    division = divide(of, seen_images("unknown", of, own_training=False), seed=0)
    assert division.cap == unknown.told
    assert division.roles.tolist() == of.splits.tolist()


def test_calibration_is_drawn_before_validation():
    of = listed([0] * 40 + [1] * 20)
    division = divide(of, none_of(of), calibration_share=0.2, seed=0)
    assert counts(of, division) == {
        ("calibration", 0): 8,
        ("calibration", 1): 4,
        ("validation", 0): 6,  # 15 % of all 40, not of the 32 that are left.
        ("validation", 1): 3,
        ("train", 0): 26,
        ("train", 1): 13,
    }
    assert division.made == ("train", "validation", "calibration")
    assert division.notes[0] == "12 images are reserved for calibration; nothing reads them before select"


def test_calibration_comes_from_validation_where_training_images_were_seen():
    splits = ["train"] * 20 + ["validation"] * 20 + ["test"] * 10
    of = listed([0, 1] * 25, splits=splits)
    division = divide(of, seen_images(None, of, own_training=False), calibration_share=0.2, seed=0)
    assert Counter(division.roles[:20].tolist()) == {"train": 20}
    assert Counter(division.roles[20:40].tolist()) == {"validation": 16, "calibration": 4}
    assert Counter(division.roles[40:].tolist()) == {"test": 10}
    assert counts(of, division)["calibration", 0] == counts(of, division)["calibration", 1] == 2
    assert division.made == ("calibration",)


def test_calibration_takes_its_share_of_train_and_of_validation_where_neither_was_seen():
    of = listed([0, 1] * 30, splits=["train"] * 40 + ["validation"] * 10 + ["test"] * 10)
    for seed in range(5):
        division = divide(of, none_of(of), calibration_share=0.2, seed=seed)
        assert Counter(division.roles[:40].tolist()) == {"train": 32, "calibration": 8}
        assert Counter(division.roles[40:50].tolist()) == {"validation": 8, "calibration": 2}
        assert set(division.roles[50:]) == {"test"}


def test_calibration_comes_from_unseen_images_only_where_a_file_names_the_others():
    of = listed([0, 1] * 20)
    division = divide(of, seen_of([at < 20 for at in range(40)]), calibration_share=0.2, seed=0)
    # All that was not seen but a fifth is judged on: it was at most half before calibration was drawn.
    assert Counter(division.roles[:20].tolist()) == {"train": 20}
    assert Counter(division.roles[20:].tolist()) == {"validation": 16, "calibration": 4}
    # It was more than half before, though it is less after.
    division = divide(of, seen_of([at < 2 for at in range(40)]), calibration_share=0.5, seed=0)
    assert Counter(division.roles.tolist()) == {"train": 14, "validation": 6, "calibration": 20}


def test_images_that_are_given_for_calibration_stay():
    of = listed([0, 1] * 8, splits=["train"] * 8 + ["validation"] * 4 + ["calibration"] * 4)
    assert divide(of, none_of(of), seed=0).roles.tolist() == of.splits.tolist()
    with pytest.raises(InputError) as caught:
        divide(of, none_of(of), calibration_share=0.1, seed=0)
    assert str(caught.value) == (
        "expected calibration images by their split or by --calibration-share, got both (0.1); leave the "
        "share out"
    )


def test_a_subject_is_judged_by_its_rarest_class():
    # Ten of 40 patients have one ill image among three; the other images are healthy.
    labels = [int(patient < 10 and image == 0) for patient in range(40) for image in range(3)]
    of = listed(labels, subjects=[f"p{patient}" for patient in range(40) for _ in range(3)])
    for seed in range(10):
        division = divide(of, none_of(of), calibration_share=0.1, seed=seed)
        # Of 10 and of 30 patients: a tenth, then 15 % (1.5 becomes 2, 4.5 becomes 5).
        assert counts(of, division)["calibration", 1] == 1
        assert counts(of, division)["validation", 1] == 2
        assert Counter(division.roles.tolist()) == {"calibration": 12, "validation": 21, "train": 87}


@FEW
@given(
    rows=st.lists(st.tuples(st.integers(0, 15), st.integers(0, 1)), max_size=50),
    trained=st.sets(st.integers(0, 7), max_size=6),
    share=st.sampled_from([0.0, 0.1, 0.3]),
    order=st.randoms(use_true_random=False),
    seed=st.integers(0, 5),
)
def test_no_subject_is_divided_no_seen_one_judges_and_no_order_matters(rows, trained, share, order, seed):
    # Eight more patients of each class, so that there are enough to judge on.
    rows = rows + [(100 + 2 * number + label, label) for number in range(8) for label in (0, 1)]
    named = [(f"{at}.png", f"p{subject}", label) for at, (subject, label) in enumerate(rows)]
    of_trained = {f"p{number}" for number in trained} | {f"p{100 + number}" for number in trained}

    def roles(rows):
        ids, subjects, labels = zip(*rows, strict=True)
        of = listed(labels, ids=list(ids), subjects=list(subjects))
        seen = seen_of([subject in of_trained for subject in subjects])
        return of, divide(of, seen, calibration_share=share, seed=seed)

    of, division = roles(named)
    for subject in set(of.subjects.tolist()):
        (role,) = set(division.roles[of.subjects == subject].tolist())
        assert role in ({"train"} if subject in of_trained else {"train", "validation", "calibration"})
    assert ("calibration" in division.roles) == (share > 0)
    before = split_of(of, division)
    order.shuffle(named)
    assert split_of(*roles(named)) == before


def test_the_seed_decides():
    of = listed([0, 1] * 20)
    first, again, other = (
        divide(of, none_of(of), calibration_share=0.1, seed=seed).roles.tolist() for seed in (0, 0, 1)
    )
    assert first == again != other


def test_nothing_left_to_judge_on():
    of = listed([0, 1] * 10)
    with pytest.raises(InputError) as caught:
        divide(of, seen_images("all", of, own_training=False), calibration_share=0.2, seed=0)
    assert str(caught.value) == (
        "expected images to judge on that were not trained on, got none (the weights were trained on all 20 "
        "images, as --trained-on all says); give others, or name those that were trained on with "
        "--trained-on FILE"
    )
    of = listed([0, 1] * 10, splits=["train"] * 20)
    with pytest.raises(InputError, match=r"got none \(the weights are assumed to have been trained on"):
        divide(of, seen_images(None, of, own_training=False), seed=0)
    of = listed([0, 1] * 10, splits=["train"] * 10 + ["validation"] * 4 + ["test"] * 6)
    with pytest.raises(InputError, match="expected images to judge on that were not trained on, got none"):
        divide(of, seen_of([at < 14 for at in range(20)]), seed=0)


def test_no_training_images():
    of = listed([0, 1] * 4, splits=["validation"] * 4 + ["test"] * 4)
    with pytest.raises(InputError) as caught:
        divide(of, none_of(of), seed=0)
    assert str(caught.value) == (
        "expected training images, got validation and test only; give a split 'train' too"
    )


def test_one_class_only():
    splits = ["train"] * 4 + ["validation"] * 4
    of = listed([0, 1, 0, 1, 1, 1, 1, 1], splits=splits)
    with pytest.raises(InputError) as caught:
        divide(of, none_of(of), seed=0)
    assert str(caught.value) == (
        "expected images of two classes or more to judge on, got 4 of 'dog' only; give images of others too"
    )
    of = listed([0, 0, 0, 0, 0, 0, 1, 1], splits=splits)
    with pytest.raises(InputError, match="two classes or more to tune on, got 4 of 'cat' only"):
        divide(of, none_of(of), seed=0)


def test_too_few_of_a_class_to_judge_on():
    of = listed([0, 1, 2] * 3 + [0, 0, 1, 1, 2], splits=["train"] * 9 + ["test"] * 5, classes=tuple("abcd"))
    with pytest.raises(InputError) as caught:
        divide(of, none_of(of), seed=0)
    # The class d, which a model may know, has no images at all and is none to judge on.
    assert str(caught.value) == (
        "expected at least 2 images of each class to judge on, got 1 of 'c'; give more of it that were not "
        "trained on"
    )
    # A class whose images were all trained on is missing among those that are judged on.
    of = listed([0, 1, 2] * 8, classes=tuple("abc"))
    with pytest.raises(
        InputError, match="got 0 of 'c'; give more of it that were not trained on, or leave --"
    ):
        divide(of, seen_of([at % 3 == 2 for at in range(24)]), calibration_share=0.1, seed=0)


@pytest.mark.parametrize("share", [-0.1, 0.51, float("nan")])
def test_a_share_that_cannot_be_reserved(share):
    of = listed([0, 1] * 10)
    with pytest.raises(
        InputError, match=r"expected a --calibration-share from 0 to 0.5, got (-0.1|0.51|nan)"
    ):
        divide(of, none_of(of), calibration_share=share, seed=0)


def test_a_subject_that_is_tuned_on_is_judged_nowhere_though_the_given_splits_divide_it():
    splits = np.array(["train"] * 8 + ["validation"] * 8 + ["test"] * 4)
    subjects = np.array([f"s{at}" for at in range(20)])
    subjects[8], subjects[16] = "s0", "s1"  # One image of validation, one of test.
    labels = np.arange(20) % 2
    listed = Listed(np.array([f"{at:02d}" for at in range(20)]), labels, ("a", "b"), subjects, splits)
    division = divide(listed, seen_images("none", listed, own_training=False), seed=0)
    assert division.roles[[8, 16]].tolist() == ["unused", "unused"]
    assert (division.roles == "validation").sum() == 7
    assert (division.roles == "test").sum() == 3
    assert "2 images show subjects that are tuned on, and are left out of what is judged" in division.notes


def test_a_copy_of_an_image_that_is_tuned_on_is_judged_nowhere():
    splits = ["train"] * 8 + ["validation"] * 8 + ["test"] * 4
    digests = [f"content {at}" for at in range(20)]
    digests[9], digests[18] = digests[1], digests[2]
    of = Listed.of_samples(make([0, 1] * 10, splits=splits), np.array(digests))
    division = divide(of, seen_images("none", of, own_training=False), seed=0)
    assert np.flatnonzero(division.roles == "unused").tolist() == [9, 18]
    assert (
        "2 images are copies of images that are tuned on, and are left out of what is judged"
        in division.notes
    )
    division = divide(of, seen_images(None, of, own_training=False), seed=0)
    assert np.flatnonzero(division.roles == "unused").tolist() == [9, 18]
    assert division.notes[0] == "1 of the 8 images of validation were trained on and are left out"


@FEW
@given(seed=st.integers(0, 1000))
def test_what_is_drawn_divides_no_copies(seed):
    digests = np.array([str(at // 2) for at in range(80)])
    of = Listed.of_samples(make([0, 0, 1, 1] * 20), digests)
    division = divide(of, seen_of([False] * 80), calibration_share=0.2, seed=seed)
    assert (division.roles[::2] == division.roles[1::2]).all()
    assert set(division.roles) == {"train", "validation", "calibration"}
