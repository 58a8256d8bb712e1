"""Samples are functions of their number; the data module hands them to any number of workers and processes alike."""

from __future__ import annotations

import itertools
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from inpaint.data.config import DataConfig
from inpaint.data.module import InpaintData
from inpaint.data.opening import open_source
from inpaint.data.stream import FixedSamples, SampleStream
from inpaint.errors import ConfigError, DataError, UsageError
from inpaint.options import validated
from inpaint.system.environment import cores
from inpaint.types import Plane

SIZE = 32
SKETCH = (Plane(name="sketch", make="inpaint.images.edges:Sketch"),)


def config(root, **options):
    return DataConfig(root=str(root), **{"size": SIZE, "masks": "box", "workers": 0, **options})


def stream_of(root, *, seed=0, planes=(), plane_options=None, **options):
    settings = config(root, planes=plane_options or {}, **options)
    source = open_source(settings.root, min_px=settings.min_px)
    return SampleStream(source, np.arange(len(source)), settings, seed=seed, planes=planes)


def data_of(root, *, planes=(), seed=0, batch_size=4, max_iterations=4, rank=None, world_size=None, **options):
    data = InpaintData(
        config(root, **options),
        batch_size=batch_size,
        max_iterations=max_iterations,
        seed=seed,
        val_batch_size=3,
        planes=planes,
    )
    if world_size is not None:
        data.trainer = SimpleNamespace(global_rank=rank, world_size=world_size, num_devices=1)
    return data


def same(first, second):
    assert first.keys() == second.keys()
    return all(
        torch.equal(value, second[name]) if isinstance(value, torch.Tensor) else value == second[name]
        for name, value in first.items()
    )


def spoil(path):
    """Cut the file short behind its header."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])


def test_a_sample_has_the_promised_planes(write_photos):
    item = stream_of(write_photos(3), planes=SKETCH)[5]
    assert {name: (tuple(plane.shape), plane.dtype) for name, plane in item.items() if name != "number"} == {
        "image": ((3, SIZE, SIZE), torch.float32),
        "mask": ((1, SIZE, SIZE), torch.float32),
        "sketch": ((1, SIZE, SIZE), torch.float32),
    }
    assert item["number"] == 5
    assert 0 <= item["image"].min() < item["image"].max() <= 1
    assert set(item["mask"].unique().tolist()) == {0.0, 1.0}


def test_pixels_are_the_photos_own_values(write_photos):
    folder = write_photos(1)
    Image.fromarray(np.arange(SIZE * SIZE * 3, dtype=np.uint8).reshape(SIZE, SIZE, 3)).save(folder / "p00.png")
    image = stream_of(folder, flip=0.0)[0]["image"]
    expected = np.arange(SIZE * SIZE * 3, dtype=np.uint8).reshape(SIZE, SIZE, 3)
    assert np.array_equal((image * 255).round().byte().permute(1, 2, 0).numpy(), expected)


def test_a_sample_depends_on_seed_and_number_alone(write_photos):
    folder = write_photos(5)
    first, second = stream_of(folder, planes=SKETCH), stream_of(folder, planes=SKETCH)
    in_order = [first[number] for number in range(12)]
    for number in reversed(range(12)):
        assert same(second[number], in_order[number])
    assert not any(same(a, b) for a, b in itertools.combinations(in_order, 2))
    assert not same(stream_of(folder, seed=1, planes=SKETCH)[0], in_order[0])


def test_global_random_state_is_neither_read_nor_set(write_photos):
    stream = stream_of(write_photos(3), planes=SKETCH)
    np.random.seed(1)
    torch.manual_seed(1)
    first, numpy_next, torch_next = stream[7], np.random.rand(), torch.rand(1)
    np.random.seed(1)
    torch.manual_seed(1)
    assert (np.random.rand(), torch.rand(1)) == (numpy_next, torch_next)
    assert same(stream[7], first)


def test_each_pass_shows_every_photo_once_in_new_crops(write_photos):
    folder = write_photos(6)
    for index in range(6):  # a color that tells which photo it is
        Image.new("RGB", (40, 36), (index * 40, 0, 0)).save(folder / f"p{index:02d}.png")
    stream = stream_of(folder)
    assert len(stream.indices) == 6
    for turn in range(3):
        seen = [round(float(stream[number]["image"][0, 0, 0]) * 255) // 40 for number in range(6 * turn, 6 * turn + 6)]
        assert sorted(seen) == list(range(6))


def test_a_stream_is_the_same_after_pickling(write_photos):
    stream = stream_of(write_photos(4), planes=SKETCH)
    assert same(pickle.loads(pickle.dumps(stream))[9], stream[9])


def test_a_photo_that_cannot_be_decoded_is_replaced_by_the_next_of_its_pass(write_photos, caplog):
    folder = write_photos(5)
    sound = stream_of(folder)
    order = sound.order.permutation(0).tolist()
    before = [sound[number] for number in range(5)]
    broken = order[2]
    spoil(folder / f"p{broken:02d}.png")
    stream = stream_of(folder)
    after = [stream[number] for number in range(5)]
    assert [same(a, b) for a, b in zip(before, after, strict=True)] == [True, True, False, True, True]
    # In place 2 stands the photo of place 3, with the crop, flip and mask of number 2.
    assert torch.equal(after[2]["mask"], before[2]["mask"])
    only = SampleStream(sound.source, np.array([order[3]]), config(folder), seed=0)
    assert torch.equal(only[2]["image"], after[2]["image"])
    for number in range(20):
        stream[number]
    assert stream.reader.replaced() == 1
    assert [record.getMessage().count(f"p{broken:02d}.png") > 0 for record in caplog.records] == [True]


def test_the_last_photo_of_a_pass_is_replaced_by_its_first(write_photos):
    folder = write_photos(3)
    order = stream_of(folder).order.permutation(0).tolist()
    spoil(folder / f"p{order[2]:02d}.png")
    stream = stream_of(folder)
    only = SampleStream(stream.source, np.array([order[0]]), config(folder), seed=0)
    assert torch.equal(stream[2]["image"], only[2]["image"])


def test_when_nothing_can_be_decoded_the_error_names_a_file(write_photos):
    folder = write_photos(3)
    for path in folder.iterdir():
        spoil(path)
    with pytest.raises(DataError, match=r"none of the photos tried can be decoded; the first was p0\d.png"):
        stream_of(folder)[0]


@pytest.mark.parametrize("kind", ["sixteen", "gray", "rgba", "palette", "turned"])
def test_photos_of_every_kind_can_be_trained_on(tmp_path, photo, kind):
    folder = tmp_path / kind
    folder.mkdir()
    if kind == "sixteen":
        import cv2

        cv2.imwrite(str(folder / "a.png"), photo[..., ::-1].astype(np.uint16) * 257)
    elif kind == "turned":
        exif = Image.Exif()
        exif[274] = 6
        Image.fromarray(photo).rotate(90, expand=True).save(folder / "a.png", exif=exif)
    else:
        mode = {"gray": "L", "rgba": "RGBA", "palette": "P"}[kind]
        Image.fromarray(photo).convert(mode).save(folder / "a.png")
    pixels = FixedSamples(open_source(str(folder), min_px=16), np.array([0]), config(folder, size=40))[0]["image"]
    expected = photo[:, 8:48].astype(np.float32) / 255  # the middle 40 of 56 columns
    if kind == "gray":
        assert torch.equal(pixels[0], pixels[1])
        expected = np.asarray(Image.fromarray(photo).convert("L"), np.float32)[:, 8:48, None].repeat(3, axis=2) / 255
    tolerance = 0.2 if kind == "palette" else 1e-6
    assert np.abs(pixels.permute(1, 2, 0).numpy() - expected).max() < tolerance


def test_a_sketch_has_edges_in_the_hole_only(write_photos):
    stream = stream_of(write_photos(4), planes=SKETCH)
    items = [stream[number] for number in range(12)]
    assert all(float((item["sketch"] * (1 - item["mask"])).sum()) == 0 for item in items)
    assert sum(float(item["sketch"].sum()) for item in items) > 50
    assert set(torch.cat([item["sketch"] for item in items]).unique().tolist()) == {0.0, 1.0}


def test_a_sketch_is_drawn_from_the_whole_photo(write_photos):
    # An edge that lies in the hole entirely is known to the sketch: it is not made from the masked image.
    folder = write_photos(1)
    photo = np.zeros((SIZE, SIZE, 3), np.uint8)
    photo[:, SIZE // 2 :] = 255
    Image.fromarray(photo).save(folder / "p00.png")
    item = stream_of(folder, planes=SKETCH, masks="center")[3]
    columns = item["sketch"][0].nonzero()[:, 1]
    assert len(columns) > 0
    assert ((columns - SIZE / 2).abs() <= 1.5).all()


def test_sketch_files_follow_their_photo_through_crop_and_flip(write_photos):
    folder = write_photos(1)
    rng = np.random.default_rng(0)
    lines = rng.random((40, 44)) < 0.3
    photo = np.repeat(np.where(lines, 200, 20)[..., None], 3, axis=2).astype(np.uint8)
    Image.fromarray(photo).save(folder / "p00.png")
    Image.fromarray((lines * 255).astype(np.uint8)).save(folder / "p00_edge.png")
    stream = stream_of(folder, planes=SKETCH, plane_options={"sketch": {"source": "file"}})
    for number in range(6):
        item = stream[number]
        assert torch.equal(item["sketch"], (item["image"][:1] > 0.5) * item["mask"])


def test_a_photo_whose_sketch_does_not_fit_is_replaced_and_named(write_photos, caplog):
    folder = write_photos(2)
    Image.new("L", (44, 40)).save(folder / "p00_edge.png")
    Image.new("L", (9, 9)).save(folder / "p01_edge.png")
    stream = stream_of(folder, planes=SKETCH, plane_options={"sketch": {"source": "file"}})
    for number in range(4):
        stream[number]
    assert stream.reader.replaced() == 1
    assert "p01.png: its companion is 9x9 pixels, the photo 45x40" in caplog.text


def test_an_unknown_plane_is_refused(write_photos):
    with pytest.raises(ConfigError, match=r"data.planes.depth: unknown plane 'depth'; valid: sketch"):
        stream_of(write_photos(1), planes=SKETCH, plane_options={"depth": {}})
    with pytest.raises(ConfigError, match=r"data.planes.sketch: the model reads no further planes"):
        stream_of(write_photos(1), plane_options={"sketch": {}})
    with pytest.raises(UsageError, match="the plane 'given' is not made for training"):
        stream_of(write_photos(1), planes=(Plane(name="given"),))


def test_wrong_options_of_a_plane_are_one_line_with_their_key(write_photos):
    with pytest.raises(ConfigError, match=r"data.planes.sketch.sigma=1: unknown key 'sigma'"):
        stream_of(write_photos(1), planes=SKETCH, plane_options={"sketch": {"sigma": 1}})
    with pytest.raises(ConfigError, match=r"data.planes.sketch.sigma_px: must be two positive numbers"):
        stream_of(write_photos(1), planes=SKETCH, plane_options={"sketch": {"sigma_px": [3, 1]}})


def test_validation_samples_are_fixed_and_differ_in_their_masks(write_photos):
    folder = write_photos(4)
    source = open_source(str(folder), min_px=16)
    samples = FixedSamples(source, np.array([3, 1]), config(folder), planes=SKETCH)
    again = FixedSamples(source, np.array([3, 1]), config(folder), planes=SKETCH)
    assert len(samples) == 2
    assert all(same(samples[number], again[number]) for number in (1, 0))
    assert not torch.equal(samples[0]["mask"], samples[1]["mask"])
    other = FixedSamples(source, np.array([3, 1]), config(folder, val_masks="center"))
    assert torch.equal(other[0]["image"], samples[0]["image"])
    assert not torch.equal(other[0]["mask"], samples[0]["mask"])
    with pytest.raises(IndexError):
        samples[2]


def test_workers_and_processes_do_not_change_the_stream(write_photos):
    folder = write_photos(9)
    here = list(data_of(folder, planes=SKETCH).train_dataloader())
    workers = list(data_of(folder, planes=SKETCH, workers=2).train_dataloader())
    ranks = [list(data_of(folder, planes=SKETCH, rank=rank, world_size=2).train_dataloader()) for rank in range(2)]
    assert [batch["number"].tolist() for batch in here] == [list(range(4 * i, 4 * i + 4)) for i in range(4)]
    for batch, other, *slices in zip(here, workers, *ranks, strict=True):
        assert same(batch, other)
        assert same(batch, {name: torch.cat([part[name] for part in slices]) for name in batch})


def test_a_loader_begins_at_the_iteration_that_training_resumes_from(write_photos):
    folder = write_photos(5)
    whole = list(data_of(folder).train_dataloader())
    data = data_of(folder)
    data.start_iteration = 2
    resumed = list(data.train_dataloader())
    assert len(resumed) == 2
    assert all(same(a, b) for a, b in zip(whole[2:], resumed, strict=True))


def test_failures_in_worker_processes_are_counted_in_this_one(write_photos, caplog):
    folder = write_photos(8)
    spoil(folder / "p03.png")
    data = data_of(folder, workers=2, max_iterations=6, val=str(write_photos(2, name="val")))
    list(data.train_dataloader())
    assert data.replaced == 1
    data.teardown("fit")
    assert "1 photo could not be decoded and was replaced by another" in caplog.text


def test_processes_share_the_validation_set_without_overlap(write_photos):
    folder, val = write_photos(6), write_photos(7, name="val")
    numbers = []
    for rank in range(2):
        batches = list(data_of(folder, val=str(val), rank=rank, world_size=2).val_dataloader())
        numbers.extend(torch.cat([batch["number"] for batch in batches]).tolist())
    assert sorted(numbers) == list(range(7))


def test_the_validation_loader_is_kept_and_can_be_left_early(write_photos):
    data = data_of(write_photos(6), val=str(write_photos(7, name="val")), workers=1)
    first = list(data.val_dataloader())
    for _ in data.val_dataloader():
        break
    again = list(data.val_dataloader())
    assert data.val_dataloader() is data.val_dataloader()
    assert all(same(a, b) for a, b in zip(first, again, strict=True))


def test_training_never_sees_a_validation_photo(write_photos, caplog):
    data = data_of(write_photos(20))
    train, val = (set(part.indices.tolist()) for part in (data.stream, data.validation))
    assert len(val) == 5
    assert not train & val
    assert train | val == set(range(20))
    # Also when the folder of validation photos lies inside the root.
    root = write_photos(3, name="root")
    inside = data_of(root, val=str(write_photos(2, name="root/val")))
    assert [inside.stream.source.name(index) for index in inside.stream.indices] == ["p00.png", "p01.png", "p02.png"]
    assert "2 photos of data.root are in data.val too" in caplog.text
    one = write_photos(3, name="one")
    data_of(one, val=str(write_photos(1, name="one/val"))).setup()
    assert "1 photo of data.root is in data.val too" in caplog.text


def test_validation_of_everything_leaves_nothing_to_train_on(write_photos):
    root = write_photos(3)
    with pytest.raises(DataError, match=r"holds every photo of data.root"):
        data_of(root, val=str(root)).setup()


def test_skipped_files_are_named_when_the_data_are_prepared(write_photos, caplog):
    folder = write_photos(3)
    (folder / "text.png").write_text("no image")
    data = data_of(folder)
    data.prepare_data()
    data.setup("fit")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "1 of 4 files is skipped: text.png: not an image" in caplog.text


def test_damaged_photos_are_found_at_setup_in_this_process(write_photos):
    folder = write_photos(2)
    for path in folder.iterdir():
        spoil(path)
    with pytest.raises(DataError, match="can be decoded"):
        data_of(folder, workers=2).setup()


def test_data_without_a_root_say_what_is_valid():
    data = InpaintData(DataConfig(masks="box"), batch_size=1, max_iterations=1, seed=0)
    with pytest.raises(
        DataError, match=r"data.root is not set; valid: a folder, a list file, tar shards, or 'samples'"
    ):
        data.setup()


def test_workers_default_to_the_cores_of_this_process(write_photos):
    loader = data_of(write_photos(3), workers=None).train_dataloader()
    assert loader.num_workers == min(8, cores())
    assert loader.persistent_workers


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sice": 64}, r"unknown key 'sice' \(did you mean 'size'\?\)"),
        ({"size": 4}, r"data\.size.*4"),
        ({"masks": "bx"}, r"data\.masks.*unknown mask 'bx'"),
        ({"crop": "native"}, r"data\.crop.*native.*random.*resize"),
    ],
)
def test_a_wrong_option_is_named_in_one_line(options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        validated(DataConfig, options, key="data")
    assert "\n" not in str(caught.value)
