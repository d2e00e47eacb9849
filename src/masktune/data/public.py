"""Folders and manifests of images as data sets: listed when made, read when a batch is drawn."""

from pathlib import Path
from typing import final

from masktune.data.base import Splits
from masktune.data.check import check_images, usable
from masktune.data.folder import list_folder
from masktune.data.image_files import ImageFiles
from masktune.data.manifest import read_manifest
from masktune.data.names import SPLITS
from masktune.data.read_image import Preprocess
from masktune.data.samples import Samples, check_classes
from masktune.data.splits import with_splits
from masktune.types import InputSpec

USUAL = InputSpec((224, 224))
"""What most classifiers of photos take; `LoadedModel.spec` is what a given one takes."""


class ListedImages(ImageFiles):
    """What `ImageFolder` and `Manifest` have in common: images by split, without unreadable ones if asked."""

    def __init__(
        self,
        name: str,
        listed: Samples,
        spec: InputSpec,
        *,
        split: str | None,
        skip_unreadable: bool,
        preprocess: Preprocess | None,
        threads: int | None,
    ) -> None:
        if skip_unreadable:
            listed = usable(listed, check_images(listed, spec.range), skip_unreadable=True)
            check_classes(listed, f"{name} without its unreadable images")
        chosen = listed if split is None else listed.of_split(split)
        super().__init__(chosen, spec, preprocess=preprocess, threads=threads)
        self.name = name
        self.listed = listed

    def splits(self, *, seed: int = 0) -> Splits:
        """All images for training, validation and test, whichever split was asked for; made if not given.

        Made splits follow from seed and ids alone, are stratified by class and divide no subject
        (`masktune.data.with_splits`). They are made of training images, which a net that is given may have
        seen: to judge such a net, hand the folder itself to `masktune.tune`.

        Raises:
            InputError: there are no training images to draw from, or too few of a class.
            DataNotFound: a file is not there any more.
        """
        divided = with_splits(self.listed, seed=seed).samples
        train, validation, test = (
            ImageFiles(divided.of_split(name), self.spec, preprocess=self.preprocess, threads=self.threads)
            for name in SPLITS
        )
        return Splits(self.name, None, train, validation, {"test": test}, self.listed.fingerprint())


@final
class ImageFolder(ListedImages):
    """A folder of images: `class/...`, or `train|validation|val|test/class/...`; a `Dataset`.

    Ids are the paths in the folder. What is listed and what is passed over: `masktune.data.list_folder`.

    ```python
    from pathlib import Path
    from PIL import Image
    from masktune import ImageFolder, InputSpec

    for name in ("cats/tom.png", "cats/felix.png", "dogs/rex.png", "dogs/fido.png"):
        Path("pets", name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30)).save(Path("pets", name))
    pets = ImageFolder("pets", InputSpec((32, 32)))
    batch = pets.__getitems__([0, 3])
    assert batch.ids == ("cats/felix.png", "dogs/rex.png")
    assert batch.images.shape == (2, 3, 32, 32)
    ```

    Args:
        root: the folder.
        spec: size, channels and range of the images that a net wants.
        split: only the images of this split; None for all.
        skip_unreadable: read all files now, and leave out those that cannot be read.
        preprocess: what to do with an opened image instead of fitting it to `spec`.
        threads: that decode; one a core if not given.

    Raises:
        DataNotFound, StorageError: no such folder, or it cannot be read.
        InputError: a layout or a split that cannot be used.
    """

    def __init__(
        self,
        root: str | Path,
        spec: InputSpec = USUAL,
        *,
        split: str | None = None,
        skip_unreadable: bool = False,
        preprocess: Preprocess | None = None,
        threads: int | None = None,
    ) -> None:
        super().__init__(
            Path(root).resolve().name,
            list_folder(root),
            spec,
            split=split,
            skip_unreadable=skip_unreadable,
            preprocess=preprocess,
            threads=threads,
        )


@final
class Manifest(ListedImages):
    r"""A table of images, CSV or Parquet: `path,label[,split][,group][,subject]`; a `Dataset`.

    Ids are the paths relative to `root`. What tables may look like: `masktune.data.read_manifest`.

    ```python
    from pathlib import Path
    from PIL import Image
    from masktune import InputSpec, Manifest

    for name in ("tom.png", "rex.png"):
        Image.new("RGB", (40, 30)).save(name)
    Path("pets.csv").write_text("path,label,group\ntom.png,cat,indoors\nrex.png,dog,outdoors\n")
    pets = Manifest("pets.csv", InputSpec((32, 32)))
    assert pets.ids.tolist() == ["rex.png", "tom.png"]
    assert pets.groups.tolist() == ["outdoors", "indoors"]
    ```

    Args:
        path: of the table.
        spec: size, channels and range of the images that a net wants.
        root: folder that relative paths start from; the table's own if not given.
        split: only the images of this split; None for all.
        subject_from: a regular expression that finds the subject in file names, instead of a column.
        path_column: with paths of images.
        label_column: with names or numbers of classes.
        split_column: "split" if there is one.
        group_column: "group" if there is one.
        subject_column: "subject" if there is one.
        skip_unreadable: read all files now, and leave out those that cannot be read.
        preprocess: what to do with an opened image instead of fitting it to `spec`.
        threads: that decode; one a core if not given.

    Raises:
        DataNotFound, DataDamaged, StorageError: no table, or images that it names are not there.
        InputError: a column, a value or a split that cannot be used.
        MissingExtra: it is Parquet and pyarrow is not installed.
    """

    def __init__(
        self,
        path: str | Path,
        spec: InputSpec = USUAL,
        *,
        root: str | Path | None = None,
        split: str | None = None,
        subject_from: str | None = None,
        path_column: str = "path",
        label_column: str = "label",
        split_column: str | None = None,
        group_column: str | None = None,
        subject_column: str | None = None,
        skip_unreadable: bool = False,
        preprocess: Preprocess | None = None,
        threads: int | None = None,
    ) -> None:
        listed = read_manifest(
            path,
            root=root,
            path_column=path_column,
            label_column=label_column,
            split_column=split_column,
            group_column=group_column,
            subject_column=subject_column,
        )
        super().__init__(
            Path(path).resolve().stem,
            listed if subject_from is None else listed.with_subjects(subject_from),
            spec,
            split=split,
            skip_unreadable=skip_unreadable,
            preprocess=preprocess,
            threads=threads,
        )
