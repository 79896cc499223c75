import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin

from datamodules.errors import InputError
from datamodules.listing import is_picture
from datamodules.picture_file import read_picture

HEIGHT, WIDTH = 24, 40


@pytest.fixture
def scene():
    """(24, 40, 3) uint8, smooth, every level of some channel, no symmetry."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([6 * columns, 10 * rows, 3 * columns + 5 * rows], axis=-1).astype(np.uint8)


@pytest.fixture
def deep():
    """(24, 40) uint16 from 0 to 65535."""
    return np.linspace(0, 65535, HEIGHT * WIDTH).round().astype(np.uint16).reshape(HEIGHT, WIDTH)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.ppm", "a.webp", "png_in_truth.jpg"])
def test_plain_pictures_are_read_exactly_as_opencv_reads_them(tmp_path, scene, name):
    path = tmp_path / name
    options = {".webp": {"lossless": True}}.get(path.suffix, {})
    Image.fromarray(scene).save(path, format="png" if "truth" in name else None, **options)
    picture = read_picture(path, 3)
    np.testing.assert_array_equal(picture, cv2.imread(str(path))[..., ::-1])
    np.testing.assert_array_equal(picture, scene)
    assert picture.dtype == np.uint8


def test_jpeg_agrees_with_opencv(tmp_path, scene):
    cv2.imwrite(str(tmp_path / "a.jpg"), scene[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    difference = read_picture(tmp_path / "a.jpg", 3).astype(int) - cv2.imread(str(tmp_path / "a.jpg"))[..., ::-1]
    assert np.abs(difference).max() <= 2


def test_grey_is_the_luma_and_one_channel(tmp_path, scene):
    Image.fromarray(scene).save(tmp_path / "a.png")
    grey = read_picture(tmp_path / "a.png", 1)
    assert grey.shape == (HEIGHT, WIDTH, 1)
    np.testing.assert_allclose(grey[..., 0], scene @ (0.299, 0.587, 0.114), atol=0.51)


def test_grey_file_becomes_three_equal_channels(tmp_path, scene):
    Image.fromarray(scene[..., 0]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png", 3), scene[..., :1].repeat(3, axis=-1))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_sixteen_bit_grey_is_scaled_over_its_whole_range(tmp_path, deep, name):
    assert cv2.imwrite(str(tmp_path / name), deep)
    grey = read_picture(tmp_path / name, 1)[..., 0]
    np.testing.assert_array_equal(grey, np.rint(deep / 257))
    np.testing.assert_array_equal(read_picture(tmp_path / name, 3)[..., 2], grey)


def test_sixteen_bit_big_endian_tiff(tmp_path, deep):
    Image.fromarray(deep.astype(">u2")).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif", 1)[..., 0], np.rint(deep / 257))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.ppm"])
def test_sixteen_bit_colour_is_scaled_over_its_whole_range(tmp_path, deep, name):
    colour = np.stack([deep, deep[::-1], deep[:, ::-1]], axis=-1)
    assert cv2.imwrite(str(tmp_path / name), colour[..., ::-1])
    np.testing.assert_allclose(read_picture(tmp_path / name, 3), colour / 257, atol=1)


def test_twelve_bit_tiff_is_scaled_over_twelve_bits(tmp_path):
    values = np.linspace(0, 4095, HEIGHT * WIDTH).round().astype(np.uint16)
    pairs = values.reshape(-1, 2)  # two values in three bytes, most significant bit first
    packed = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], axis=-1)
    write_tiff(tmp_path / "a.tif", packed.astype(np.uint8).tobytes(), bits=12, photometric=1)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif", 1).ravel(), np.rint(values * (255 / 4095)))


def test_tiff_in_which_zero_is_white_is_inverted(tmp_path, deep):
    write_tiff(tmp_path / "a.tif", deep.astype("<u2").tobytes(), bits=16, photometric=0)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif", 1)[..., 0], np.rint((65535 - deep) / 257))


def write_tiff(path, data, bits, photometric):
    """Write the smallest grey TIFF there can be."""
    tags = {256: WIDTH, 257: HEIGHT, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: HEIGHT, 279: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    path.write_bytes(
        b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags)) + entries + bytes(4)
    )


@pytest.mark.parametrize(
    ("values", "kind"), [(np.float32, "floating-point"), (np.int32, "32-bit"), (np.int16, "signed")]
)
def test_values_without_a_definite_range_are_refused(tmp_path, deep, values, kind):
    assert cv2.imwrite(str(tmp_path / "a.tif"), (deep // 4).astype(values))
    with pytest.raises(InputError, match=rf"a\.tif: holds .*{kind}.* save it with 8 or 16 bits"):
        read_picture(tmp_path / "a.tif", 1)


def test_palette(tmp_path, scene):
    indexed = Image.fromarray(scene).quantize(16)
    indexed.save(tmp_path / "a.png")
    expected = np.array(indexed.getpalette()).reshape(-1, 3)[np.array(indexed)]
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png", 3), expected)


def test_one_bit_picture_is_black_and_white(tmp_path, scene):
    mask = scene[..., 0] > 100
    Image.fromarray(mask).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png", 1)[..., 0], 255 * mask)


@pytest.mark.parametrize("background", [0, 128, 255])
def test_transparency_lies_on_the_background(tmp_path, scene, background):
    alpha = np.linspace(0, 255, HEIGHT * WIDTH).round().reshape(HEIGHT, WIDTH, 1)
    Image.fromarray(np.concatenate([scene, alpha.astype(np.uint8)], axis=-1)).save(tmp_path / "a.png")
    expected = scene * (alpha / 255) + background * (1 - alpha / 255)
    np.testing.assert_allclose(read_picture(tmp_path / "a.png", 3, background), expected, atol=1)


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_transparent_colour_of_a_picture_without_alpha(tmp_path, scene, mode):
    picture = Image.fromarray(scene).quantize(8) if mode == "P" else Image.fromarray(scene).convert(mode)
    chosen = picture.getpixel((5, 5))
    picture.save(tmp_path / "a.png", transparency=chosen)
    hidden = (np.array(picture).reshape(HEIGHT, WIDTH, -1) == chosen).all(axis=-1)
    read = read_picture(tmp_path / "a.png", 3, background=77)
    assert (read[hidden] == 77).all()
    np.testing.assert_array_equal(read[~hidden], np.array(picture.convert("RGB"))[~hidden])


def write_png(path, values, transparent):
    """Write a PNG of 16 bits a channel, grey or RGB, with a transparent colour: no library at hand does."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 0 if values.ndim == 2 else 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    colour = np.asarray(transparent, ">u2").tobytes()
    chunks = [(b"IHDR", header), (b"tRNS", colour), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks))


def test_transparent_level_of_sixteen_bits(tmp_path, deep):
    write_png(tmp_path / "a.png", deep, deep[5, 5])
    grey = read_picture(tmp_path / "a.png", 1, background=77)[..., 0]
    expected = np.rint(deep / 257)
    expected[5, 5] = 77  # and no other: the levels around it are the same in 8 bits
    np.testing.assert_array_equal(grey, expected)


def test_transparent_colour_of_sixteen_bits(tmp_path, deep):
    colour = np.stack([deep, deep[::-1], deep[:, ::-1]], axis=-1)
    write_png(tmp_path / "a.png", colour, colour[5, 5])
    read = read_picture(tmp_path / "a.png", 3, background=77)
    hidden = (colour >> 8 == colour[5, 5] >> 8).all(axis=-1)
    assert hidden.sum() < 5
    assert (read[hidden] == 77).all()
    np.testing.assert_allclose(read[~hidden], (colour / 257)[~hidden], atol=1)


def test_grey_with_alpha(tmp_path, scene):
    Image.fromarray(np.stack([scene[..., 0], np.zeros_like(scene[..., 0])], axis=-1), "LA").save(tmp_path / "a.png")
    assert (read_picture(tmp_path / "a.png", 1, background=9) == 9).all()


def test_cmyk_without_profile_is_the_complement_of_the_inks(tmp_path):
    inks = np.zeros((8, 8, 4), np.uint8)
    inks[:4, :, 0] = 200  # cyan takes red away
    inks[:, 4:, 3] = 128  # black takes everything away
    Image.fromarray(inks, "CMYK").save(tmp_path / "a.tif")
    read = read_picture(tmp_path / "a.tif", 3)
    expected = (255 - inks[..., :3].astype(float)) * (1 - inks[..., 3:] / 255)
    np.testing.assert_allclose(read, expected, atol=1)


def test_cmyk_jpeg_keeps_its_colours(tmp_path, scene):
    """Such files hold inverted inks, by an old custom that a careless reader turns into a negative."""
    Image.fromarray(scene).convert("CMYK").save(tmp_path / "a.jpg", quality=100)
    np.testing.assert_allclose(read_picture(tmp_path / "a.jpg", 3), scene, atol=6)


def press_profile():
    """An ICC profile of a press on which cyan ink looks red (L 53, a 80, b 67) and black ink black."""
    ramp = bytes(range(256))
    white, red, black = (255, 128, 128), (round(53.2 * 2.55), 128 + 80, 128 + 67), (0, 128, 128)
    cyan_slowest_black_fastest = [white, black] * 4 + [red, black] * 4
    identity = struct.pack(">9i", *(65536, 0, 0, 0, 65536, 0, 0, 0, 65536))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + 4 * ramp
    table += b"".join(bytes(colour) for colour in cyan_slowest_black_fastest) + 3 * ramp
    point = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    tags, start, directory = [(b"A2B0", table), (b"wtpt", point)], 128 + 4 + 2 * 12, b""
    for name, data in tags:
        directory += name + struct.pack(">II", start, len(data))
        start += len(data)
    body = struct.pack(">I", len(tags)) + directory + table + point
    header = struct.pack(">I4sI4s4s4s", 128 + len(body), b"test", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + body


def test_cmyk_with_a_profile_looks_as_the_profile_says(tmp_path):
    inks = np.zeros((8, 8, 4), np.uint8)
    inks[:4, :, 0] = 255
    Image.fromarray(inks, "CMYK").save(tmp_path / "a.tif", icc_profile=press_profile())
    read = read_picture(tmp_path / "a.tif", 3)
    np.testing.assert_allclose(read[:4], np.broadcast_to((255, 0, 0), (4, 8, 3)), atol=10)
    np.testing.assert_allclose(read[4:], 255, atol=1)


def test_cmyk_with_a_damaged_profile_is_named(tmp_path, scene):
    Image.fromarray(scene).convert("CMYK").save(tmp_path / "a.jpg", icc_profile=b"no profile")
    with pytest.raises(InputError, match=r"a\.jpg: unreadable picture"):
        read_picture(tmp_path / "a.jpg", 3)


def test_profile_of_another_space_than_the_inks_is_named(tmp_path, scene):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(scene).convert("CMYK").save(tmp_path / "a.jpg", icc_profile=profile)
    with pytest.raises(InputError, match=r"a\.jpg: unreadable picture"):
        read_picture(tmp_path / "a.jpg", 3)


UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_orientation_is_applied(tmp_path, scene, orientation, suffix):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options = {".webp": {"lossless": True}, ".jpg": {"quality": 100, "subsampling": 0}}.get(suffix, {})
    Image.fromarray(scene).save(tmp_path / f"a{suffix}", exif=exif, **options)
    np.testing.assert_allclose(read_picture(tmp_path / f"a{suffix}", 3), UPRIGHT[orientation](scene), atol=4)


def test_orientation_survives_the_scaling_of_sixteen_bits(tmp_path, deep):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[274] = 6
    Image.fromarray(deep).save(tmp_path / "a.tif", tiffinfo=tags)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif", 1)[..., 0], np.rot90(np.rint(deep / 257), -1))


def test_the_first_of_several_pages_is_read(tmp_path, scene):
    Image.fromarray(scene).save(tmp_path / "a.tif", save_all=True, append_images=[Image.fromarray(255 - scene)])
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif", 3), scene)


@pytest.mark.filterwarnings("ignore:Truncated File Read")
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp", ".ppm"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.9])
def test_truncated_files_are_named(tmp_path, suffix, share):
    path = tmp_path / f"cut{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match=rf"cut\{suffix}: unreadable picture"):
        read_picture(path, 3)


def test_other_formats_are_refused_whatever_their_name(tmp_path, scene):
    Image.fromarray(scene).save(tmp_path / "a.png", format="tga")
    with pytest.raises(InputError, match=r"a\.png: unreadable picture .* not one of JPEG"):
        read_picture(tmp_path / "a.png", 3)
    (tmp_path / "b.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    with pytest.raises(InputError, match=r"b\.png"):
        read_picture(tmp_path / "b.png", 3)


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"a\.png: no such file"):
        read_picture(tmp_path / "a.png", 3)
    with pytest.raises(InputError, match="unreadable"):
        read_picture(tmp_path, 3)


def png_header(width, height):
    """A PNG that promises a size and holds nothing."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"")))
    file = io.BytesIO(b"\x89PNG\r\n\x1a\n")
    file.seek(0, io.SEEK_END)
    for name, data in chunks:
        file.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)))
    return file.getvalue()


def test_gigantic_pictures_are_refused_before_they_are_decoded(tmp_path, scene):
    (tmp_path / "a.png").write_bytes(png_header(9000, 9000))
    with pytest.raises(InputError, match=r"a\.png: measures 9000x9000, 81,000,000 pixels; data\.max_pixels is 1,000"):
        read_picture(tmp_path / "a.png", 3, max_pixels=1000)
    (tmp_path / "b.png").write_bytes(png_header(100_000, 100_000))
    with pytest.raises(InputError, match=r"b\.png: has more than 178,956,970 pixels"):
        read_picture(tmp_path / "b.png", 3)
    Image.fromarray(scene).save(tmp_path / "c.png")
    read_picture(tmp_path / "c.png", 3, max_pixels=HEIGHT * WIDTH)
    with pytest.raises(InputError, match=r"c\.png: measures 40x24"):
        read_picture(tmp_path / "c.png", 3, max_pixels=HEIGHT * WIDTH - 1)


def test_what_counts_as_a_picture(tmp_path):
    assert is_picture(tmp_path / "a.JPG")
    assert not is_picture(tmp_path / "a.mat")
    assert not is_picture(tmp_path / "._a.jpg")
