import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from masktune.data.manifest import read_manifest
from masktune.data.samples import Count
from masktune.errors import DataNotFound, InputError
from shared_data import SHARED_DATA, needs_shared_data

from .listed import fill


@pytest.fixture
def root(tmp_path):
    return fill(tmp_path, "a.png", "b.png", "c.png", "d.png", "sub/e.png")


def write(root, *rows, header="path,label"):
    path = root / "m.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def refusal(root, *rows, header="path,label", error=InputError, **options):
    with pytest.raises(error) as caught:
        read_manifest(write(root, *rows, header=header), **options)
    return str(caught.value).replace(str(root), "DIR")


def test_every_column(root):
    path = write(
        root,
        "b.png,dog,train,sea,p2,7,long text",
        "a.png,cat,train,land,p1,8,",
        "d.png,dog,val,,p3,9,x",
        "sub/e.png,cat,val,,p4,9,x",
        header=" Path ,LABEL,Split,Group,subject,Age,note",
    )
    samples = read_manifest(path)
    assert samples.ids.tolist() == ["a.png", "b.png", "d.png", "sub/e.png"]
    assert samples.labels.tolist() == [0, 1, 1, 0]
    assert samples.classes == ("cat", "dog")
    assert samples.splits.tolist() == ["train", "train", "validation", "validation"]
    assert samples.groups.tolist() == ["land", "sea", "", ""]
    assert samples.subjects.tolist() == ["p1", "p2", "p3", "p4"]
    assert {name: values.tolist() for name, values in samples.columns.items()} == {
        "Age": ["8", "7", "9", "9"],
        "note": ["", "long text", "x", "x"],
    }
    assert samples.contents.where(3) == str(root / "sub/e.png")


def test_the_order_of_the_rows_does_not_matter(root):
    rows = ["a.png,cat", "b.png,dog", "c.png,dog"]
    one, other = (read_manifest(write(root, *order)) for order in (rows, rows[::-1]))
    assert one.ids.tolist() == other.ids.tolist()
    assert one.labels.tolist() == other.labels.tolist()
    assert one.fingerprint() == other.fingerprint()


def test_paths_in_every_spelling(root):
    elsewhere = fill(root.parent / f"{root.name}-elsewhere", "x.png") / "x.png"
    rows = [f"{root}/a.png,1", "./b.png,0", "sub\\e.png,1", "sub/../c.png,0", f"{elsewhere},0"]
    rows += [f"../{root.name}/d.png,0"]
    samples = read_manifest(write(root, *rows))
    assert samples.ids.tolist() == [str(elsewhere), "a.png", "b.png", "c.png", "d.png", "sub/e.png"]
    assert samples.labels.tolist() == [0, 1, 0, 0, 0, 1]


def test_paths_relative_to_another_folder(root, tmp_path_factory):
    path = write(tmp_path_factory.mktemp("tables"), "sub/e.png,1", "a.png,0")
    samples = read_manifest(path, root=root)
    assert samples.ids.tolist() == ["a.png", "sub/e.png"]
    assert samples.contents.missing() == []


def test_a_relative_manifest(root, monkeypatch):
    write(root, "a.png,0", "b.png,1")
    monkeypatch.chdir(root)
    assert read_manifest("m.csv").contents.where(0) == str(root / "a.png")


def test_columns_by_other_names(root):
    path = write(root, "a.png,0,2,w,s,1", "b.png,1,2,w,t,1", header="img,y,Part,place,patient,path")
    samples = read_manifest(
        path,
        path_column="IMG",
        label_column="y",
        split_column="part",
        group_column="place",
        subject_column="patient",
    )
    assert samples.splits.tolist() == ["test", "test"]
    assert samples.groups.tolist() == ["w", "w"]
    assert samples.subjects.tolist() == ["s", "t"]
    assert list(samples.columns) == ["path"]


def test_parquet(root):
    columns = {"path": ["b.png", "a.png"], "label": [1.0, 0.0], "split": [0, 0], "age": [5, None]}
    pq.write_table(pa.table(columns), root / "m.parquet")
    samples = read_manifest(root / "m.parquet")
    assert (samples.ids.tolist(), samples.classes) == (["a.png", "b.png"], ("0", "1"))
    assert samples.labels.tolist() == [0, 1]
    assert samples.columns["age"].tolist() == ["", "5"]


def test_floats_and_numbers_as_classes(root):
    assert read_manifest(write(root, "a.png,10.0", "b.png,9.0")).classes == ("9", "10")
    assert refusal(root, "a.png,0.5", "b.png,1") == (
        "expected classes in column 'label' of DIR/m.csv, got the number 0.5, which is not whole; name the "
        "column that holds classes, or make classes of the numbers first"
    )


@pytest.mark.parametrize("first", ["0", "0.0", "train", "Training"])
def test_splits_by_name_and_number(root, first):
    rows = [f"a.png,0,{first}", f"b.png,1,{first}", "c.png,0,1", "d.png,1,valid"]
    samples = read_manifest(write(root, *rows, header="path,label,split"))
    assert samples.splits.tolist() == ["train", "train", "validation", "validation"]


def test_none_is_a_class_and_a_group(root):
    samples = read_manifest(write(root, "a.png,None,NA", "b.png,tumour,None", header="path,label,group"))
    assert samples.classes == ("None", "tumour")
    assert samples.groups.tolist() == ["NA", "None"]


def test_columns_that_are_missing(root):
    assert refusal(root, "a.png,0", header="filename,y") == (
        "no column 'path' (did you mean 'filename'?) and no column 'label' (did you mean 'y'?) in DIR/m.csv, "
        "which has filename, y; rename one or name it with --path-column and --label-column"
    )
    assert refusal(root, "a.png,0", header="pathh,label") == (
        "no column 'path' (did you mean 'pathh'?) in DIR/m.csv, which has pathh, label; rename one or name "
        "it with --path-column"
    )
    assert refusal(root, "a.png,0,1", header="path,label,fold", split_column="folds") == (
        "no column 'folds' in DIR/m.csv (did you mean 'fold'?); it has path, label, fold"
    )


def test_no_row_of_names(root):
    assert refusal(root, "b.png,1", header="a.png,0") == (
        "expected names of columns in the first row of DIR/m.csv, got 'a.png', which looks like an image; "
        "write a first row path,label"
    )


@pytest.mark.parametrize("missing", ["", " ", "nan", "NaN", "<NA>", "null"])
def test_rows_without_a_label(root, missing):
    rows = ["a.png,0", f"b.png,{missing}", "", f"c.png,{missing}", f"d.png,{missing}", f"sub/e.png,{missing}"]
    assert refusal(root, *rows) == (
        "column 'label' of DIR/m.csv is empty in rows 3, 5, 6 and 1 more; fill it, or take the rows away"
    )


def test_rows_without_a_path_or_a_subject(root):
    assert refusal(root, ",0") == (
        "column 'path' of DIR/m.csv is empty in row 2; fill it, or take the rows away"
    )
    assert refusal(root, "a.png,0,p", "b.png,1,", header="path,label,subject") == (
        "column 'subject' of DIR/m.csv is empty in row 3; fill it, or take the rows away"
    )


def test_a_group_is_known_for_all_of_a_split_or_for_none(root):
    rows = ["a.png,0,train,", "b.png,1,train,", "c.png,0,test,sea", "d.png,1,test,"]
    assert refusal(root, *rows, header="path,label,split,group") == (
        "column 'group' is empty in row 5, but filled elsewhere in split 'test' of DIR/m.csv; fill it, or "
        "leave it empty for the whole split"
    )
    rows = [f"{row.replace('train', '').replace('test', '')}" for row in rows]
    assert "is empty in rows 2, 3, 5, but filled elsewhere in DIR/m.csv" in refusal(
        root, *[row.replace(",,", ",") for row in rows], header="path,label,group"
    )
    empty = write(root, "a.png,0,", "b.png,1,", header="path,label,group")
    assert read_manifest(empty).groups is None


def test_an_image_twice(root):
    assert refusal(root, "a.png,0", "b.png,1", "./a.png,0") == (
        "expected each image once in DIR/m.csv, got './a.png' in rows 2, 4 with the same label '0'; take one "
        "away"
    )
    assert refusal(root, "a.png,0", "b.png,1", "a.png,1", "b.png,1") == (
        "expected each image once in DIR/m.csv, got 'a.png' in rows 2, 4 with different labels '0' and '1' "
        "(2 rows repeat an image); take one away"
    )


def test_images_that_do_not_exist(root):
    rows = ["a.png,0", "x.png,1", "y/z.png,1", "sub/e.png,1", "v.png,1", "w.png,1"]
    assert refusal(root, *rows, error=DataNotFound) == (
        "4 of the 6 images in DIR/m.csv do not exist: 'x.png' (row 3), 'y/z.png' (row 4), 'v.png' (row 6), "
        "...; paths are relative to DIR; correct them, or name another folder with --root"
    )


@pytest.mark.parametrize("written", ["A.png", "a.jpg", "a"])
def test_images_that_exist_in_another_spelling(root, written):
    assert refusal(root, f"{written},0", "b.png,1", error=DataNotFound) == (
        f"1 of the 2 images in DIR/m.csv do not exist: '{written}' (row 2) (there is 'a.png'); paths are "
        "relative to DIR; correct them, or name another folder with --root"
    )


def test_paths_of_another_machine(root):
    assert refusal(root, r"C:\data\a.png,0", "b.png,1", error=DataNotFound) == (
        r"1 of the 2 images in DIR/m.csv do not exist: 'C:\\data\\a.png' (row 2); paths that begin with a "
        r"drive are "
        "found on Windows only; write them relative to a folder"
    )


def test_splits_that_are_not_known(root):
    rows = ["a.png,0,train", "b.png,1,tests", "c.png,0,holdout", "d.png,1,tests"]
    assert refusal(root, *rows, header="path,label,split") == (
        "unknown split 'holdout' in row 4 of DIR/m.csv (2 unknown: 'holdout', 'tests'); there are train, "
        "validation, test"
    )
    rows[2] = "c.png,0,"
    assert refusal(root, *rows, header="path,label,split").startswith(
        "unknown split '' in row 4 of DIR/m.csv"
    )
    rows[2] = "c.png,0,train"
    assert "unknown split 'tests' (did you mean 'test'?) in rows 3, 5" in refusal(
        root, *rows, header="path,label,split"
    )


def test_classes_that_cannot_be(root):
    assert refusal(root, "a.png,cat", "b.png, Cat") == (
        "expected one spelling a class in column 'label' of DIR/m.csv, got 'Cat' and 'cat'; write them alike"
    )
    assert refusal(root, "a.png,cat", "b.png,cat ") == (
        "expected at least two classes in DIR/m.csv, got 1: 'cat'"
    )
    rows = ["a.png,0,train", "b.png,1,train", "c.png,1,test"]
    assert refusal(root, *rows, header="path,label,split") == (
        "class '0' has no images in split 'test' of DIR/m.csv; every split needs images of every class"
    )


@needs_shared_data
def test_waterbirds_as_it_comes():
    samples = read_manifest(
        SHARED_DATA / "waterbirds" / "metadata.csv",
        path_column="img_filename",
        label_column="y",
        group_column="place",
    )
    counts = samples.counts()
    # The table of the README beside the data.
    assert [count.n for count in counts] == [772, 41, 15, 328, 103, 105, 58, 49, 336, 335, 179, 163]
    assert counts[1] == Count("train", "0", "1", 41)


@needs_shared_data
def test_celeba_lies_in_another_folder():
    folder = SHARED_DATA / "celeba"
    options = {"path_column": "img_filename", "label_column": "y"}
    with pytest.raises(DataNotFound, match=r"1359 of the 1359 images in .* do not exist: '000477.jpg'"):
        read_manifest(folder / "metadata.csv", **options)
    samples = read_manifest(folder / "metadata.csv", root=folder / "img_align_celeba", **options)
    assert [count.n for count in samples.counts()] == [765, 135, 80, 80, 170, 129]
