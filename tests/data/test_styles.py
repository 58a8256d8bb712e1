"""Pictures of styles are a second source of the stream: which belongs to a sample depends on (seed, number) alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from inpaint.data.config import DataConfig
from inpaint.data.module import InpaintData
from inpaint.data.styles import Styles, names_of, opened
from inpaint.errors import DataError
from inpaint.images.guidance import STYLE, STYLE_INDEX

NAMES = ("p00", "p01", "p02")
PLANES = (STYLE, replace(STYLE_INDEX, options={"names": NAMES}))


@pytest.fixture
def data_of(write_photos):
    photos, pictures = write_photos(12), write_photos(3, name="pictures")

    def make(*, start=0, seed=0, planes=PLANES, **options):
        settings = {"size": 32, "masks": "whole", "workers": 0, "styles": str(pictures), **options}
        data = InpaintData(
            DataConfig(root=str(photos), **settings), batch_size=2, max_iterations=6, seed=seed, planes=planes
        )
        data.start_iteration = start
        return data

    return make


def batches(data):
    return list(data.train_dataloader())


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_batch_has_pictures_of_their_own_size_their_numbers_and_no_known_pixel(data_of):
    batch = batches(data_of(style_size=24))[0]
    assert batch["style"].shape == (2, 3, 24, 24)
    assert batch["style"].dtype == torch.float32
    assert 0 <= batch["style"].min() < batch["style"].max() <= 1
    assert batch["style_index"].shape == (2, 1, 1, 1)
    assert (batch["mask"] == 1).all()


def test_every_style_comes_once_before_any_comes_again_in_another_order_for_another_seed(data_of):
    def numbers(seed):
        stream = data_of(seed=seed).stream
        return [int(stream[n]["style_index"]) for n in range(12)]

    assert all(Counter(numbers(0)[n : n + 3]) == Counter(range(3)) for n in (0, 3, 6, 9))
    assert numbers(0) == numbers(0) != numbers(1)


def test_the_number_is_that_of_the_picture_s_name(data_of):
    data, seen = data_of(), {}
    for n in range(12):
        sample = data.stream[n]
        seen.setdefault(int(sample["style_index"]), sample["style"])
        assert torch.equal(seen[int(sample["style_index"])], sample["style"])
    source = opened(data.config)
    for number, picture in seen.items():
        expected = source.read(NAMES.index(NAMES[number])).mean() / 255
        assert picture.mean().item() == pytest.approx(expected, abs=0.05)
    assert len({round(picture.mean().item(), 4) for picture in seen.values()}) == 3


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_that_goes_on_equals_one_that_was_never_interrupted(data_of, workers):
    options = {"planes": {"style": {"crop": "random", "shorter_px": 40}}}
    planes = (STYLE,)
    whole = batches(_with(data_of, planes, options))
    rest = batches(_with(data_of, planes, options, start=4, workers=workers))
    assert len(rest) == 2
    assert all(same(one, other) for one, other in zip(whole[4:], rest, strict=True))


def _with(data_of, planes, options, **settings):
    data = data_of(planes=planes, **settings)
    data.config = data.config.model_copy(update={"planes": options["planes"]})
    return data


def test_validation_takes_the_styles_in_turn_and_their_middle(data_of):
    validation = data_of(val_seed=3).validation
    assert [int(validation[n]["style_index"]) for n in range(len(validation))] == list(range(len(validation)))
    assert torch.equal(validation[0]["style"], validation[0]["style"])


def test_validation_takes_pictures_of_its_own_and_training_none_of_them(data_of, write_photos, tmp_path):
    held_out = tmp_path / "held-out"
    held_out.mkdir()
    for number in range(2):
        Image.new("RGB", (40, 40), (10, 250, 10 * number)).save(held_out / f"green{number}.png")
    plain, apart = data_of(planes=(STYLE,)), data_of(planes=(STYLE,), val_styles=str(held_out))
    assert all(same(*pair) for pair in zip(batches(plain), batches(apart), strict=True))
    seen = {tuple((255 * apart.validation[n]["style"][:, 0, 0]).round().int().tolist()) for n in range(2)}
    assert seen == {(10, 250, 0), (10, 250, 10)}


def test_figures_by_other_held_out_styles_do_not_compare_and_training_goes_on_the_same(data_of, write_photos, caplog):
    held_out = str(write_photos(2, name="held-out"))
    before = data_of(val_styles=held_out).photos.inventory
    for given, incomparable in ((held_out, []), (None, [""])):
        data = data_of(val_styles=given)
        data.before = type(before).of_state(before.state())
        assert data.photos.incomparable == incomparable
        assert data.photos.inventory.styles == before.styles
    data_of(val_styles=held_out).photos.report()
    assert not caplog.messages
    data_of(val_styles=data_of().config.styles).photos.report()
    assert "3 pictures of data.val_styles are in data.styles, too, and learned from" in caplog.messages


def test_one_picture_is_a_source_too_and_is_called_as_its_file(tmp_path):
    Image.new("RGB", (50, 40), (200, 100, 50)).save(tmp_path / "sunset at sea.jpg")
    source = opened(DataConfig(styles=str(tmp_path / "sunset at sea.jpg")))
    assert names_of(source) == ("sunset at sea",)
    found = Styles(source, 16, seed=0).training(7).reduced(16)
    assert found.shape == (16, 20, 3)
    assert np.abs(found.astype(int) - (200, 100, 50)).max() <= 3


def test_styles_of_one_name_are_told_apart_by_their_folders(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (40, 40)).save(tmp_path / folder / "x.png")
    assert names_of(opened(DataConfig(styles=str(tmp_path)))) == ("a/x.png", "b/x.png")


def test_a_picture_that_cannot_be_decoded_is_replaced_by_another(write_photos, caplog):
    folder = write_photos(2, name="pictures")
    data = (folder / "p00.png").read_bytes()
    (folder / "p00.png").write_bytes(data[: len(data) * 2 // 3])
    styles = Styles(opened(DataConfig(styles=str(folder))), 16, seed=0)
    assert {styles.training(n).name for n in range(4)} == {"p01"}
    assert sum("replaced by the next style: p00.png" in line for line in caplog.messages) == 1


def test_what_is_wrong_with_styles_is_said_in_one_line(tmp_path, data_of):
    with pytest.raises(DataError, match=r"data\.styles is missing: give a picture"):
        opened(DataConfig())
    with pytest.raises(DataError, match=r"data\.styles: .*nowhere' does not exist"):
        opened(DataConfig(styles=str(tmp_path / "nowhere")))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"data\.styles: .*broken\.png': "):
        opened(DataConfig(styles=str(tmp_path / "broken.png")))
    with pytest.raises(DataError, match=r"data\.val_styles: .*nowhere' does not exist"):
        opened(DataConfig(styles="samples", val_styles=str(tmp_path / "nowhere")), validation=True)
    data = data_of(planes=(STYLE, replace(STYLE_INDEX, options={"names": ("p00", "p01")})))
    with pytest.raises(DataError, match=r"data\.styles: unknown style of the model 'p02'"):
        [data.stream[n] for n in range(3)]


def test_a_run_that_goes_on_says_that_its_styles_have_changed(data_of, write_photos, caplog):
    before, photos = data_of().photos.inventory, data_of()
    photos.before = before
    assert photos.photos.unchanged
    write_photos(4, name="pictures")
    changed = data_of()
    changed.before = type(before).of_state(before.state())
    assert not changed.photos.unchanged
    changed.photos.report_changes()
    assert "the pictures of data.styles have changed since the run stopped" in caplog.messages
    assert changed.photos.incomparable == [""]
