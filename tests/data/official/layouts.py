"""Makes each official data set in small, in every layout in which it is given out.

    python tests/data/official/layouts.py FOLDER

lays all of them out below FOLDER, to try commands on. Images are noise: what is tested is how they are found.
"""

import csv
import io
import json
import struct
import sys
from pathlib import Path

import numpy as np
from PIL import Image

BIRDS = {
    "001.Black_footed_Albatross": 1,
    "004.Groove_billed_Ani": 0,
    "021.Eastern_Towhee": 1,  # A landbird whose name has "tern" in it.
    "200.Common_Yellowthroat": 0,
}
"""Species, and whether the official set calls it a waterbird."""

FACES = (1, 2, 3, 4, 5, 162771, 162772, 162773, 162774, 182638, 182639, 182640, 202599)
"""Numbers of official images: five of train, four of validation, four of test."""
ATTRIBUTES = ("Arched_Eyebrows", "Blond_Hair", "Male", "Smiling")
TESTS = (
    "original",
    "mixed_same",
    "mixed_rand",
    "mixed_next",
    "only_fg",
    "no_fg",
    "only_bg_b",
    "only_bg_t",
)
THINGS = (
    "00_dog",
    "01_bird",
    "02_wheeled vehicle",
    "03_reptile",
    "04_carnivore",
    "05_insect",
    "06_musical instrument",
    "07_primate",
    "08_fish",
)


def noise(*seed, size=(8, 10)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def write_image(path, *seed, kind="JPEG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(*seed)).save(path, kind)


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def bird_rows(corrected=False):
    """Each species in each split on each background: a row as metadata.csv has it."""
    rows = []
    for species, water in BIRDS.items():
        for split in (0, 1, 2):
            for place in (0, 1):
                name = species[4:]
                label = 0 if corrected and "Eastern" in species else water
                number = len(rows) + 1
                file = f"{species}/{name}_{number:04d}_{7000 + number}.jpg"
                place_file = ("/b/bamboo_forest", "/o/ocean")[place] + f"/{number:08d}.jpg"
                rows.append(
                    {
                        "img_id": number,
                        "img_filename": file,
                        "y": label,
                        "split": split,
                        "place": place,
                        "place_filename": place_file,
                    }
                )
    return rows


def write_rows(path, rows, *, columns=None, end="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns or list(rows[0]), lineterminator=end)
        table.writeheader()
        table.writerows(rows)


def waterbirds(root, layout="official", **how):
    """`official`, `corrected`, or `wilds`; the folder that the data set is called by lies in `root`."""
    home = root / ("waterbirds_v1.0" if layout == "wilds" else "waterbird_complete95_forest2water2")
    rows = bird_rows(corrected=layout == "corrected")
    for row in rows:
        write_image(home / row["img_filename"], row["img_id"])
    write_rows(home / "metadata.csv", rows, **how)
    if layout == "wilds":
        (home / "RELEASE_v1.0.txt").touch()
    return home


def face_rows():
    """(file, split, attributes as bools): in each split all four of blond x male."""
    rows = []
    for at, number in enumerate(FACES):
        split = (number > 162770) + (number > 182637)
        blond, male = at // 2 % 2, at % 2
        rows.append((f"{number:06d}.jpg", split, (at % 3 == 0, bool(blond), bool(male), at % 5 < 2)))
    return rows


def celeba(root, layout="txt", *, absent=-1, numbered=True):
    """`txt`: its makers' files; `parts`: in Anno, Eval, Img; `csv`, `nested`: Kaggle's; `wilds`.

    `absent` is written where a face has not an attribute; `numbered` writes the count into the first line.
    """
    home = root / "celebA_v1.0" if layout == "wilds" else root
    text = layout in ("txt", "parts")
    anno, parts, images = ((home / part if layout == "parts" else home) for part in ("Anno", "Eval", "Img"))
    images /= "img_align_celeba/img_align_celeba" if layout == "nested" else "img_align_celeba"
    for folder in (anno, parts, images):
        folder.mkdir(parents=True, exist_ok=True)
    rows = face_rows()
    values = [[1 if flag else absent for flag in flags] for *_, flags in rows]
    if text:
        lines = [str(len(rows))] if numbered else []
        lines += [" ".join(ATTRIBUTES) + " "]
        lines += [
            f"{row[0]} " + " ".join(f"{v:2d}" for v in vs) for row, vs in zip(rows, values, strict=True)
        ]
        (anno / "list_attr_celeba.txt").write_bytes("\r\n".join([*lines, ""]).encode())
        (parts / "list_eval_partition.txt").write_text("\n".join(f"{row[0]} {row[1]}" for row in rows))
    else:
        lines = [",".join(("image_id", *ATTRIBUTES))]
        lines += [",".join(map(str, (row[0], *vs))) for row, vs in zip(rows, values, strict=True)]
        (anno / "list_attr_celeba.csv").write_text("\n".join(lines) + "\n")
        lines = ["image_id,partition", *(f"{row[0]},{row[1]}" for row in rows)]
        (parts / "list_eval_partition.csv").write_text("\n".join(lines) + "\n")
    for row in rows:
        write_image(images / row[0], int(row[0][:6]))
    return home


def imagenet9(root, layout="challenge", *, each=2, tests=TESTS):
    """`train`: IN-9L; `challenge`: the variants in `root`; `test`: the variants in root/test; `both`."""
    folders = []
    if layout in ("train", "test", "both"):
        folders += ["train", "val"]
    if layout in ("challenge", "both"):
        folders += [f"{name}/val" for name in tests]
    if layout == "test":
        folders += [f"test/{name}/val" for name in tests]
    for at, folder in enumerate(folders):
        for label, thing in enumerate(THINGS):
            for number in range(each):  # The same names in each variant, as in the challenge.
                write_image(root / folder / thing / f"fish_n{label:04d}_{number}.JPEG", at, label, number)
    return root


CIFAR = {f"data_batch_{at + 1}": at for at in range(5)} | {"test_batch": 5}


def cifar_batch(at, each=4):
    """Labels and images (n, 32, 32, 3) of a batch."""
    labels = [(3 * at + number) % 10 for number in range(each)]
    return labels, np.stack([noise(9, at, number, size=(32, 32)) for number in range(each)])


def python2_pickle(name, labels, images):
    """A batch as its makers pickled it: with the opcodes of Python 2, which Python 3 never writes."""

    def text(value):
        return b"U" + bytes((len(value),)) + value

    def number(value):
        return b"K" + bytes((value,)) if value < 256 else b"J" + struct.pack("<i", value)

    data = images.transpose(0, 3, 1, 2).tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R("
    array += number(1) + number(len(labels)) + number(3072) + b"\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R"
    array += b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T" + struct.pack("<i", len(data))
    array += data + b"tb"
    files = b"](" + b"".join(text(b"thing_s_%06d.png" % at) for at in range(len(labels))) + b"e"
    parts = text(b"batch_label") + text(name.encode()) + text(b"labels") + b"]("
    parts += b"".join(map(number, labels)) + b"e" + text(b"data") + array + text(b"filenames") + files
    return b"\x80\x02}(" + parts + b"u."


def cifar10(root, layout="pickles"):
    """`pickles`: torchvision's folder; `parquet`: the hub's files, of one batch after the other."""
    if layout == "pickles":
        home = root / "cifar-10-batches-py"
        home.mkdir(parents=True, exist_ok=True)
        for name, at in CIFAR.items():
            (home / name).write_bytes(python2_pickle(name, *cifar_batch(at)))
        return home
    batches = [cifar_batch(at) for at in range(6)]
    parts = {"train": batches[:5], "test": batches[5:]}
    for split, some in parts.items():
        labels = [label for batch, _ in some for label in batch]
        images = [image for _, batch in some for image in batch]
        write_parquet(root / "plain_text" / f"{split}-00000-of-00001.parquet", images, labels, "img")
    return root / "plain_text"


def write_parquet(path, images, labels, column="image", *, classes=None):
    """As the hub has it; with names of classes, in the note that the library `datasets` writes."""
    import pyarrow as pa
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [{"bytes": png(image), "path": None} for image in images]
    kinds = pa.schema(
        [(column, pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("label", pa.int64())]
    )
    table = pa.table({column: cells, "label": labels}, kinds)
    if classes:
        label = {"names": list(classes), "_type": "ClassLabel"}
        note = {"info": {"features": {column: {"_type": "Image"}, "label": label}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(note)})
    parquet.write_table(table, path)


def digits(split, each=12):
    """Digits 0 to 9 and images (n, 32, 32, 3); 0 is among them."""
    seed = ("train", "test").index(split)
    labels = [number % 10 for number in range(each - seed)]
    return labels, np.stack([noise(7, seed, number, size=(32, 32)) for number in range(len(labels))])


def svhn(root, layout="mat"):
    """`mat`: its makers' files, where a 0 is written 10; `parquet`: the hub's cropped_digits."""
    from scipy.io import savemat

    root.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        labels, images = digits(split)
        if layout == "mat":
            written = np.array([label or 10 for label in labels], dtype=np.uint8)[:, None]
            content = {"X": images.transpose(1, 2, 3, 0), "y": written}
            savemat(root / f"{split}_32x32.mat", content, do_compression=True)
        else:
            write_parquet(root / "cropped_digits" / f"{split}-00000-of-00001.parquet", images, labels)
    if layout == "parquet":
        write_parquet(root / "cropped_digits" / "extra-00000-of-00002.parquet", images, labels)
    return root


def cats_vs_dogs(root, layout="kaggle", each=6):
    """`kaggle`: train/cat.0.jpg; `microsoft`: PetImages/Cat/0.jpg; `plain`: cat/ and dog/."""
    for at, kind in enumerate(("cat", "dog")):
        for number in range(each):
            name = {
                "kaggle": f"train/{kind}.{number}.jpg",
                "microsoft": f"PetImages/{kind.title()}/{number}.jpg",
                "plain": f"{kind}/{number}.jpg",
            }[layout]
            write_image(root / name, at, number)
    if layout == "kaggle":
        write_image(root / "test1" / "1.jpg", 5)
    if layout == "microsoft":
        (root / "PetImages" / "Cat" / "Thumbs.db").touch()
    return root


LAYOUTS = {
    waterbirds: ("official", "wilds", "corrected"),
    celeba: ("txt", "parts", "csv", "nested", "wilds"),
    imagenet9: ("train", "challenge", "test", "both"),
    cifar10: ("pickles", "parquet"),
    svhn: ("mat", "parquet"),
    cats_vs_dogs: ("kaggle", "microsoft", "plain"),
}

if __name__ == "__main__":
    for make, layouts in LAYOUTS.items():
        for layout in layouts:
            make(Path(sys.argv[1]) / make.__name__ / layout, layout)
