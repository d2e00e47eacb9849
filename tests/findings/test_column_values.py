import numpy as np

from masktune.findings.column_values import MISSING, OTHER, cut, named, tried, usable

from .made import Planted, words
from .observations import observed


def alone(values):
    return cut(values, np.arange(len(values)))


def test_few_different_numbers_are_a_bin_each():
    found = alone(np.array([3.0, 1, 3, np.nan, 2]))
    assert found.names == ("1", "2", "3", MISSING)
    assert found.codes.tolist() == [2, 0, 2, 3, 1]
    assert found.ends[:3].tolist() == [[1, 1], [2, 2], [3, 3]]


def test_many_numbers_are_cut_into_eight_alike():
    found = alone(np.arange(800.0)[::-1].copy())
    assert np.bincount(found.codes).tolist() == [100] * 8
    assert found.names[:2] == ("0 to 99", "100 to 199")
    assert found.codes[0] == 7
    assert found.range_of([0, 1]) == "0 to 199"


def test_few_images_make_fewer_bins():
    assert len(alone(np.arange(30.0)).names) == 3  # At least 10 images each.
    assert len(alone(np.arange(12.0)).names) == 2


def test_a_pile_of_equal_numbers_stays_alone():
    for pile, rest in ((0.0, np.arange(1.0, 401)), (500.0, np.arange(1.0, 401))):
        values = np.concatenate([np.full(600, pile), rest])
        found = alone(values)
        assert len(set(found.codes[:600])) == 1
        assert not set(found.codes[:600]) & set(found.codes[600:])


def test_words_are_told_apart_while_there_are_five_of_each():
    found = alone(words(["a"] * 6 + ["b"] * 5 + ["c"] * 4 + ["d"] + [""] * 2))
    assert found.names == ("a", "b", OTHER, MISSING)
    assert np.bincount(found.codes).tolist() == [6, 5, 5, 2]
    assert found.codes[-1] == 3


def test_only_the_thirty_commonest_words_stay():
    counts = {f"w{at:02}": 10 + at for at in range(40)}
    found = alone(words([word for word, count in counts.items() for _ in range(count)]))
    assert len(found.names) == 31
    assert found.names[0] == "w39"
    assert "w09" not in found.names
    assert found.names[30] == OTHER


def test_subjects_are_counted_not_images():
    # 4 subjects with 10 images each say "a", 5 say "b".
    values = words(np.repeat(["a", "b"], [40, 50]))
    assert cut(values, np.repeat(np.arange(9), 10)).names == ("b", OTHER)


def test_numbers_written_as_words_are_numbers():
    found = alone(words([*range(100), "", "nan"]))
    assert found.names[0] == "0 to 11"
    assert found.names[-1] == MISSING
    assert np.bincount(found.codes)[-1] == 2
    assert alone(words([1, 2, 3] * 10)).names == ("1", "2", "3")  # Few: they may stand for anything.
    assert alone(words([*range(20), *["x"] * 20])).names == ("x", OTHER)  # Half of them are none.
    assert len(alone(words([*range(100), "1e999"])).names) == 9  # Infinity is no number to sort by.


def of(values, labels=None, **more):
    n = len(values)
    labels = np.arange(n) % 2 if labels is None else labels
    seen = observed(labels, columns={"a column": words(values)}, classes=("cat", "dog"), **more)
    return usable(seen, "columns", np.arange(n), seen.units)


def test_what_cannot_be_asked():
    assert of(["same"] * 40) == []
    assert of([f"id {at}" for at in range(40)]) == []  # All "other".
    assert of([""] * 40) == []
    assert of(["Cat", "Dog"] * 20) == []  # The class, whatever the case.
    assert [column.name for column in of(["cat", "dog"] * 19 + ["dog", "cat"])] == ["a column"]


def test_a_subjects_own_name_is_no_column():
    subjects = np.repeat(np.arange(20), 10)
    assert of([f"patient {at}" for at in subjects], subjects=subjects) == []


def test_facts_are_names_or_tags():
    facts = {"folder": 0, "folder 2": 0, "name prefix": 0, "EXIF Model": 0, "file size": 0, "named by": 0}
    seen = observed([0, 1], facts={name: words("xy") for name in facts})
    assert list(named(seen, "names")) == ["folder", "folder 2", "name prefix"]
    assert list(named(seen, "tags")) == ["EXIF Model", "file size", "named by"]


def with_group(groups, **more):
    seen = Planted(n=40).observed(**more)
    object.__setattr__(seen.predictions, "groups", np.array(groups))
    return seen, usable(seen, "columns", np.arange(40), seen.units)


def test_groups_that_have_the_class_in_them_tell_nothing():
    labels = Planted(n=40).labels
    _, (nested,) = with_group([f"class {label} on {at % 4 // 2}" for at, label in enumerate(labels)])
    assert nested.name == "group"
    assert not nested.tells
    assert nested.matters
    _, (place,) = with_group(["land", "land", "water", "water"] * 10)
    assert place.tells


def test_a_group_that_is_a_column_counts_once():
    place = ["land", "land", "water", "water"] * 10
    seen, found = with_group(place, columns={"place": words(place)})
    assert [column.name for column in found] == ["place"]
    assert tried(seen, np.arange(40), seen.units) == 1


def test_a_split_may_be_easier_but_not_tell_the_class():
    seen = Planted(n=40).observed(splits=["train", "train", "test", "test"] * 10)
    (split,) = usable(seen, "columns", np.arange(40), seen.units)
    assert (split.name, split.tells, split.matters) == ("split", True, False)


def test_tried_counts_all_families():
    random = np.random.default_rng(0)
    facts = {"folder 1": words(["a", "b"] * 20), "file format": words(["PNG"] * 40)}
    seen = Planted(n=40).observed(
        properties={"brightness": random.random(40), "redness": np.full(40, np.nan)}, facts=facts
    )
    assert tried(seen, np.arange(40), seen.units) == 2
