"""Every kind of file, against what Pillow shows, values that were written, or DICOM's own formulas."""

import csv
import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageOps

from masktune.data import jpeg
from masktune.data.decode import decode
from masktune.errors import DataDamaged, MasktuneWarning
from shared_data import SHARED_DATA, needs_shared_data

ODD = SHARED_DATA / "odd_images"


def picture(mode="RGB", size=(40, 24)):
    """A gradient with a bright corner, so that every turn shows."""
    rows, columns = np.mgrid[: size[1], : size[0]]
    image = np.stack([rows * 5, columns * 4, 255 - rows * 3 - columns], axis=2).astype(np.uint8)
    image[:6, :9] = (250, 240, 30)
    return Image.fromarray(image).convert(mode)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(content):
    """What Pillow shows, upright and in colour."""
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB"))


@pytest.fixture(params=["simplejpeg", "pillow"])
def either_decoder(request, monkeypatch):
    if request.param == "pillow":
        monkeypatch.setattr(jpeg, "simplejpeg", None)
    else:
        pytest.importorskip("simplejpeg")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "PPM"])
def test_colour_is_what_pillow_shows(kind, either_decoder):
    content = saved(picture(), kind)
    found = decode(content)
    assert np.array_equal(found.values, plain(content))
    assert (found.size, found.black, found.white) == ((24, 40), 0, 255)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_grey_stays_grey_and_colour_becomes_grey_when_asked(kind, either_decoder):
    grey = decode(saved(picture("L"), kind))
    assert grey.values.shape == (24, 40, 1)
    content = saved(picture(), kind)
    asked = decode(content, channels=1).values[:, :, 0].astype(int)
    pillows = np.asarray(Image.open(io.BytesIO(content)).convert("L")).astype(int)
    # A JPEG holds its grey already; from RGB it is rounded, and cut off where RGB cannot show it.
    assert np.abs(asked - pillows).mean() < 0.1
    assert kind == "JPEG" or np.array_equal(asked, pillows)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_upright_by_exif(kind, orientation, either_decoder):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(picture(), kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    found = decode(content)
    assert np.array_equal(found.values, plain(content))
    assert found.size == found.values.shape[:2] == ((24, 40) if orientation < 5 else (40, 24))


def test_cmyk_and_palette():
    cmyk = saved(picture("CMYK"), "JPEG", quality=95)
    assert np.array_equal(decode(cmyk).values, plain(cmyk))
    assert np.abs(decode(cmyk).values.astype(int) - np.asarray(picture())).mean() < 4
    palette = saved(picture().quantize(32), "PNG")
    assert np.array_equal(decode(palette).values, plain(palette))
    bits = saved(picture("1"), "PNG")
    assert set(np.unique(decode(bits).values)) == {0, 255}


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_are_laid_on_white(mode):
    image = Image.new(mode, (2, 1), (100, 0, 0, 255) if mode == "RGBA" else (100, 255))
    image.putpixel((1, 0), (100, 0, 0, 51) if mode == "RGBA" else (100, 51))  # A fifth of it, four of white.
    values = decode(saved(image, "PNG")).values[0, :, 0]
    assert values.tolist() == [100, round(100 / 5 + 255 * 4 / 5)]


def test_sixteen_bits_are_kept():
    values = np.array([[0, 1, 256], [40000, 65534, 65535]], dtype=np.uint16)
    for kind in ("PNG", "TIFF"):
        found = decode(saved(Image.fromarray(values), kind))
        assert found.values.dtype == np.uint16
        assert np.array_equal(found.values[:, :, 0], values)
        assert found.white == 65535


def test_float_and_32_bit_tiff():
    floats = np.array([[0, 0.25], [0.5, 1]], dtype=np.float32)
    found = decode(saved(Image.fromarray(floats), "TIFF"))
    assert np.array_equal(found.values[:, :, 0], floats)
    assert found.white == 1
    whole = decode(saved(Image.fromarray(np.array([[0, 70000]], dtype=np.int32)), "TIFF"))
    assert whole.values[0, 1, 0] == 70000
    assert whole.white == 2**31 - 1


def test_first_frame_of_several():
    frames = [picture().rotate(angle) for angle in (0, 90, 180)]
    webp = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert np.array_equal(decode(webp).values, np.asarray(frames[0]))
    gif = saved(
        frames[0].quantize(64), "GIF", save_all=True, append_images=[f.quantize(64) for f in frames[1:]]
    )
    assert np.array_equal(decode(gif).values, plain(gif))
    tiff = saved(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    assert np.array_equal(decode(tiff).values, np.asarray(frames[0]))


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_is_decoded_smaller(orientation, either_decoder):
    large = picture().resize((800, 480), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(large, "JPEG", exif=exif)
    found = decode(content, wanted=lambda size: (size[0] // 10, size[1] // 10))
    size = (480, 800) if orientation == 1 else (800, 480)
    assert found.size == size
    assert found.values.shape[:2] == (
        size[0] // 4,
        size[1] // 4,
    )  # An eighth would be less than twice a tenth.
    small = Image.fromarray(plain(content)).resize((size[1] // 4, size[0] // 4), Image.Resampling.BOX)
    assert np.abs(found.values.astype(int) - np.asarray(small)).mean() < 1
    assert decode(content, wanted=lambda size: size).values.shape[:2] == size


def test_both_decoders_give_the_same_pixels(monkeypatch):
    pytest.importorskip("simplejpeg")
    noisy = Image.fromarray(np.random.default_rng(0).integers(0, 255, (333, 500, 3), dtype=np.uint8))
    for image in (noisy, picture().resize((500, 333)), noisy.convert("L")):
        for channels in (1, 3):
            for wanted in (None, lambda size: (40, 40)):
                content = saved(image, "JPEG", quality=85)
                fast = decode(content, channels, wanted).values
                with monkeypatch.context() as patch:
                    patch.setattr(jpeg, "simplejpeg", None)
                    assert np.array_equal(decode(content, channels, wanted).values, fast)


def test_what_is_wrong_with_a_file(either_decoder):
    whole = saved(picture(size=(400, 240)), "JPEG")
    for content, said in [
        (b"", r"is empty \(0 bytes\)"),
        (whole[: len(whole) // 2], "is truncated or damaged"),
        (saved(picture(size=(400, 240)), "PNG")[:600], "is truncated or damaged"),
        (b"just some words", "is no image that Pillow can read"),
        (b"<!DOCTYPE html><html>404</html>", "is a web page, not an image"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "is a pointer of Git LFS"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "is a HEIF photo, which Pillow cannot read; convert it to JPEG"),
    ]:
        with pytest.raises(DataDamaged, match=said):
            decode(content)


def test_colour_of_16_bits_is_said_to_lose_half_of_them():
    # Pillow cannot write such a PNG: a header of 1x1 pixel, 16 bits, RGB, and its six bytes.
    import struct
    import zlib

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    content += chunk(b"IDAT", zlib.compress(b"\0" + bytes([1, 2, 3, 4, 5, 6]))) + chunk(b"IEND", b"")
    with pytest.warns(MasktuneWarning, match="16 bits a colour, of which Pillow reads 8"):
        assert decode(content).values.tolist() == [[[1, 3, 5]]]


@needs_shared_data
def test_odd_images_have_the_outcome_that_their_manifest_wants():
    with (ODD / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["file"]: row["right_outcome"] for row in csv.DictReader(file)}
    assert len(rows) == 26
    for name, outcome in rows.items():
        if outcome.startswith("passed over"):
            continue  # Listing's work.
        content = (ODD / name).read_bytes()
        if outcome.startswith(("open", "truncated")) and not name.startswith("photo.avif"):
            decode(content)
        elif not name.startswith("photo.avif"):
            with pytest.raises(DataDamaged):
                decode(content)
    turned = decode((ODD / "exif_orientation_6.jpg").read_bytes()).values
    assert np.array_equal(turned, plain((ODD / "exif_orientation_6.jpg").read_bytes()))


@pytest.fixture
def dicom():
    """Make a DICOM file: values, and what the header says of them."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    def make(values, **header):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
        made.SOPClassUID, made.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        made.Rows, made.Columns = values.shape[:2]
        bits = values.dtype.itemsize * 8
        usual = {
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "BitsAllocated": bits,
            "BitsStored": bits,
            "PixelRepresentation": int(values.dtype.kind == "i"),
        }
        for name, value in (usual | header).items():
            setattr(made, name, value)
        made.HighBit = made.BitsStored - 1
        made.PixelData = values.tobytes()
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pydicom.dcmwrite(file, made, enforce_file_format=True)
        return file.getvalue()

    return make


def test_dicom_rescale_and_window(dicom):
    stored = np.array([[0, 1024, 2048]], dtype=np.uint16)
    content = dicom(
        stored,
        BitsStored=12,
        RescaleSlope=1,
        RescaleIntercept=-1024,
        WindowCenter=[40, 300],
        WindowWidth=[400, 9],
    )
    found = decode(content)
    assert found.values[0, :, 0].tolist() == [-1024, 0, 1024]
    # PS3.3 C.11.2.1.2.1: black up to c - 0.5 - (w - 1) / 2, white from c - 0.5 + (w - 1) / 2 on.
    assert (found.black, found.white) == (-160, 239)


def test_dicom_without_a_window_uses_the_stored_bits(dicom):
    found = decode(dicom(np.array([[0, 4095]], dtype=np.uint16), BitsStored=12))
    assert (found.black, found.white) == (0, 4095)
    signed = decode(dicom(np.array([[-3, 5]], dtype=np.int16), RescaleSlope=2, RescaleIntercept=1))
    assert signed.values[0, :, 0].tolist() == [-5, 11]
    assert (signed.black, signed.white) == (-65535, 65535)


def test_dicom_monochrome1_is_inverted(dicom):
    found = decode(dicom(np.array([[0, 255]], dtype=np.uint8), PhotometricInterpretation="MONOCHROME1"))
    assert (found.black, found.white) == (255, 0)


def test_dicom_in_colour(dicom):
    values = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    found = decode(dicom(values, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0))
    assert np.array_equal(found.values, values)
    assert (found.values.dtype, found.white) == (np.uint8, 255)


def test_dicom_windows_of_width_one_and_less(dicom):
    stored = np.array([[0, 10]], dtype=np.uint16)
    for header, ends in [
        ({"WindowWidth": 1}, (0, 65535)),  # LINEAR has no slope there: as without a window.
        ({"WindowWidth": 0.5, "VOILUTFunction": "LINEAR_EXACT"}, (4.75, 5.25)),
    ]:
        found = decode(dicom(stored, WindowCenter=5, **header))
        assert (found.black, found.white) == ends


def test_dicom_that_cannot_be_used(dicom):
    values = np.zeros((2, 2), dtype=np.uint8)
    palette = {"PhotometricInterpretation": "PALETTE COLOR"}
    with pytest.raises(DataDamaged, match="is DICOM in PALETTE COLOR, 8 bits, which is not read; export it"):
        decode(dicom(values, **palette))
    deep = np.zeros((2, 2, 3), dtype=np.uint16)
    with pytest.raises(DataDamaged, match="is DICOM in RGB, 16 bits, which is not read"):
        decode(dicom(deep, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0))
    for content, said in [
        (
            dicom(np.zeros((3, 2, 2), dtype=np.uint8)[0], NumberOfFrames=3),
            "is DICOM of 3 frames; export the one",
        ),
        (dicom(values)[:-2], "is DICOM that cannot be read"),
        (bytes(128) + b"DICM", "is DICOM"),
    ]:
        with pytest.raises(DataDamaged, match=said):
            decode(content)
