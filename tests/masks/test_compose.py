"""Masks made of masks, masks from files, and the way from a configuration to a mask."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inpaint.errors import ConfigError, InputError, MaskError
from inpaint.images.masks import read_mask
from inpaint.masks import KINDS, PRESETS, Mask, hole_ratio, names, parse_mask, split_specs
from inpaint.masks.boxes import Box, Center, Half
from inpaint.masks.compose import Mixture, Target, Union, with_hole_pixels
from inpaint.masks.deepfill import Brush
from inpaint.masks.folder import Folder


def draw_many(mask, count, height, width, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([mask.draw(rng, height, width) for _ in range(count)])


class TestMixtureAndUnion:
    def test_weights_are_frequencies(self):
        mask = parse_mask([{"mask": {"kind": "center", "fraction": 0.5}, "weight": 3}, {"mask": "half", "weight": 1}])
        halves = draw_many(mask, 2000, 8, 8).mean(axis=(1, 2)) == 0.5
        assert halves.mean() == pytest.approx(0.25, abs=0.03)

    def test_a_list_of_names_is_an_even_mixture(self):
        assert parse_mask(["box", "center"]) == parse_mask([{"mask": "box", "weight": 1}, {"mask": "center"}])

    def test_a_union_holds_each_part(self):
        left, top = Half(side="left"), Half(side="top")
        both = Union(of=(left, top)).draw(np.random.default_rng(0), 8, 12)
        assert both.mean() == 0.75
        assert both[:4].all()
        assert both[:, :6].all()

    def test_masks_nest(self):
        mask = parse_mask(
            {
                "kind": "target",
                "mask": [{"mask": {"kind": "union", "of": ["brush", "text"]}}, "box"],
                "ratio": [0.2, 0.25],
            }
        )
        ratios = draw_many(mask, 20, 48, 64).mean(axis=(1, 2))
        assert ((ratios >= 0.2) & (ratios <= 0.25)).all()
        assert parse_mask(mask.model_dump(mode="json")) == mask


class TestTarget:
    @pytest.mark.parametrize("inner", ["deepfill", "lama_thin_256", "center", "walk", "text"])
    @pytest.mark.parametrize("ratio", [(0.05, 0.06), (0.3, 0.4), (0.7, 0.72)])
    def test_every_mask_lies_in_the_range(self, inner, ratio):
        ratios = draw_many(parse_mask({"kind": "target", "mask": inner, "ratio": ratio}), 12, 64, 80).mean(axis=(1, 2))
        assert ratios.min() >= ratio[0]
        assert ratios.max() <= ratio[1]

    @settings(max_examples=60, deadline=None)
    @given(st.floats(0.01, 0.99), st.integers(8, 60), st.integers(8, 60), st.integers(0, 999))
    def test_one_number_is_met_within_half_a_pixel(self, ratio, height, width, seed):
        mask = Target(mask=Brush(), ratio=ratio).draw(np.random.default_rng(seed), height, width)
        wanted = min(max(ratio * mask.size, 1), mask.size - 1)
        assert abs(int(mask.sum()) - wanted) <= 0.5 + 1e-6

    def test_a_mask_that_has_the_ratio_already_is_not_changed(self):
        center = Center(fraction=0.5)
        drawn = Target(mask=center, ratio=(0.2, 0.3)).draw(np.random.default_rng(0), 32, 32)
        assert np.array_equal(drawn, center.draw(np.random.default_rng(0), 32, 32))

    def test_wanted_ratios_spread_over_the_range(self):
        ratios = draw_many(Target(mask=Center(), ratio=(0.5, 0.9)), 200, 32, 32).mean(axis=(1, 2))
        assert np.histogram(ratios, bins=4, range=(0.5, 0.9))[0].min() > 25

    @settings(max_examples=80, deadline=None)
    @given(st.data(), st.integers(2, 40), st.integers(2, 40), st.integers(0, 999))
    def test_growing_and_shrinking_nest_and_count_exactly(self, data, height, width, seed):
        rng = np.random.default_rng(seed)
        mask = Box(count=(1, 3)).draw(rng, height, width)
        count = data.draw(st.integers(1, height * width - 1))
        changed = with_hole_pixels(mask, count, 2 * math.pi * rng.random())
        assert changed.sum() == count
        assert (changed >= mask).all() if count >= mask.sum() else (changed <= mask).all()

    @pytest.mark.parametrize("radius", [10, 30])
    def test_a_disc_grows_and_shrinks_to_a_disc(self, radius):
        y, x = np.mgrid[:101, :121]
        distance = np.hypot(y - 50, x - 60)
        disc = (distance <= 20).astype(np.uint8)
        changed = with_hole_pixels(disc, round(math.pi * radius**2))
        assert changed[distance < radius - 1.5].all()
        assert not changed[distance > radius + 1.5].any()


@pytest.fixture
def mask_folder(tmp_path):
    """Two files: a white corner of 10 x 20 in 40 x 60 (gray PNG), a white half (RGB, 8 x 8) in a subfolder."""
    folder = tmp_path / "mäsks"
    (folder / "more").mkdir(parents=True)
    corner = np.zeros((40, 60), np.uint8)
    corner[:10, :20] = 255
    Image.fromarray(corner).save(folder / "a.png")
    half = np.zeros((8, 8, 3), np.uint8)
    half[:4] = 255
    Image.fromarray(half).save(folder / "more" / "b.png")
    return folder


class TestFolder:
    def test_files_are_resized_and_flipped_both_ways(self, mask_folder):
        (mask_folder / "more" / "b.png").unlink()
        masks = draw_many(Folder(path=str(mask_folder)), 60, 20, 30)
        assert masks.mean(axis=(1, 2)) == pytest.approx(10 * 20 / (40 * 60))
        corners = {(int(m[0, 0]), int(m[0, -1]), int(m[-1, 0]), int(m[-1, -1])) for m in masks}
        assert corners == {(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)}

    def test_all_files_are_used_with_their_subfolders(self, mask_folder):
        ratios = draw_many(parse_mask(f"folder:{mask_folder}"), 80, 40, 60).mean(axis=(1, 2))
        assert set(np.round(ratios, 6)) == {0.083333, 0.5}

    def test_black_is_the_hole_when_asked(self, mask_folder):
        (mask_folder / "more" / "b.png").unlink()
        mask = Folder(path=str(mask_folder), hole="black", flip=0).draw(np.random.default_rng(0), 40, 60)
        assert not mask[:10, :20].any()
        assert mask.mean() == pytest.approx(1 - 1 / 12)

    def test_a_crop_keeps_the_aspect_of_the_file(self, mask_folder):
        (mask_folder / "more" / "b.png").unlink()
        tall = Folder(path=str(mask_folder), fit="crop", flip=0)
        heights = {int(m[:, 0].sum()) for m in draw_many(tall, 60, 40, 20)}
        assert heights == {10} | ({0} & heights) | ({1} & heights)
        assert 10 in heights

    def test_dilation_grows_and_rotation_turns(self, mask_folder):
        plain = draw_many(Folder(path=str(mask_folder), flip=0), 40, 64, 64).mean()
        grown = draw_many(Folder(path=str(mask_folder), flip=0, dilate_px=(16, 16)), 40, 64, 64).mean()
        assert grown > plain + 0.02
        turned = draw_many(Folder(path=str(mask_folder), flip=0, rotate_deg=90), 40, 64, 64)
        assert len({mask.tobytes() for mask in turned}) > 20
        assert turned.mean() == pytest.approx(plain, abs=0.1)

    def test_a_mask_that_was_handed_out_may_be_changed(self, mask_folder):
        mask = Folder(path=str(mask_folder), flip=0)
        first = mask.draw(np.random.default_rng(0), 40, 60)
        kept = first.copy()
        first[:] = 1
        assert np.array_equal(mask.draw(np.random.default_rng(0), 40, 60), kept)

    def test_a_file_is_read_as_the_mask_of_a_photo_is_and_in_silence(self, tmp_path, caplog):
        corner = np.zeros((12, 20), np.uint8)
        corner[:5, :6] = 1
        Image.fromarray(corner).save(tmp_path / "zero_and_one.png")
        Image.fromarray(np.stack([corner * 255] * 3 + [corner * 200], axis=-1)).save(tmp_path / "transparent.png")
        Image.fromarray(np.where(corner, np.uint8(140), np.uint8(0))).save(tmp_path / "gray.png")
        Image.fromarray(np.stack([corner * 255, corner * 0, corner * 0], axis=-1)).save(tmp_path / "red.png")
        Image.fromarray(corner * np.uint16(65535)).save(tmp_path / "deep.png")
        masks = Folder(path=str(tmp_path), flip=0)
        for seed in range(20):
            assert np.array_equal(masks.draw(np.random.default_rng(seed), 12, 20), corner)
        for path in tmp_path.iterdir():
            assert np.array_equal(read_mask(path), corner)
        caplog.clear()
        masks.draw(np.random.default_rng(0), 12, 20)
        assert caplog.messages == []

    def test_a_folder_whose_name_is_no_text_is_read(self, mask_folder):
        odd = mask_folder.with_name("masks\udcff")
        try:
            mask_folder.rename(odd)
        except OSError:
            pytest.skip("a file system that takes text only")
        assert parse_mask(f"folder:{odd}").draw(np.random.default_rng(0), 40, 60).any()

    def test_masks_that_look_inverted_are_named(self, mask_folder, caplog):
        Folder(path=str(mask_folder))
        assert not caplog.text
        (mask_folder / "more" / "b.png").unlink()
        Folder(path=str(mask_folder), hole="black")
        assert "92 % hole and look inverted: hole: white takes the other color" in caplog.text

    def test_a_folder_that_cannot_be_used_says_why(self, tmp_path):
        with pytest.raises(MaskError, match="nowhere' is not a folder"):
            parse_mask(f"folder:{tmp_path}/nowhere")
        with pytest.raises(MaskError, match="holds no image"):
            parse_mask(f"folder:{tmp_path}")
        Image.new("L", (8, 8), 127).save(tmp_path / "dark.png")
        with pytest.raises(MaskError, match=r"no mask checked .* has a hole"):
            parse_mask(f"folder:{tmp_path}")
        (tmp_path / "broken.png").write_text("not an image")
        with pytest.raises(InputError, match=r"cannot read '.*broken.png': its content is not an image"):
            parse_mask(f"folder:{tmp_path}")


class TestParsing:
    def test_every_name_is_a_mask_and_every_preset_has_valid_options(self):
        assert all(isinstance(parse_mask(name), Mask) for name in names())
        assert set(PRESETS) <= set(names())
        assert set(names()) - set(PRESETS) == set(KINDS) - {"folder", "paired", "target", "mixture", "union", "whole"}

    def test_a_kind_is_named_like_its_key_in_the_table(self):
        assert {name: kind.model_fields["kind"].default for name, kind in KINDS.items()} == {n: n for n in KINDS}

    def test_a_preset_can_be_changed_option_by_option(self):
        changed = parse_mask({"kind": "lama_thick_256", "max_share": 0.5})
        assert changed == parse_mask("lama_thick_256_protocol")
        assert changed != parse_mask("lama_thick_256")

    def test_a_mask_is_returned_as_it_is(self):
        mask = Box()
        assert parse_mask(mask) is mask

    def test_a_number_is_a_ratio(self):
        mask = parse_mask({"kind": "target", "mask": "box", "ratio": 0.3})
        assert hole_ratio(mask.draw(np.random.default_rng(0), 10, 10)) == 0.3

    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            ("deepfil", "unknown mask 'deepfil' (did you mean 'deepfill'?); valid: blobs, box, brush,"),
            ("target", "mask 'target' needs options: write {kind: target, mask: deepfill, ratio: [0.2, 0.3]}"),
            ({"kind": "boxx"}, "unknown mask kind 'boxx' (did you mean 'box'?); valid:"),
            ({"kind": ["box"]}, "unknown mask kind"),
            ({"size": 3}, "a mask needs a 'kind'"),
            (
                {"kind": "box", "sizes": [0, 1]},
                "unknown option of mask 'box' 'sizes' (did you mean 'size'?); valid: count, size",
            ),
            (
                {"kind": "box", "size": [0.5, 0.2]},
                "mask 'box': size=[0.5, 0.2] is not valid: the first number must not",
            ),
            ({"kind": "box", "count": "many"}, "mask 'box': count=\"many\" is not valid"),
            (
                {"kind": "center", "fraction": 1.5},
                "mask 'center': fraction=1.5 is not valid: Input should be less than 1",
            ),
            (
                {"kind": "lama", "lines": {"width": 3}},
                "'lines.width'; valid: angles, max_length_px, max_width_px, times",
            ),
            ({"kind": "target", "mask": "bo", "ratio": 0.3}, "unknown mask 'bo'"),
            ({"kind": "target", "mask": "box"}, "mask 'target' needs the option 'ratio'"),
            ({"kind": "target", "mask": "box", "ratio": 0}, "ratio=0 is not valid: a mask without a hole"),
            ([{"mask": "box", "weight": -1}], "mask 'mixture': of.0.weight=-1 is not valid"),
            ([{"mask": "box", "wait": 1}], "unknown option of mask 'mixture' 'of.0.wait'"),
            (
                {"kind": "outpaint", "sides": "lft"},
                "sides.0=\"lft\" is not valid: Input should be 'left', 'right', 'top'",
            ),
            ({"kind": "half", "side": "middle"}, "mask 'half': side=\"middle\" is not valid: Input should be 'left'"),
            ({"kind": "union", "of": ["box", {"kind": "boxx"}]}, "unknown mask kind 'boxx'"),
            ("folder:", "mask 'folder': path=\"\" is not valid"),
            ([], "at least one mask, got an empty list"),
            (3, "a mask is a name, a mapping or a list, got int (3)"),
        ],
    )
    def test_a_mistake_is_one_line_that_says_what_is_valid(self, spec, message):
        with pytest.raises(ConfigError) as caught:
            parse_mask(spec)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_mixture_of_nothing_is_refused_by_the_class_too(self):
        with pytest.raises(ValueError, match="at least 1"):
            Mixture(of=())


@pytest.mark.parametrize(
    ("text", "specs"),
    [
        ("deepfill", ["deepfill"]),
        (" deepfill,,box ", ["deepfill", "box"]),
        ("{kind: box, count: [1, 2]},box", ["{kind: box, count: [1, 2]}", "box"]),
        ("[box, center]", ["[box, center]"]),
        ("{kind: folder, path: 'a,}b'},box", ["{kind: folder, path: 'a,}b'}", "box"]),
        ("folder:nowhere,box", ["folder:nowhere", "box"]),
        ("", []),
    ],
)
def test_masks_of_a_command_line_are_split_at_their_own_commas(text, specs):
    assert split_specs(text) == specs


def test_a_folder_s_name_may_hold_commas(tmp_path):
    (tmp_path / "my,two,masks").mkdir()
    (tmp_path / "my").mkdir()
    assert split_specs(f"box,folder:{tmp_path}/my,two,masks,center") == [
        "box",
        f"folder:{tmp_path}/my,two,masks",
        "center",
    ]
    assert split_specs(f"folder:{tmp_path}/my,box") == [f"folder:{tmp_path}/my", "box"]


def test_a_mapping_may_be_text():
    assert parse_mask("{kind: center, fraction: 0.5}") == parse_mask({"kind": "center", "fraction": 0.5})
    assert parse_mask("[box, center]") == parse_mask(["box", "center"])
    with pytest.raises(ConfigError, match="expected"):
        parse_mask("{kind: [box}")
    with pytest.raises(ConfigError, match="holds itself"):
        parse_mask("{kind: union, of: &again [box, *again]}")


class TestBorders:
    @pytest.mark.parametrize("shape", [(64, 64), (96, 60)])
    def test_a_hole_keeps_away_from_the_borders_or_touches_them(self, shape):
        rim = round(50 * min(shape) / 512)
        for border in ("clear", "touching"):
            mask = Target(mask=Center(fraction=0.3), ratio=(0.05, 0.15), border=border)
            for drawn in draw_many(mask, 20, *shape):
                touches = drawn.sum() != drawn[rim:-rim, rim:-rim].sum()
                assert touches == (border == "touching")
                assert 0.05 <= hole_ratio(drawn) <= 0.15

    def test_a_hole_that_is_moved_keeps_its_form(self):
        mask = Target(mask=Center(fraction=0.25), ratio=(0.05, 0.07), border="touching")
        (drawn,) = draw_many(mask, 1, 64, 64)
        rows, columns = np.nonzero(drawn)
        assert drawn.sum() == 16 * 16 == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        assert rows.min() == 5  # the last row that is nearer than 6

    def test_a_hole_that_has_no_room_is_refused(self):
        mask = Target(mask=Center(), ratio=(0.7, 0.8), border="clear")
        with pytest.raises(MaskError, match="keeps 6 pixels away from the borders has no room in 64 x 64"):
            mask.draw(np.random.default_rng(0), 64, 64)
