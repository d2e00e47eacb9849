import io
import struct
import sys
import time
import warnings
import zlib
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from masktune.data import file_facts
from masktune.data.decode import decode
from masktune.data.exif import as_fact, profile_name
from masktune.data.file_facts import all_facts, facts_of
from masktune.data.hub import read_hub
from masktune.data.samples import Samples
from masktune.types import Step

from .listed import image, parquet
from .pictures import colours, deep, encoded, write

CAMERA, GPS = 0x8769, 0x8825


def jpeg(values=None, **options):
    return encoded(colours(0, (30, 40)) if values is None else values, "JPEG", **options)


def with_exif(tags=(), camera=(), gps=False):
    exif = Image.Exif()
    exif.update(tags)
    exif.get_ifd(CAMERA).update(camera)
    if gps:
        exif.get_ifd(GPS).update({1: "N", 2: (47.0, 22.0, 13.37)})
    return exif


def saved(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def test_a_plain_jpeg():
    content = jpeg(quality=80, subsampling=2, dpi=(72, 72))
    assert facts_of(content) == {
        "file format": "JPEG",
        "mode": "colour",
        "bit depth": "8",
        "width": "40",
        "height": "30",
        "aspect ratio": "1.33",
        "file size": str(len(content)),
        "bytes per pixel": f"{len(content) / 1200:.3g}",
        "JPEG quality": "80",
        "JPEG subsampling": "4:2:0",
        "progressive": "no",
        "resolution (dpi)": "72",
    }


@pytest.mark.parametrize("quality", range(2, 100))
def test_the_quality_that_a_jpeg_was_saved_with(quality):
    found = int(facts_of(jpeg(quality=quality))["JPEG quality"])
    assert abs(found - quality) <= (0 if quality in (60, 75, 90, 95) else 1)


def test_a_table_that_is_not_the_standards_is_the_nearest_quality():
    table = [min(value + value % 2, 255) for value in file_facts._tables()[69].tolist()]
    content = jpeg(qtables=[table, table])
    assert abs(int(facts_of(content)["JPEG quality"]) - 70) <= 3


def test_subsampling_progressive_and_comment():
    found = [facts_of(jpeg(subsampling=kind))["JPEG subsampling"] for kind in (0, 1, 2)]
    assert found == ["4:4:4", "4:2:2", "4:2:0"]
    assert facts_of(jpeg(progressive=True))["progressive"] == "yes"
    assert facts_of(jpeg(comment="made by hand"))["JPEG comment"] == "made by hand"
    grey = facts_of(jpeg(colours(0)[:, :, 0]))
    assert "JPEG subsampling" not in grey
    assert grey["mode"] == "grey"


MODES = {
    "1": ("grey", "1"),
    "L": ("grey", "8"),
    "LA": ("grey with transparency", "8"),
    "P": ("palette", "8"),
    "RGB": ("colour", "8"),
    "RGBA": ("colour with transparency", "8"),
    "I;16": ("grey", "16"),
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("mode", MODES)
def test_modes_and_bits(kind, mode):
    picture = Image.fromarray(deep()) if mode == "I;16" else Image.fromarray(colours(0)).convert(mode)
    facts = facts_of(saved(picture, kind))
    assert (facts["file format"], facts["mode"], facts["bit depth"]) == (kind, *MODES[mode])


def test_more_kinds_of_files():
    picture = Image.fromarray(colours(0))
    floats = facts_of(encoded(np.zeros((4, 4), np.float32), "TIFF"))
    assert (floats["mode"], floats["bit depth"]) == ("grey", "32")
    assert facts_of(saved(picture.convert("CMYK"), "JPEG"))["mode"] == "CMYK colour"
    assert facts_of(saved(picture.quantize(4), "PNG", bits=2))["bit depth"] == "2"
    assert facts_of(saved(picture.quantize(4), "PNG", transparency=1))["mode"] == "palette with transparency"
    for kind in ("BMP", "GIF", "WEBP", "PPM"):
        facts = facts_of(saved(picture, kind))
        assert (facts["file format"], facts["width"], facts["height"]) == (kind, "16", "12")
        assert "JPEG quality" not in facts
    assert facts_of(encoded(deep(), "PPM"))["bit depth"] == "16"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_upright_picture(kind, orientation):
    content = encoded(colours(0), kind, exif=with_exif({0x0112: orientation}))
    height, width = decode(content).size
    facts = facts_of(content)
    assert (facts["height"], facts["width"]) == (str(height), str(width))
    assert facts["EXIF Orientation"] == str(orientation)


def test_resolution():
    assert facts_of(jpeg(dpi=(300, 150)))["resolution (dpi)"] == "300 x 150"
    assert facts_of(encoded(colours(0), dpi=(96, 96)))["resolution (dpi)"] == "96"  # PNG counts by the metre.
    assert "resolution (dpi)" not in facts_of(encoded(colours(0)))


def test_icc_profiles():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    name = ImageCms.getProfileDescription(profile).strip()
    assert name
    assert facts_of(jpeg(icc_profile=profile.tobytes()))["ICC profile"] == name
    assert facts_of(encoded(colours(0), icc_profile=profile.tobytes()))["ICC profile"] == name
    old = bytes(128) + struct.pack(">I4sII", 1, b"desc", 144, 90) + b"desc" + bytes(4)
    assert profile_name(old + struct.pack(">I", 10) + b"Scanner 1\0") == "Scanner 1"
    for damaged in (b"", bytes(132), b"\xff" * 200, profile.tobytes()[:150]):
        assert profile_name(damaged) == "unnamed"


def test_exif_by_name():
    exif = with_exif(
        {0x010F: "Canon\0", 0x0110: " EOS  5D ", 0x0131: "GIMP"},
        {
            0x829A: 1 / 64,
            0x8827: 400,
            0x920A: 50.0,
            0x9209: 16,
            0xA434: "EF50mm",
            0x9003: "2019:07:02 03:04:05",
        },
    )
    facts = facts_of(jpeg(exif=exif))
    assert {name: value for name, value in facts.items() if name.startswith("EXIF")} == {
        "EXIF has GPS": "no",
        "EXIF Make": "Canon",
        "EXIF Model": "EOS 5D",
        "EXIF Software": "GIMP",
        "EXIF ExposureTime": "0.015625",
        "EXIF ISOSpeedRatings": "400",
        "EXIF FocalLength": "50",
        "EXIF Flash": "16",
        "EXIF LensModel": "EF50mm",
        "EXIF DateTimeOriginal": "2019-07-02",
        "EXIF year": "2019",
    }
    assert facts_of(encoded(colours(0), exif=exif))["EXIF Model"] == "EOS 5D"
    assert "EXIF has GPS" not in facts_of(jpeg())


def test_exif_tells_neither_who_nor_where():
    exif = with_exif(
        {0x013B: "Jane Doe", 0x8298: "Jane Doe", 0x010E: "Jane in Rome", 0x9C9D: b"J\0a\0", 0x0131: "x" * 65},
        {0xA430: "Jane Doe", 0x9286: b"ASCII\0\0\0Jane", 0x927C: b"secret", 0x9000: b"0231", 0x9291: "123"},
        gps=True,
    )
    facts = facts_of(jpeg(exif=exif))
    assert facts["EXIF has GPS"] == "yes"
    assert facts["EXIF ExifVersion"] == "0231"
    there = {name for name, value in facts.items() if name.startswith("EXIF has") and value == "yes"}
    known = ("GPS", "Artist", "CameraOwnerName", "Copyright", "ImageDescription", "UserComment", "XPAuthor")
    assert there == {f"EXIF has {name}" for name in known}
    assert not any(
        word in str(facts) for word in ("Jane", "Rome", "13.37", "secret", "xxx", "Subsec", "MakerNote")
    )


def test_png_texts():
    texts = PngImagePlugin.PngInfo()
    for name in ("Software", "Author", "Creation Time", "invented-17"):
        texts.add_text(name, "2020-02-03T04:05:06" if name == "Creation Time" else "Jane's tool")
    facts = facts_of(encoded(colours(0), pnginfo=texts))
    assert {name: value for name, value in facts.items() if name.startswith("PNG")} == {
        "PNG Software": "Jane's tool",
        "PNG has Author": "yes",
        "PNG Creation Time": "2020-02-03",
    }


def test_what_is_a_fact():
    assert [as_fact(value) for value in (3, 2.5, 1 / 3, 1e20, (7,), Fraction(1, 4))] == [
        "3", "2.5", "0.333333", "1e+20", "7", "0.25"
    ]  # fmt: skip
    assert [as_fact(value) for value in (None, (1, 2), float("nan"), b"\xff", "a\x01b", "x" * 65, " \0")] == [
        ""
    ] * 7


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF", "WEBP", "BMP"])
def test_damage_leaves_out_what_cannot_be_read(kind):
    whole = encoded(
        colours(0, (40, 60)), kind, **({} if kind in ("GIF", "BMP") else {"exif": with_exif({0x010F: "X"})})
    )
    random = np.random.default_rng(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of EXIF that it cannot follow.
        for cut in range(0, len(whole), max(1, len(whole) // 60)):
            assert facts_of(whole[:cut])["file size"] == str(cut)
            spoilt = bytearray(whole)
            spoilt[cut] ^= int(random.integers(1, 256))
            facts = facts_of(bytes(spoilt))
            assert all(type(value) is str and value for value in facts.values())


def test_damaged_exif_hides_nothing_else():
    content = jpeg(exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    facts = facts_of(content)
    assert (facts["width"], facts["JPEG subsampling"]) == ("40", "4:2:0")
    assert facts_of(b"no image at all") == {"file size": "15"}
    assert facts_of(b"") == {"file size": "0"}


def chunk(name, body):
    """Of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def test_no_pixel_is_decoded(monkeypatch):
    """The pixels of these files are cut off or spoilt; what reads them anyway is refused."""
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: pytest.fail("decoded"))
    head = encoded(colours(0))
    start = head.index(b"IDAT") + 4
    assert facts_of(head[:start])["width"] == "16"
    header = struct.pack(">IIBBBBB", 30000, 5000, 8, 2, 0, 0, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of so many pixels.
        huge = facts_of(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b""))
    assert (huge["width"], huge["height"], huge["aspect ratio"]) == ("30000", "5000", "6.00")


@pytest.fixture
def dicom():
    """Make a DICOM file of a header."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

    def make(**header):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
        meta.MediaStorageSOPInstanceUID = "1.2.3"
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
        made.SOPClassUID, made.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
        for name, value in header.items():
            setattr(made, name, value)
        made.add_new(0x00091001, "LO", "private")
        made.PixelData = bytes(24)
        file = io.BytesIO()
        pydicom.dcmwrite(file, made, enforce_file_format=True)
        return file.getvalue()

    return make


PICTURE = {
    "Rows": 3,
    "Columns": 4,
    "BitsStored": 12,
    "BitsAllocated": 16,
    "PhotometricInterpretation": "MONOCHROME2",
}


def test_dicom_by_keyword(dicom):
    content = dicom(
        **PICTURE,
        Manufacturer="Agfa",
        StationName="CR 1",
        ViewPosition="PA",
        PatientSex="F",
        PatientAge="045Y",
        KVP="110.50",
    )
    assert facts_of(content) == {
        "file format": "DICOM",
        "mode": "grey",
        "bit depth": "12",
        "width": "4",
        "height": "3",
        "aspect ratio": "1.33",
        "file size": str(len(content)),
        "bytes per pixel": f"{len(content) / 12:.3g}",
        "DICOM transfer syntax": "Explicit VR Little Endian",
        "DICOM Manufacturer": "Agfa",
        "DICOM StationName": "CR 1",
        "DICOM ViewPosition": "PA",
        "DICOM PatientSex": "F",
        "DICOM PatientAge": "45",
        "DICOM KVP": "110.5",
        "DICOM BitsAllocated": "16",
        "DICOM PhotometricInterpretation": "MONOCHROME2",
    }
    assert facts_of(dicom(PatientAge="006M"))["DICOM PatientAge"] == "0.5"


PERSONAL = {
    "PatientName": "SECRET^JANE",
    "PatientID": "SECRET1",
    "PatientBirthDate": "19700102",
    "PatientBirthTime": "030405",
    "PatientAddress": "SECRET street",
    "PatientTelephoneNumbers": "SECRET 5",
    "PatientComments": "SECRET",
    "OtherPatientIDs": "SECRET2",
    "AccessionNumber": "SECRET3",
    "StudyID": "SECRET4",
    "StudyDate": "20200304",
    "StudyTime": "101112",
    "AcquisitionDateTime": "20200304101112",
    "ReferringPhysicianName": "SECRET^DOC",
    "ReferringPhysicianAddress": "SECRET",
    "PerformingPhysicianName": "SECRET",
    "OperatorsName": "SECRET",
    "InstitutionAddress": "SECRET",
    "RequestedProcedureID": "SECRET5",
    "AdmissionID": "SECRET6",
    "MedicalRecordLocator": "SECRET7",
    "ImageComments": "SECRET",
    "StudyDescription": "SECRET",
    "AdditionalPatientHistory": "SECRET",
    "Occupation": "SECRET",
    "EthnicGroup": "SECRET",
    "ClinicalTrialSubjectID": "SECRET8",
    "CountryOfResidence": "SECRET",
    "SeriesInstanceUID": "1.2.4",
    "Rows": 3,
}


def test_dicom_tells_not_who(dicom):
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodeMeaning = "SECRET"
    content = dicom(**PERSONAL, AnatomicRegionSequence=[item], ImageType=["ORIGINAL", "PRIMARY"])
    facts = facts_of(content)
    assert set(facts) == {"file format", "file size", "height", "DICOM transfer syntax"}
    assert content.count(b"SECRET") > 20
    assert "SECRET" not in str(facts)


def test_dicom_without_pydicom(dicom, monkeypatch):
    content = dicom(**PICTURE)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    assert facts_of(content) == {"file format": "DICOM", "file size": str(len(content))}


def test_damaged_dicom(dicom):
    content = dicom(**PICTURE, Manufacturer="Agfa", PatientAge="old")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's
        assert "DICOM PatientAge" not in facts_of(content)
        for cut in range(132, len(content)):
            assert facts_of(content[:cut])["file format"] == "DICOM"


def test_columns_of_all_images(tmp_path):
    exif = with_exif({0x010F: "Canon"})
    samples = write(tmp_path, {"a.jpg": jpeg(exif=exif), "b.jpg": jpeg(), "c.png": colours(1, (30, 40))})
    columns = all_facts(samples)
    assert columns["EXIF Make"].tolist() == ["Canon", "", ""]
    assert columns["file format"].tolist() == ["JPEG", "JPEG", "PNG"]
    assert columns["JPEG quality"].tolist() == ["75", "75", ""]
    assert columns["name extension"].tolist() == ["jpg", "jpg", "png"]
    assert columns["name prefix"].tolist() == ["a", "b", "c"]
    assert "width" not in columns
    assert "name length" not in columns
    assert all(values.dtype == object and len(values) == 3 for values in columns.values())


def names(tmp_path, ids, **more):
    """The columns that the names alone make: the files do not exist."""
    samples = write(tmp_path, dict.fromkeys(ids, b"x"), **more)
    for name in ids:
        (tmp_path / name).unlink()
    return {name: values.tolist() for name, values in all_facts(samples).items()}


def test_parts_of_names(tmp_path):
    assert names(tmp_path, ["s1/x/im_007-AP.b.png", "s2/im_12-PA.c.JPG", "s1/y/scan_12-PA.c.png"]) == {
        "folder 1": ["s1", "s2", "s1"],
        "folder 2": ["x", "", "y"],
        "name prefix": ["im", "im", "scan"],
        "name number": ["7", "12", "12"],
        "name length": ["11", "10", "12"],
        "name extension": ["png", "JPG", "png"],
        "name part 2": ["007", "12", "12"],
        "name part 3": ["AP", "PA", "PA"],
        "name part 4": ["b", "c", "c"],
    }


def test_names_with_nothing_in_common(tmp_path):
    assert names(tmp_path, ["000.png", "a_b.png"]) == {
        "name prefix": ["", "a"],
        "name number": ["0", ""],
    }


def test_the_class_and_the_split_tell_nothing_new(tmp_path):
    ids = ["train/cat/cat.1.png", "val/Dog/dog.2.png", "val/cat/cat.1.png"]
    samples = write(tmp_path, dict.fromkeys(ids, b"x"))
    given = {"ids": samples.ids, "contents": samples.contents, "classes": ("cat", "dog")}
    labels, splits = np.array([0, 1, 0]), np.array(["train", "validation", "validation"])
    named = all_facts(Samples(**given, labels=labels, splits=splits))
    assert set(named) == {"name number"}
    assert set(all_facts(Samples(**given, labels=labels))) == {"folder 1", "name number"}
    other = all_facts(Samples(**given, labels=labels[::-1] ^ 1, splits=splits))
    assert other["folder 2"].tolist() == ["cat", "Dog", "cat"]
    assert "folder 1" not in other


def test_a_word_of_the_class_tells_nothing_new(tmp_path):
    ids = ["1/Black_Gull_7_a.png", "2/Red_Tern_9_b.png"]
    samples = write(tmp_path, dict.fromkeys(ids, b"x"))
    given = {"ids": samples.ids, "contents": samples.contents, "labels": samples.labels}
    known = all_facts(Samples(**given, classes=("001.Black_footed_gull", "002.Red_tern")))
    assert set(known) == {"folder 1", "name number", "name length", "name part 4"}
    unknown = all_facts(Samples(**given, classes=("b", "r")))  # A letter may be one by chance.
    assert unknown["name prefix"].tolist() == ["Black", "Red"]
    assert unknown["name part 2"].tolist() == ["Gull", "Tern"]


def test_rows_of_a_table_have_no_names(tmp_path):
    rows = [image(encoded(colours(at, (12 + at, 16)))) for at in range(4)]
    parquet(tmp_path / "train.parquet", rows, [0, 1, 0, 1])
    columns = all_facts(read_hub(tmp_path))
    assert columns["height"].tolist() == ["12", "13", "14", "15"]
    assert not any(name.startswith(("name", "folder")) for name in columns)


def test_names_in_a_table(tmp_path):
    rows = [image(encoded(colours(0)), f"{site}/{at}.png") for at, site in enumerate("abab")]
    parquet(tmp_path / "train.parquet", rows, [0, 1, 0, 1])
    samples = read_hub(tmp_path)
    assert set(all_facts(samples)) == {"folder 1", "name number"}
    assert all_facts(samples)["folder 1"].tolist() == [name[0] for name in samples.ids.tolist()]


def test_steps_of_the_progress_and_threads(tmp_path, monkeypatch):
    monkeypatch.setattr(file_facts, "_AT_ONCE", 2)
    samples = write(tmp_path, {f"{at}.png": colours(at, (12 + at, 16)) for at in range(5)})
    steps = []
    one = all_facts(samples, threads=1, progress=steps.append)
    assert steps == [Step("reading headers", done, 5) for done in (0, 2, 4, 5)]
    several = all_facts(samples, threads=4)
    assert list(one) == list(several)
    assert all(np.array_equal(one[name], several[name]) for name in one)
    assert one["height"].tolist() == ["12", "13", "14", "15", "16"]


def test_equal_strings_are_one_object(tmp_path):
    samples = write(tmp_path, {f"{at}.png": colours(0, (12 + at % 2, 16)) for at in range(4)})
    heights = all_facts(samples)["height"]
    assert heights[0] is heights[2]
    assert heights[1] is heights[3]


def test_none_and_one(tmp_path):
    samples = write(tmp_path, {"a.png": colours(0)})
    assert all_facts(samples) == {}  # One image is like all images.
    assert all_facts(samples.select(np.array([], dtype=np.int64))) == {}


@pytest.mark.parametrize(("kind", "most"), [("JPEG", 0.3), ("PNG", 0.5)])
def test_headers_take_a_fraction_of_a_millisecond(kind, most):
    content = encoded(
        np.random.default_rng(0).integers(0, 256, (375, 500, 3), dtype=np.uint8),
        kind,
        exif=with_exif({0x010F: "Canon", 0x0110: "5D"}, {0x829A: 0.01, 0x8827: 400, 0x920A: 50.0}),
    )
    times = []
    for _ in range(30):
        start = time.thread_time()
        facts_of(content)
        times.append(time.thread_time() - start)
    assert sorted(times)[3] < 3 * most / 1000  # Of this thread alone; three times as slow is still all right.
