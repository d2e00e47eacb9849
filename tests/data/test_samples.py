import os

import numpy as np
import pytest

from masktune.data.samples import Count, check_classes
from masktune.errors import InputError

from .listed import make


def test_a_selection_keeps_rows_together():
    samples = make(
        [0, 1, 0],
        splits=["train", "test", "test"],
        groups=["", "b", "c"],
        subjects=["p", "q", "r"],
        columns={"age": np.array(["1", "2", "3"], dtype=object)},
    )
    some = samples.select(np.array([2, 1]))
    assert some.ids.tolist() == ["002.png", "001.png"]
    assert some.labels.tolist() == [0, 1]
    assert some.groups.tolist() == ["c", "b"]
    assert some.subjects.tolist() == ["r", "q"]
    assert some.columns["age"].tolist() == ["3", "2"]
    assert [some.contents.where(position) for position in (0, 1)] == ["/nowhere/002.png", "/nowhere/001.png"]
    masked = samples.select(np.array([False, True, True]))
    assert masked.ids.tolist() == ["001.png", "002.png"]
    assert some.in_order().ids.tolist() == ["001.png", "002.png"]
    assert len(samples.select(np.zeros(3, dtype=bool))) == 0


def test_groups_that_no_chosen_image_has_are_unknown():
    samples = make([0, 1, 0], splits=["train", "train", "test"], groups=["", "", "c"])
    assert samples.of_split("train").groups is None
    assert samples.of_split("test").groups.tolist() == ["c"]


def test_a_split_by_name():
    samples = make([0, 1, 0], splits=["train", "validation", "raw"])
    assert samples.split_names == ("train", "validation", "raw")
    assert samples.of_split("val").ids.tolist() == ["001.png"]
    assert samples.of_split("raw").ids.tolist() == ["002.png"]
    with pytest.raises(InputError) as caught:
        samples.of_split("tarin")
    assert str(caught.value) == "no split 'tarin' (did you mean 'train'?); there are train, validation, raw"
    with pytest.raises(InputError, match="no split 'test'"):
        samples.of_split("test")
    with pytest.raises(InputError, match="expected the split 'test', but no splits are given"):
        make([0, 1]).of_split("test")


def test_labels_in_the_order_of_a_models_classes():
    samples = make([0, 1, 1]).in_order_of(("dog", "fox", "cat"))
    assert samples.labels.tolist() == [2, 0, 0]
    assert samples.classes == ("dog", "fox", "cat")


def test_classes_that_the_model_does_not_know():
    with pytest.raises(InputError) as caught:
        make([0, 1]).in_order_of(("tabby cat", "dogs", "fox", "owl"))
    assert str(caught.value) == (
        "the model has no class 'cat' (did you mean 'tabby cat'?) (2 of the images' 2 classes are unknown to "
        "it); its classes are 'tabby cat', 'dogs', 'fox' and 1 more: name them in the model's order, spelled "
        "as for the images, with --classes"
    )
    with pytest.raises(InputError, match="the model has two classes 'dog'; tell them apart with --classes"):
        make([0, 1]).in_order_of(("dog", "cat", "dog"))


@pytest.mark.parametrize(
    ("pattern", "subjects"),
    [
        (r"p\d+", ["p1", "p1", "p22"]),
        (r"^(p\d)", ["p1", "p1", "p2"]),
        (r"_(\d)\.", ["1", "2", "1"]),
        (r"(\w+)/p", ["x", "y", "x"]),  # With a / the whole id is looked at.
    ],
)
def test_subjects_from_names(pattern, subjects):
    ids = ["a/x/p1_1.png", "a/y/p1_2.png", "b/x/p22_1.png"]
    assert make([0, 0, 1], ids=ids).with_subjects(pattern).subjects.tolist() == subjects


def test_names_that_have_no_subject():
    samples = make([0, 0, 1, 0, 1], ids=["p1.png", "a.png", "b.png", "c.png", "d.png"])
    with pytest.raises(InputError) as caught:
        samples.with_subjects(r"p\d")
    assert str(caught.value) == (
        r"expected a subject in each file name by --subject-from 'p\\d', but 4 of 5 do not match: 'a.png', "
        "'b.png', 'c.png' and 1 more; a pattern with / is looked for in the whole path"
    )
    with pytest.raises(InputError, match="5 of 5 do not match"):  # It matches, but nothing.
        samples.with_subjects("q*")
    with pytest.raises(InputError, match=r"'p\(' is no regular expression for --subject-from: missing \)"):
        samples.with_subjects("p(")


def test_counts_show_the_cells_that_are_empty():
    samples = make(
        [0, 0, 1, 1], splits=["train", "train", "train", "test"], groups=["land", "sea", "land", "land"]
    )
    assert samples.counts() == (
        Count("train", "cat", "land", 1),
        Count("train", "cat", "sea", 1),
        Count("train", "dog", "land", 1),
        Count("test", "cat", "land", 0),
        Count("test", "cat", "sea", 0),
        Count("test", "dog", "land", 1),
    )
    assert make([0, 0, 1]).counts() == (Count(None, "cat", None, 2), Count(None, "dog", None, 1))


def test_a_class_that_a_split_lacks():
    check_classes(make([0, 1]), "x")
    with pytest.raises(InputError) as caught:
        check_classes(make([0, 1, 0], splits=["train", "train", "test"]), "x")
    assert str(caught.value) == (
        "class 'dog' has no images in split 'test' of x; every split needs images of every class"
    )
    with pytest.raises(InputError, match=r"^expected at least two classes in x, got 1: 'cat'$"):
        check_classes(make([0], classes=("cat",)), "x")
    with pytest.raises(InputError, match=r"class 'dog' has no images in x \(2 such cases\)"):
        check_classes(make([0], classes=("cat", "dog", "fox")), "x")


def test_the_fingerprint_sees_each_column(tmp_path):
    def of(labels=(0, 1), **others):
        samples = make(list(labels), ids=["a", "b"], **others)
        paths = tuple(str(tmp_path / name) for name in samples.ids.tolist())
        return type(samples)(
            samples.ids,
            samples.labels,
            samples.classes,
            type(samples.contents)(paths),
            samples.splits,
            samples.groups,
            samples.subjects,
        ).fingerprint()

    for name in "ab":
        (tmp_path / name).touch()
        os.utime(tmp_path / name, ns=(1, 1))
    variants = [
        of(),
        of(labels=(1, 0)),
        of(splits=["train", "test"]),
        of(groups=["train", "test"]),
        of(subjects=["train", "test"]),
        of(classes=("cat", "fox")),
    ]
    assert of() == variants[0]
    assert len(set(variants)) == len(variants)
    (tmp_path / "a").write_bytes(b"1")
    assert of() != variants[0]


@pytest.mark.usefixtures("unchecked")
def test_rows_that_do_not_fit():
    with pytest.raises(InputError, match="expected 2 rows, one an image, got 3 in splits"):
        make([0, 1], splits=["train"] * 3)
    with pytest.raises(InputError, match="expected 2 rows, one an image, got 1 in column 'age'"):
        make([0, 1], columns={"age": np.array(["1"])})
    with pytest.raises(InputError, match="expected ids that differ, got 'a' twice"):
        make([0, 1, 0], ids=["a", "b", "a"])
    with pytest.raises(InputError, match=r"expected labels from 0 to 1 \(2 classes\), got 0 to 2"):
        make([0, 2])
