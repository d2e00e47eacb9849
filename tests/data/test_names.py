import pytest

from masktune.data.names import first_three, in_order_of_splits, labels_of, split_name
from masktune.errors import InputError


@pytest.mark.parametrize(
    ("given", "split"),
    [
        *(("train", "train"), ("Training", "train"), ("VAL", "validation"), ("valid", "validation")),
        *(("dev", "validation"), ("eval", "validation"), ("Testing", "test"), (" test ", "test")),
        *(("cat", None), ("trainer", None), ("", None)),
    ],
)
def test_names_of_splits(given, split):
    assert split_name(given) == split


def test_splits_come_in_their_order():
    assert in_order_of_splits(["raw", "test", "train", "aligned", "test"]) == (
        "train",
        "test",
        "aligned",
        "raw",
    )


@pytest.mark.parametrize(
    ("names", "labels", "classes"),
    [
        (["dog", "cat", "dog"], [1, 0, 1], ("cat", "dog")),
        (["10", "9", "2"], [2, 1, 0], ("2", "9", "10")),
        (["1.0", "0.0", "1"], [1, 0, 1], ("0", "1")),
        (["1", "-1"], [1, 0], ("-1", "1")),
        (["01", "10", "2"], [0, 2, 1], ("01", "2", "10")),
        (["1e1", "3"], [1, 0], ("3", "10")),
        (["10", "9", "b"], [0, 1, 2], ("10", "9", "b")),  # Not all are numbers, so they are names.
    ],
)
def test_classes_by_name_or_number(names, labels, classes):
    found, found_classes = labels_of(names, "x")
    assert found.tolist() == labels
    assert found_classes == classes


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["cat", "Cat", "dog"], "expected one spelling a class in x, got 'Cat' and 'cat'; write them alike"),
        (["two  words", "Two words"], "got 'Two words' and 'two  words'"),
        (["1", "01"], "got '01' and '1'"),
        (["0", "0.37"], "expected classes in x, got the number 0.37, which is not whole; name the column"),
    ],
)
def test_what_are_no_classes(names, message):
    with pytest.raises(InputError) as caught:
        labels_of(names, "x")
    assert message in str(caught.value)


def test_the_first_three():
    assert first_three(["a", "b"]) == "'a', 'b'"
    assert first_three([1, 2, 3, 4, 5]) == "1, 2, 3 and 2 more"
