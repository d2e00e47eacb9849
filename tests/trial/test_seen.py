"""What the given weights were trained on."""

from dataclasses import replace

import numpy as np
import pytest

from data.listed import make
from masktune.errors import DataDamaged, DataNotFound, InputError
from masktune.trial.seen import Listed, seen_images

from .tiny import images

IDS = ["cat/1.png", "cat/2.png", "cat/3.png", "dog/1.png", "dog/2.png", "dog/deep/4.png"]
LABELS = [0, 0, 0, 1, 1, 1]


def listed(ids=IDS, labels=LABELS, **others):
    return Listed.of_samples(make(labels, ids=ids, **others))


def seen_ids(seen, of):
    return of.ids[seen.seen].tolist()


@pytest.fixture
def by_file(tmp_path):
    """The ids that a file with this content says were trained on, and what is told of it."""

    def read(content, name="trained.txt", of=None):
        of = listed() if of is None else of
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        seen = seen_images(str(path), of, own_training=False)
        return seen_ids(seen, of), seen.told

    return read


def test_weights_that_the_trial_trains_itself_have_seen_nothing():
    for splits in (None, ["train"] * 4 + ["validation"] * 2):
        seen = seen_images(None, listed(splits=splits), own_training=True)
        assert seen.known
        assert not seen.seen.any()
        assert seen.told == "the trial trains the weights itself, so they have seen none of the images before"


def test_the_split_train_is_assumed_and_said():
    of = listed(splits=["train", "test", "train", "validation", "train", "test"])
    seen = seen_images(None, of, own_training=False)
    assert seen_ids(seen, of) == ["cat/1.png", "cat/3.png", "dog/2.png"]
    assert seen.told == (
        "the weights are assumed to have been trained on the 3 images of split train, since the data name "
        "splits; --trained-on says otherwise"
    )


def test_without_splits_nothing_is_known():
    for of in (listed(), listed(splits=["validation", "test"] * 3)):
        seen = seen_images(None, of, own_training=False)
        assert not seen.known
        assert seen.seen is None
        assert seen.told == (
            "it is not known which of these images the weights were trained on, and a gain on such images "
            "says nothing about others, so none can be claimed; say which they are with --trained-on FILE "
            "or none"
        )


def test_words_are_stronger_than_splits():
    of = listed(splits=["train"] * 3 + ["test"] * 3)
    for own_training in (False, True):
        everything, nothing, unknown = (
            seen_images(word, of, own_training=own_training) for word in ("all", "none", "unknown")
        )
        assert seen_ids(everything, of) == IDS
        assert everything.told == "the weights were trained on all 6 images, as --trained-on all says"
        assert seen_ids(nothing, of) == []
        assert nothing.told == "the weights were trained on none of the images, as --trained-on none says"
        assert not unknown.known
        assert "it is not known" in unknown.told


def test_ids_one_a_line(by_file):
    assert by_file("cat/2.png\n\n  dog/1.png \ncat/2.png\n") == (
        ["cat/2.png", "dog/1.png"],
        "the weights were trained on 2 of the 6 images, as trained.txt says",
    )


@pytest.mark.parametrize(
    "written",
    [
        "/home/anna/data/cat/2.png",
        "./cat/2.png",
        "../data/./cat//2.png",
        r"D:\data\cat\2.png",
        r"cat\2.png",
    ],
)
def test_paths_are_written_in_many_ways(by_file, written):
    assert by_file(written)[0] == ["cat/2.png"]


def test_the_end_of_an_id_names_it_where_no_other_has_it(by_file):
    assert by_file("4.png")[0] == by_file("deep/4.png")[0] == ["dog/deep/4.png"]
    # Of the file 1.png itself and cat/1.png, the name says which.
    of = listed(ids=["1.png", "cat/1.png"], labels=[0, 1])
    assert (
        by_file("1.png", of=of)[0]
        == by_file("./1.png", of=of)[0]
        == by_file("x/1.png", of=of)[0]
        == ["1.png"]
    )
    assert by_file("x/cat/1.png", of=of)[0] == by_file("cat/1.png", of=of)[0] == ["cat/1.png"]


def test_an_end_that_several_images_have_is_refused(by_file):
    with pytest.raises(InputError) as caught:
        by_file("cat/3.png\n1.png\n2.png\n")
    assert str(caught.value).startswith("expected names that mean one image each in --trained-on /")
    assert str(caught.value).endswith(
        "trained.txt, got 2 of 3 that may be several: '1.png', '2.png'; the first may be 'cat/1.png', "
        "'dog/1.png'; write more of their folders"
    )


def test_the_same_name_in_another_folder_is_another_image(by_file):
    # Only test images are listed; those that were trained on bear the same names in train.
    of = listed(ids=["test/cat/1.png", "test/cat/2.png"], labels=[0, 1])
    with pytest.raises(InputError) as caught:
        by_file("data/train/cat/1.png\ndata/train/cat/2.png\n", of=of)
    assert str(caught.value).endswith(
        "trained.txt names other images: none of its 2 names mean one of the 2 images here; those that mean "
        "none: 'data/train/cat/1.png', 'data/train/cat/2.png'; ids here look like 'test/cat/1.png', "
        "'test/cat/2.png'; write those, or paths that end in them"
    )


def test_names_of_other_images_are_counted(by_file):
    found, told = by_file("cat/1.png\nbird/1.png\nbird/2.png\n")
    assert found == ["cat/1.png"]
    assert told == (
        "the weights were trained on 1 of the 6 images, as trained.txt says; 2 of its 3 names are no images "
        "here"
    )


def test_three_names_of_other_images_are_told(tmp_path):
    (tmp_path / "trained.txt").write_text("cat/1.png\nbird/1\nbird/2\nbird/2\nbird/3\nbird/4\n")
    seen = seen_images(str(tmp_path / "trained.txt"), listed(), own_training=False)
    assert seen.told.endswith("1 of the 6 images, as trained.txt says; 4 of its 5 names are no images here")
    (note,) = seen.notes
    assert note == (
        "names in trained.txt that are no images here: 'bird/1', 'bird/2', 'bird/3' and 1 more; an image "
        "that one of them means under another name counts as never trained on"
    )
    (tmp_path / "trained.txt").write_text("cat/1.png\n")
    assert seen_images(str(tmp_path / "trained.txt"), listed(), own_training=False).notes == ()


MANY = [f"cat/{at}.png" for at in range(100)]


@pytest.mark.parametrize(
    ("here", "others", "fits"),
    [
        (10, 900, True),  # A tenth of the images, though hardly any of its names are images here.
        (9, 81, True),  # A tenth of its names, though hardly any of the images are named.
        (9, 82, False),
        (9, 900, False),
        (1, 0, True),
    ],
)
def test_a_file_that_has_hardly_any_name_and_hardly_any_image_is_refused(by_file, here, others, fits):
    of = listed(ids=MANY, labels=[0, 1] * 50)
    content = "\n".join([*MANY[:here], *(f"bird/{at}.png" for at in range(others))])
    if fits:
        assert by_file(content, of=of)[0] == MANY[:here]
        return
    with pytest.raises(InputError) as caught:
        by_file(content, of=of)
    assert str(caught.value).endswith(
        f"trained.txt names other images: only {here} of its {here + others} names mean one of the 100 "
        "images here, less than 10 % of either; those that mean none: 'bird/0.png', 'bird/1.png', "
        f"'bird/2.png' and {others - 3} more; ids here look like 'cat/0.png', 'cat/1.png', 'cat/2.png' and "
        "97 more; write those, or paths that end in them; leave names of other images out"
    )


def test_a_heading_is_no_name(by_file):
    for heading in ("filename", "Image Name", "image_id"):
        assert by_file(f"{heading}\ncat/1.png\n")[1].endswith("as trained.txt says")
    # What looks like an image is none.
    assert by_file("bird1.png\ncat/1.png\n")[1].endswith("1 of its 2 names are no images here")


@pytest.mark.parametrize("name", ["trained.csv", "trained.tsv", "trained.txt", "trained"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_names_them_in_a_column(by_file, name, delimiter):
    for column in ("path", "Id", "ID"):
        rows = [
            ["label", column, "split"],
            ["cat", "cat/1.png", "train"],
            ["dog", "/data/dog/2.png", "train"],
        ]
        content = "\n".join(delimiter.join(row) for row in rows)
        assert by_file(content, name)[0] == ["cat/1.png", "dog/2.png"]


def test_path_goes_before_id_and_the_first_column_stands_in(by_file):
    assert by_file("id,path\n17,cat/1.png\n18,cat/3.png\n", "t.csv")[0] == ["cat/1.png", "cat/3.png"]
    for first in ("filename,class\n", ""):
        content = f"{first}cat/1.png,cat\ndog/1.png,dog\n"
        assert by_file(content, "t.csv") == (
            ["cat/1.png", "dog/1.png"],
            "the weights were trained on 2 of the 6 images, as t.csv says",
        )


def test_values_that_a_spreadsheet_left_alone(by_file):
    of = listed(ids=["0001", "0002", "0003"], labels=[0, 1, 1])
    assert by_file("id,label\n'0001',a\n'0003',b\n", "review.csv", of=of)[0] == ["0001", "0003"]


def test_a_comma_belongs_to_the_name_where_there_is_no_table(by_file):
    of = listed(ids=["Lee, Ann/1.png", "Lee, Ann/2.png", "Ng/1.png"], labels=[0, 1, 1])
    assert by_file("Lee, Ann/1.png\nNg/1.png\n", of=of)[0] == ["Lee, Ann/1.png", "Ng/1.png"]


def test_text_as_windows_writes_it(by_file):
    for encoding in ("utf-16", "utf-8-sig"):
        assert by_file("cat\\1.png\r\ncat\\2.png\r\n".encode(encoding))[0] == ["cat/1.png", "cat/2.png"]


def test_images_of_subjects_that_were_trained_on_count_too(by_file):
    subjects = ["p1", "p2", "p1", "p3", "p1", "p3"]
    found, told = by_file("cat/1.png\ncat/2.png\n", of=listed(subjects=subjects))
    assert found == ["cat/1.png", "cat/2.png", "cat/3.png", "dog/2.png"]
    assert told == (
        "the weights were trained on 2 of the 6 images (2 more show the same subjects and count too), as "
        "trained.txt says"
    )
    of = listed(subjects=subjects, splits=["train", "test"] * 3)
    seen = seen_images(None, of, own_training=False)
    # The split train has cat/1 and cat/3 of p1 and dog/2 of p1 too: nobody else.
    assert seen_ids(seen, of) == ["cat/1.png", "cat/3.png", "dog/2.png"]
    of = listed(subjects=subjects, splits=["train", "test", "test", "test", "test", "train"])
    seen = seen_images(None, of, own_training=False)
    assert seen_ids(seen, of) == ["cat/1.png", "cat/3.png", "dog/1.png", "dog/2.png", "dog/deep/4.png"]
    assert "2 images of split train (3 more show the same subjects and count too), since" in seen.told


def test_the_order_of_the_listing_changes_nothing(by_file):
    order = np.random.default_rng(0).permutation(6)
    shuffled = Listed.of_samples(make(LABELS, ids=IDS, subjects=list("abacad")).select(order))
    found, told = by_file("1/cat/1.png\ndog/2.png\n", of=shuffled)
    assert sorted(found) == ["cat/1.png", "cat/3.png", "dog/2.png"]
    assert "2 of the 6 images (1 more show" in told


def test_files_that_cannot_be_used(by_file, tmp_path):
    with pytest.raises(InputError, match=r"is empty; write one name a line, or give the word none"):
        by_file("\n \n")
    with pytest.raises(DataDamaged, match=r"expected text in UTF-8 in .*, got something else"):
        by_file(b"cat/\xff.png\n")
    with pytest.raises(InputError, match="none of its 1 names mean one of the 6 images here; those that"):
        by_file("filename")
    with pytest.raises(
        InputError, match="expected a file that names images for --trained-on, got the folder"
    ):
        seen_images(str(tmp_path), listed(), own_training=False)
    with pytest.raises(DataNotFound) as caught:
        seen_images("al", listed(), own_training=False)
    assert str(caught.value) == (
        "no file al (did you mean 'all'?) for --trained-on; give a file that names images, or all, "
        "none, unknown"
    )
    with pytest.raises(DataNotFound, match=r"trained.tx \(did you mean 'trained.txt'\?\) for --trained-on"):
        seen_images(str(tmp_path / "trained.tx"), listed(), own_training=False)


def test_a_split_is_no_file():
    of = listed(splits=["train", "train", "test", "test", "test", "test"])
    with pytest.raises(InputError, match=r"got the split .train.; .* leave --trained-on out$"):
        seen_images("train", of, own_training=False)
    with pytest.raises(
        InputError, match=r"got the split .test.; .*, write the names of its images to a file"
    ):
        seen_images("test", of, own_training=False)


def test_a_dataset_is_listed_without_splits():
    of = Listed.of_dataset(images(6))
    assert of.ids.tolist() == [f"id-{at:03d}" for at in range(6)]
    assert of.classes == ("dark", "bright")
    assert (of.subjects, of.splits, len(of)) == (None, None, 6)
    assert of.units is of.ids


def copies(of, digests):
    """The same listing with what each file holds."""
    return replace(of, digests=np.array(digests))


def test_a_copy_of_an_image_that_was_trained_on_counts_too(by_file):
    of = copies(listed(), ["a", "b", "c", "d", "a", "b"])
    found, told = by_file("cat/1.png\n", of=of)
    assert found == ["cat/1.png", "dog/2.png"]
    assert told.startswith(
        "the weights were trained on 1 of the 6 images (1 more, copies of these, count too)"
    )
    of = copies(
        listed(splits=["train", "train", "test", "test", "test", "test"]), ["a", "b", "c", "d", "a", "b"]
    )
    seen = seen_images(None, of, own_training=False)
    assert seen_ids(seen, of) == ["cat/1.png", "cat/2.png", "dog/2.png", "dog/deep/4.png"]


def test_subjects_hang_together_by_their_copies():
    # p1 and p2 share image x, p2 and p3 share y; p4 stands alone.
    of = copies(listed(subjects=["p2", "p1", "p2", "p3", "p4", "p3"]), ["x", "x", "y", "y", "z", "w"])
    assert of.units.tolist() == ["p1", "p1", "p1", "p1", "p4", "p1"]
    alone = copies(listed(), list("abcdef"))
    assert alone.units is alone.ids
