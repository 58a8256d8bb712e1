"""Masks paired with photos: found by name, cut as the photo is, never missed by a crop. Damaged masks are replaced."""

import numpy as np
import pytest
from PIL import Image

from inpaint.data.config import DataConfig
from inpaint.data.module import InpaintData
from inpaint.data.opening import open_source
from inpaint.data.paired import around_hole, center_on_hole
from inpaint.data.stream import FixedSamples, SampleStream
from inpaint.errors import ConfigError, DataError, MaskError, UsageError
from inpaint.masks import parse_mask

SIZE = 32


@pytest.fixture
def folders(tmp_path):
    """photos/ of 12 photos, blue where masks/ has its hole of 8 x 8 pixels, at another place in each; sizes differ."""
    rng = np.random.default_rng(0)
    for number in range(12):
        height, width = 50 + number, 90 - number
        photo = rng.integers(0, 100, (height, width, 3), np.uint8)
        hole = np.zeros((height, width), np.uint8)
        y, x = int(rng.integers(height - 8)), int(rng.integers(width - 8))
        hole[y : y + 8, x : x + 8] = 255
        photo[hole > 0] = (0, 0, 255)
        for kind, values in (("photos", photo), ("masks", hole)):
            path = tmp_path / kind / ("sub" if number % 2 else "") / f"{number:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(path)
    return tmp_path


def config(folders, **options):
    return DataConfig(
        root=str(folders / "photos"), size=SIZE, workers=0, **{"masks": f"paired:{folders}/masks", **options}
    )


def samples(folders, count=24, **options):
    settings = config(folders, **options)
    source = open_source(settings.root, min_px=16)
    every = np.arange(len(source))
    stream, fixed = SampleStream(source, every, settings, seed=0), FixedSamples(source, every, settings)
    return [stream[number] for number in range(count)], [fixed[number] for number in range(len(fixed))]


@pytest.mark.parametrize("crop", ["random", "resize"])
def test_a_mask_is_cut_as_its_photo_and_its_hole_is_in_every_sample(folders, crop):
    drawn, fixed = samples(folders, crop=crop)
    for sample in [*drawn, *fixed]:
        hole = sample["mask"][0] == 1
        blue = (sample["image"][2] > 0.7) & (sample["image"][0] < 0.3)
        assert hole.any()
        assert not hole.all()
        assert (hole & blue).sum() >= 0.6 * max(int(hole.sum()), int(blue.sum()))
    if crop == "random":
        exact = [(sample["mask"][0] == 1, sample["image"]) for sample in drawn]
        assert all((image[2][hole] == 1).all() and (image[0][~hole] < 0.4).all() for hole, image in exact)


def test_samples_with_masks_of_their_own_depend_on_their_number_alone(folders):
    first, second = samples(folders), samples(folders)
    for one, other in zip(first[0], second[0], strict=True):
        assert (one["mask"] == other["mask"]).all()
        assert (one["image"] == other["image"]).all()


def test_photos_without_a_mask_are_left_out_and_named(folders, caplog):
    (folders / "masks/02.png").unlink()
    (folders / "masks/sub/03.png").unlink()
    data = InpaintData(config(folders), batch_size=2, max_iterations=2, seed=0)
    data.setup()
    assert len(data.photos.train) + len(data.photos.val) == 10
    assert "without a mask in" in caplog.text
    for path in (folders / "masks").rglob("*.png"):
        path.unlink()
    with pytest.raises(DataError, match="no photo has a mask of its name"):
        InpaintData(config(folders), batch_size=2, max_iterations=2, seed=0).setup()


def test_masks_of_lists_shards_and_beside_the_photos_are_found(folders):
    from inpaint.data.paired import PairedMasks

    (folders / "list.txt").write_text("photos/00.png\nphotos/sub/01.png\n")
    source = open_source(str(folders / "list.txt"), min_px=16)
    found = PairedMasks(parse_mask(f"paired:{folders}/masks"), source)
    assert [found.files_of(index) for index in (0, 1)] == [
        [f"{folders}/masks/00.png"],
        [f"{folders}/masks/sub/01.png"],
    ]
    (folders / "photos/00_mask001.png").write_bytes((folders / "masks/00.png").read_bytes())
    (folders / "photos/00_mask002.png").write_bytes((folders / "masks/00.png").read_bytes())
    source = open_source(str(folders / "photos"), min_px=16)
    beside = PairedMasks(parse_mask(f"paired:{folders}/photos"), source)
    kept = beside.having(np.arange(len(source)))
    assert [source.name(int(index)) for index in kept] == ["00.png"]
    assert len(beside.files_of(int(kept[0]))) == 2


@pytest.mark.parametrize("fault", ["damaged", "empty", "another shape", "photo"])
def test_a_photo_whose_mask_cannot_be_used_is_replaced_named_and_counted(folders, fault, caplog):
    path = folders / "masks/04.png"
    if fault == "damaged":
        path.write_bytes(path.read_bytes()[:60])
    else:
        rng = np.random.default_rng(0)
        shape = {"empty": (54, 86), "another shape": (60, 60), "photo": (54, 86, 3)}[fault]
        values = rng.integers(0, 256, shape, np.uint8) if fault == "photo" else np.zeros(shape, np.uint8)
        values[:4] = values[:4] if fault in ("photo", "empty") else 255
        Image.fromarray(values).save(path)
    data = InpaintData(
        config(folders, val=str(folders / "photos/sub"), val_masks="box"), batch_size=4, max_iterations=4, seed=0
    )
    data.setup()
    list(data.train_dataloader())
    data.teardown("fit")
    assert caplog.text.count("replaced by the next photo: 04.png") == 1
    assert "1 photo could not be decoded and was replaced by another" in caplog.text


def test_damaged_masks_of_a_folder_are_replaced_named_once_and_counted(folders, caplog):
    masks = folders / "set"
    masks.mkdir()
    for number in range(40):
        (masks / f"{number:02}.png").write_bytes((folders / "masks/00.png").read_bytes())
    good = samples(folders, masks=f"folder:{masks}")[0]
    (masks / "01.png").write_bytes(b"broken")
    (masks / "03.png").write_bytes((folders / "photos/00.png").read_bytes())
    for workers in (0, 2):
        caplog.clear()
        data = InpaintData(
            config(folders, masks=f"folder:{masks}").model_copy(update={"workers": workers}),
            batch_size=4,
            max_iterations=60,
            seed=0,
        )
        list(data.train_dataloader())
        data.teardown("fit")
        assert "2 masks could not be read and were replaced by others" in caplog.text
        if workers == 0:
            assert caplog.text.count("replaced by the next mask") == 2
    again = samples(folders, masks=f"folder:{masks}")[0]
    assert all((one["mask"] == other["mask"]).all() for one, other in zip(good, again, strict=True))


def test_a_folder_says_at_the_start_how_it_is_read_and_what_cannot_be(folders, caplog):
    masks = folders / "set"
    masks.mkdir()
    hole = np.zeros((20, 30), np.uint8)
    hole[3:9, 5:20] = 1
    for number in range(4):
        Image.fromarray(hole).save(masks / f"{number}.png")
    (masks / "4.png").write_bytes(b"broken")
    (masks / "list.txt").touch()
    (masks / "again.png").symlink_to("again.png")
    parse_mask(f"folder:{masks}")
    assert caplog.text.count("two values, 0 and 1; 1 is the hole: so are masks of") == 1
    assert "1 of 5 checked cannot be used: cannot read" in caplog.text
    assert "1 .txt (list.txt)" in caplog.text
    assert "symbolic links" in caplog.text
    with pytest.raises(MaskError, match="File name too long"):
        parse_mask("folder:" + "x" * 300)
    with pytest.raises(MaskError, match="is not a folder"):
        parse_mask("folder:~nobody-of-this-name/masks")


def test_the_label_of_a_mask_set_is_an_option(folders):
    masks = folders / "set"
    masks.mkdir()
    labels = np.zeros((40, 40), np.uint8)
    labels[:10], labels[20:30] = 1, 2
    Image.fromarray(labels).save(masks / "0.png")
    with pytest.raises(MaskError, match="--label"):
        parse_mask(f"folder:{masks}")
    for label, rows in ((1, slice(0, 10)), (2, slice(20, 30))):
        mask = parse_mask({"kind": "folder", "path": str(masks), "label": label, "flip": 0})
        assert np.array_equal(np.flatnonzero(mask.draw(np.random.default_rng(0), 40, 40)[:, 0]), np.arange(40)[rows])
    with pytest.raises(UsageError, match="the label 'red' is none"):
        parse_mask({"kind": "folder", "path": str(masks), "label": "red"})


def test_paired_masks_are_no_part_of_others_and_are_not_drawn_alone(folders):
    with pytest.raises(ConfigError, match="no part of other masks"):
        parse_mask({"kind": "union", "of": ["box", f"paired:{folders}/masks"]})
    with pytest.raises(MaskError, match=r"data\.masks=paired:FOLDER"):
        parse_mask(f"paired:{folders}/masks").draw(np.random.default_rng(0), 8, 8)


@pytest.mark.parametrize("shape", [(30, 90), (90, 30), (40, 40), (33, 34)])
def test_every_square_around_a_hole_shows_it(shape):
    rng = np.random.default_rng(1)
    for _ in range(20):
        hole = np.zeros(shape, np.uint8)
        hole.flat[rng.integers(hole.size)] = 1
        side = int(rng.integers(8, min(shape) + 1))
        cut = hole[around_hole(hole, side, rng).slices]
        assert min(cut.shape) >= side
        squares = np.lib.stride_tricks.sliding_window_view(cut, (side, side))
        assert squares.any(axis=(2, 3)).all()
        square = hole[center_on_hole(hole).slices]
        assert square.shape == (min(shape), min(shape))
        assert square.any()
