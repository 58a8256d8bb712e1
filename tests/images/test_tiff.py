"""TIFF by its own description. Files are made and read back by tifffile, OpenCV and Pillow."""

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from holding import HOLE, ICC, XMP, cmyk_profile, image, levels, opened, page, tiff
from inpaint.errors import InputError
from inpaint.images.reading import read_photo
from inpaint.images.writing import write_photo
from inpaint.pipeline import fill_photo


def filled(tmp_path, inpainter, name="a.tif", **options):
    """Fill a file and return the result's place."""
    photo = read_photo(tmp_path / name, first_page=False, **options)
    write_photo(fill_photo(photo, HOLE, inpainter), tmp_path / "out.tif")
    return tmp_path / "out.tif"


# Which directory is the photo -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("place", ["below", "after"])
def test_the_photo_is_the_image_that_is_not_reduced(tmp_path, caplog, dtype, place):
    full, small = levels(255 if dtype == np.uint8 else 65535), levels()[::4, ::4]
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(small, subfiletype=1, subifds=1 if place == "below" else 0, photometric="rgb", metadata=None)
        file.write(full, photometric="rgb", metadata=None)
    photo = read_photo(tmp_path / "a.tif", first_page=False)
    assert np.array_equal(photo.pixels, full)
    write_photo(photo, tmp_path / "b.tif")
    assert "1 reduced image" in caplog.text
    assert opened(tmp_path / "b.tif").n_frames == 1


def test_a_pyramid_below_the_photo_and_a_mask_beside_it_are_left_out_by_name(tmp_path, caplog):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(levels(), subifds=2, photometric="rgb", metadata=None)
        for step in (2, 4):
            file.write(levels()[::step, ::step], subfiletype=1, photometric="rgb", metadata=None)
        file.write(levels()[..., 0] > 128, subfiletype=4, photometric="minisblack", metadata=None)
    photo = read_photo(tmp_path / "a.tif", first_page=False)
    assert np.array_equal(photo.pixels, levels())
    assert not photo.pages
    write_photo(photo, tmp_path / "b.tif")
    assert "1 transparency mask, 2 reduced images" in caplog.text


@pytest.mark.parametrize("photometric", [32803, 34892])
def test_an_undeveloped_raw_file_is_refused_by_what_it_is(tmp_path, photometric):
    cfa = {"extratags": [(50706, "B", 4, (1, 4, 0, 0), True)]}
    with tifffile.TiffWriter(tmp_path / "a.dng") as file:
        file.write(levels()[::4, ::4], subfiletype=1, subifds=1, photometric="rgb", metadata=None, **cfa)
        samples = levels(65535) if photometric == 34892 else levels(65535)[..., 0]
        file.write(samples, photometric=photometric, metadata=None)
    with pytest.raises(InputError, match="DNG with 32 x 24 undeveloped samples; develop it"):
        read_photo(tmp_path / "a.dng")


# Channels -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("white", [255, 65535])
@pytest.mark.parametrize("colors", [1, 3])
def test_premultiplied_samples_of_known_pixels_stay_and_the_fill_is_multiplied(
    tmp_path, make_gray_inpainter, white, colors
):
    alpha = (levels(white)[..., 2:3] // 2 * 2).astype(np.uint16)
    alpha[:3] = 0
    values = (levels(white)[..., :colors].astype(np.int64) * alpha // white).astype(levels(white).dtype)
    stored = np.concatenate([values, alpha.astype(values.dtype)], axis=2)
    photometric = "rgb" if colors == 3 else "minisblack"
    tiff(tmp_path / "a.tif", stored, photometric=photometric, extrasamples=["assocalpha"], planarconfig="contig")
    result = filled(tmp_path, make_gray_inpainter(0.5))
    back = tifffile.imread(result)
    assert [int(each) for each in page(result).extrasamples] == [1]
    assert np.array_equal(back[~HOLE], stored[~HOLE])
    assert np.array_equal(back[..., -1], stored[..., -1])
    expected = np.rint(round(white / 2) * alpha[HOLE].astype(float) / white)
    assert np.abs(back[HOLE][:, :colors].astype(float) - expected).max() <= 1


@pytest.mark.parametrize("white", [255, 65535])
@pytest.mark.parametrize("kinds", [["unspecified"], ["unassalpha", "unspecified"], ["unspecified", "unassalpha"]])
def test_further_channels_stay_and_are_filled_and_only_alpha_is_alpha(tmp_path, gray_inpainter, white, kinds):
    values = levels(white, channels=3 + len(kinds))
    tiff(tmp_path / "a.tif", values, extrasamples=kinds)
    photo = read_photo(tmp_path / "a.tif")
    assert (photo.alpha is not None) == ("unassalpha" in kinds)
    result = filled(tmp_path, gray_inpainter)
    back = tifffile.imread(result)
    infrared = 3 + kinds.index("unspecified")
    out = 3 + [int(each) for each in page(result).extrasamples].index(0)
    assert np.array_equal(back[~HOLE][:, out], values[~HOLE][:, infrared])
    assert (back[HOLE][:, out] == round(white / 2)).all()


def test_a_file_without_the_tag_of_its_fourth_channel_has_no_alpha(tmp_path):
    tiff(tmp_path / "a.tif", levels(channels=4), extrasamples=["unspecified"])
    data = bytearray((tmp_path / "a.tif").read_bytes())
    at = data.index(b"\x52\x01\x03\x00")
    data[at : at + 2] = b"\xf0\xff"  # the tag becomes another one
    (tmp_path / "a.tif").write_bytes(data)
    photo = read_photo(tmp_path / "a.tif")
    assert photo.alpha is None
    assert photo.extra.shape == (24, 32, 1)


# Depth ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("top", [0.8, 7.5])
def test_floating_point_is_linear_and_known_samples_stay_to_the_last_bit(
    tmp_path, make_gray_inpainter, caplog, dtype, top
):
    values = (levels(65535) / 65535 * top).astype(dtype)
    values[0, 0, 0], values[0, 1, 0] = np.nan, -0.25
    tiff(tmp_path / "a.tif", values)
    back = tifffile.imread(filled(tmp_path, make_gray_inpainter(0.5)))
    assert back.dtype == dtype
    assert np.array_equal(back[~HOLE], values[~HOLE], equal_nan=True)
    white = max(1.0, np.nanmax(values.astype(float)))
    assert np.abs(back[HOLE].astype(float) / white - ((0.5 + 0.055) / 1.055) ** 2.4).max() < 1e-3
    assert (
        f"{dtype().itemsize * 8}-bit floating point, taken as linear light; its values go from -0.25 to" in caplog.text
    )


def test_whole_numbers_of_32_bit_keep_every_level(tmp_path, make_gray_inpainter):
    values = np.random.default_rng(0).integers(0, 2**32, (24, 32, 3), dtype=np.uint32)
    tiff(tmp_path / "a.tif", values)
    back = tifffile.imread(filled(tmp_path, make_gray_inpainter(0.5)))
    assert np.array_equal(back[~HOLE], values[~HOLE])
    assert np.abs(back[HOLE] / 2**32 - 0.5).max() < 1e-4


@pytest.mark.parametrize("name", ["out.png", "out.jpg"])
def test_wide_samples_in_other_formats_are_named(tmp_path, caplog, name):
    tiff(tmp_path / "a.tif", levels(65535).astype(np.float32) / 65535)
    caplog.clear()
    write_photo(read_photo(tmp_path / "a.tif"), tmp_path / name)
    assert "floating point or 32 bit (written as 16)" in caplog.text


# CMYK -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("spot", [False, True])
def test_inks_of_known_pixels_stay_and_the_fill_is_converted_by_the_profile(tmp_path, make_gray_inpainter, depth, spot):
    inks = levels(2**depth - 1, channels=5 if spot else 4)
    kinds = {"extrasamples": ["unspecified"]} if spot else {}
    tiff(tmp_path / "a.tif", inks, photometric="separated", iccprofile=cmyk_profile(), **kinds)
    result = filled(tmp_path, make_gray_inpainter(162 / 255))  # L = 66.7: a third of black
    back = tifffile.imread(result)
    assert int(page(result).photometric) == 5
    assert bytes(page(result).tags.valueof(34675)) == cmyk_profile()
    assert np.array_equal(back[~HOLE], inks[~HOLE])
    assert (back[HOLE][:, :3] == 0).all()
    assert np.abs(back[HOLE][:, 3] / (2**depth - 1) - 1 / 3).max() < 0.02


def test_inks_of_a_jpeg_stay_inks(tmp_path, gray_inpainter):
    image = Image.frombytes("CMYK", (32, 24), levels(channels=4).tobytes())
    image.save(tmp_path / "a.jpg", icc_profile=cmyk_profile(), quality=100, subsampling=0)
    write_photo(fill_photo(read_photo(tmp_path / "a.jpg"), HOLE, gray_inpainter), tmp_path / "b.jpg")
    before, after = opened(tmp_path / "a.jpg"), opened(tmp_path / "b.jpg")
    assert after.mode == "CMYK"
    assert after.info["icc_profile"] == cmyk_profile()
    assert np.abs(np.asarray(before).astype(int) - np.asarray(after))[:, 24:].max() <= 3


# Compression, pages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd"])
@pytest.mark.parametrize("white", [255, 65535])
def test_lossless_compression_stays_at_every_depth(tmp_path, gray_inpainter, compression, white):
    codes = {"raw": 1, "tiff_lzw": 5, "tiff_adobe_deflate": 8, "packbits": 32773, "zstd": 50000}
    if white == 255:
        image().save(tmp_path / "a.tif", compression=compression)
    elif compression in ("raw", "tiff_lzw", "tiff_adobe_deflate"):
        options = [cv2.IMWRITE_TIFF_COMPRESSION, codes[compression]]
        cv2.imwrite(str(tmp_path / "a.tif"), levels(white)[..., ::-1], options)
    else:
        pytest.skip("nothing else writes these")
    result = filled(tmp_path, gray_inpainter)
    assert int(page(result).compression) == codes[compression]
    if compression == "zstd":  # which OpenCV lacks
        back = np.asarray(opened(result))
    else:
        back = cv2.imread(str(result), cv2.IMREAD_UNCHANGED)[..., ::-1]
    assert np.array_equal(back[~HOLE], levels(white)[~HOLE])


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "raw"])
def test_a_scan_of_one_bit_stays_one_with_a_fill_in_black_and_white(tmp_path, make_gray_inpainter, compression):
    scan = image().convert("1")
    scan.save(tmp_path / "a.tif", compression=compression)
    back = opened(filled(tmp_path, make_gray_inpainter(0.6)))
    assert (back.mode, back.info["compression"]) == ("1", compression)
    values = np.asarray(back)
    assert np.array_equal(values[~HOLE], np.asarray(scan)[~HOLE])
    assert values[HOLE].all()


def test_jpeg_in_tiff_is_deflated_by_name(tmp_path, gray_inpainter, caplog):
    image().save(tmp_path / "a.tif", compression="jpeg", quality=90)
    result = filled(tmp_path, gray_inpainter)
    assert "not kept: lossy compression (deflated instead" in caplog.text
    assert np.array_equal(np.asarray(opened(result))[~HOLE], np.asarray(opened(tmp_path / "a.tif"))[~HOLE])


@pytest.mark.parametrize("white", [255, 65535])
def test_every_page_is_filled_with_the_same_hole_and_keeps_what_it_holds(tmp_path, gray_inpainter, white):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for seed in range(3):
            tags = [(700, "B", len(XMP), XMP, True), (285, "s", 0, f"page {seed}", True)]
            file.write(levels(white, seed=seed), photometric="rgb", iccprofile=ICC, metadata=None, extratags=tags)
    with tifffile.TiffFile(filled(tmp_path, gray_inpainter)) as file:
        assert len(file.pages) == 3
        for seed, each in enumerate(file.pages):
            values = each.asarray()
            assert np.array_equal(values[~HOLE], levels(white, seed=seed)[~HOLE])
            assert (values[HOLE] == round(white / 2)).all()
            assert bytes(each.tags.valueof(34675)) == ICC
            assert bytes(each.tags.valueof(700)) == XMP
            assert each.tags.valueof(285) == f"page {seed}"


def test_pages_of_different_sizes_are_refused_unless_the_first_is_asked_for(tmp_path, caplog):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(levels(), photometric="rgb", metadata=None)
        file.write(levels()[:20], photometric="rgb", metadata=None)
    with pytest.raises(InputError, match=r"different sizes \(32 x 24, 32 x 20\), .* --first-page takes the first"):
        read_photo(tmp_path / "a.tif", first_page=False)
    assert not read_photo(tmp_path / "a.tif").pages
    assert "has 2 pages or frames; the first is used" in caplog.text


def test_the_limit_of_pixels_holds_for_all_pages(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for _ in range(4):
            file.write(levels(), photometric="rgb", metadata=None)
    with pytest.raises(InputError, match="its 4 pages claim 3,072 pixels, more than the limit of 2,000"):
        read_photo(tmp_path / "a.tif", first_page=False, max_pixels=2000)
    assert read_photo(tmp_path / "a.tif", max_pixels=2000).width == 32


@pytest.mark.parametrize(
    "options", [{"bigtiff": True}, {"byteorder": ">"}, {"tile": (16, 16)}, {"photometric": "miniswhite"}]
)
def test_every_layout_is_read(tmp_path, gray_inpainter, options):
    values = levels(65535)
    values = values[..., 0] if "photometric" in options else values
    tiff(tmp_path / "a.tif", values, iccprofile=ICC, **options)
    back = tifffile.imread(filled(tmp_path, gray_inpainter))
    shown = 65535 - values if "photometric" in options else values
    assert np.array_equal(back[~HOLE], shown[~HOLE])
    assert opened(tmp_path / "out.tif").info["icc_profile"] == ICC if values.ndim == 2 else True


# What decoders do not do right ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK"])
def test_an_uncompressed_file_is_turned_in_every_mode(tmp_path, mode, turn):
    stored = image().convert("RGB" if mode in ("LA", "RGBA", "CMYK") else mode).convert(mode)
    about = Image.Exif()
    about[0x112] = turn
    stored.save(tmp_path / "a.tif", exif=about)
    values = np.asarray(stored.convert("RGB"))
    way = {2: lambda a: a[:, ::-1], 3: lambda a: np.rot90(a, 2), 4: lambda a: a[::-1], 5: lambda a: a.swapaxes(0, 1)}
    way |= {6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: np.rot90, 1: lambda a: a}
    assert np.array_equal(read_photo(tmp_path / "a.tif").pixels, way[turn](values))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_every_byte_order_and_size_of_offsets_is_read(tmp_path, order, big):
    for values, photometric in ((levels(), "rgb"), (levels()[..., 0], "minisblack"), (levels(65535), "rgb")):
        tiff(tmp_path / "a.tif", values, photometric=photometric, byteorder=order, bigtiff=big)
        pixels = read_photo(tmp_path / "a.tif").pixels
        assert np.array_equal(pixels if values.ndim == 3 else pixels[..., 0], values)


def test_white_is_zero_with_alpha_is_read_as_both(tmp_path):
    values = levels(channels=2)
    tiff(tmp_path / "a.tif", values, photometric="miniswhite", extrasamples=["unassalpha"], planarconfig="contig")
    photo = read_photo(tmp_path / "a.tif")
    assert np.array_equal(photo.pixels[..., 0], 255 - values[..., 0])
    assert np.array_equal(photo.alpha, values[..., 1])


@pytest.mark.parametrize(
    ("values", "photometric", "kind"),
    [
        (levels(), "cielab", "8-bit TIFF of color kind CIELAB"),
        (levels(65535), "cielab", "16-bit TIFF of color kind CIELAB"),
        (levels(), "icclab", "8-bit TIFF of color kind ICCLAB"),
        (levels().astype(np.int16), "rgb", "TIFF with 16-bit signed values"),
    ],
)
def test_colors_that_are_not_understood_are_refused_by_their_kind(tmp_path, values, photometric, kind):
    tiff(tmp_path / "a.tif", values, photometric=photometric)
    with pytest.raises(InputError, match=f"{kind} is not supported"):
        read_photo(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", [5, 8])
def test_floats_behind_a_predictor_are_read_exactly(tmp_path, gray_inpainter, compression):
    values = (levels(65535) / 40000).astype(np.float32)
    options = [cv2.IMWRITE_TIFF_COMPRESSION, compression, cv2.IMWRITE_TIFF_PREDICTOR, 3]
    assert cv2.imwrite(str(tmp_path / "a.tif"), values[..., ::-1], options)
    assert int(page(tmp_path / "a.tif").predictor) == 3
    result = cv2.imread(str(filled(tmp_path, gray_inpainter)), cv2.IMREAD_UNCHANGED)[..., ::-1]
    assert np.array_equal(result[~HOLE], values[~HOLE])
