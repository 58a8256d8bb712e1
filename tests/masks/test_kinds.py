"""What every kind promises, and what each family is."""

from __future__ import annotations

import math
import pickle
import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from inpaint.errors import ConfigError, MaskError
from inpaint.masks import hole_ratio, names, parse_mask
from inpaint.masks.boxes import Box, Center, Half, Outpaint
from inpaint.masks.comodgan import CoModGan
from inpaint.masks.deepfill import Brush, DeepFill, DeepFillBox
from inpaint.masks.irregular import Mmagic, PConv, Walk
from inpaint.masks.lama import Lama, LamaBoxes, LamaLines
from inpaint.masks.strokes import paint_stroke, zigzag
from inpaint.masks.text import Text


def draw_many(mask, count, height, width, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([mask.draw(rng, height, width) for _ in range(count)])


class TestEveryKind:
    @settings(max_examples=150, deadline=None)
    @given(st.sampled_from(names()), st.integers(8, 70), st.integers(8, 70), st.integers(0, 2**32))
    def test_a_mask_is_zero_or_one_and_neither_empty_nor_full(self, name, height, width, seed):
        mask = parse_mask(name).draw(np.random.default_rng(seed), height, width)
        assert mask.shape == (height, width)
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 1}
        assert mask.flags.c_contiguous
        assert mask.flags.writeable

    @pytest.mark.parametrize("name", names())
    def test_the_seed_decides_the_mask(self, name):
        mask = parse_mask(name)
        first, again = (mask.draw(np.random.default_rng(3), 40, 56) for _ in range(2))
        assert np.array_equal(first, again)
        if name != "center":
            others = draw_many(mask, 12, 40, 56, seed=4)
            assert any(not np.array_equal(first, other) for other in others)

    @pytest.mark.parametrize("name", names())
    def test_no_global_random_state_is_read_or_set(self, name):
        before = np.random.get_state()[1].copy()
        parse_mask(name).draw(np.random.default_rng(0), 24, 32)
        assert np.array_equal(before, np.random.get_state()[1])

    @pytest.mark.parametrize("name", names())
    def test_a_mask_survives_the_way_to_a_worker_and_to_a_file(self, name):
        mask = parse_mask(name)
        assert pickle.loads(pickle.dumps(mask)) == mask
        assert parse_mask(mask.model_dump()) == mask
        assert parse_mask(mask.model_dump(mode="json")) == mask

    @pytest.mark.parametrize(("height", "width"), [(1, 2), (2, 1), (3, 200), (200, 3)])
    @pytest.mark.parametrize("name", names())
    def test_extreme_shapes_are_drawn(self, name, height, width):
        assert 0 < draw_many(parse_mask(name), 3, height, width).mean() < 1

    def test_a_size_without_room_for_hole_and_known_is_refused(self):
        with pytest.raises(MaskError, match="at least two pixels, got 1 x 1"):
            Box().draw(np.random.default_rng(0), 1, 1)

    def test_options_cannot_be_changed_after_the_fact(self):
        with pytest.raises(ValidationError, match="frozen"):
            Box().count = (2, 3)

    def test_no_kind_is_slow_beside_what_it_is_made_of(self):
        """The yardstick is one distance map and some plain arithmetic; processor time, best of several in turns."""

        def yardstick():
            for number in range(2000):
                math.sin(number)
            cv2.distanceTransform(mask, cv2.DIST_L2, 5)

        def seconds(work):
            start = time.process_time()
            for _ in range(10):
                work()
            return time.process_time() - start

        mask = 1 - DeepFill().draw(np.random.default_rng(0), 256, 256)
        allowed = dict.fromkeys(names(), 8.0) | {"deepfill": 0.75}
        too_slow = {}
        for name, most in allowed.items():
            kind, rng, own, unit = parse_mask(name), np.random.default_rng(0), math.inf, math.inf
            for _ in range(12):
                unit = min(unit, seconds(yardstick))
                own = min(own, seconds(lambda kind=kind, rng=rng: kind.draw(rng, 256, 256)))
                if own < most * unit:
                    break
            else:
                too_slow[name] = own / unit
        assert not too_slow


class TestDeepFill:
    def test_a_wide_image_is_covered_alike_on_both_sides(self):
        covered = draw_many(Brush(), 1500, 64, 128).mean(axis=0)
        assert covered[:, :64].mean() == pytest.approx(covered[:, 64:].mean(), abs=0.01)
        assert covered[:32].mean() == pytest.approx(covered[32:].mean(), abs=0.01)

    def test_strokes_run_both_ways_although_the_algorithm_runs_to_the_right(self):
        rng = np.random.default_rng(0)
        drift = np.mean(
            [points[-1][0] - points[0][0] for points in (zigzag(rng, 256, 256, (4, 11)) for _ in range(300))]
        )
        assert drift > 40
        # A stroke from left to right begins at its leftmost point: unflipped, the left border would stay nearly free.
        one_stroke = draw_many(Brush(strokes=(1, 1)), 2000, 64, 64).mean(axis=0)
        assert one_stroke[:, :8].mean() == pytest.approx(one_stroke[:, -8:].mean(), abs=0.02)
        assert one_stroke[:8].mean() == pytest.approx(one_stroke[-8:].mean(), abs=0.02)

    def test_strokes_start_anywhere_in_an_image_that_is_not_square(self):
        rng = np.random.default_rng(0)
        starts = np.array([zigzag(rng, 64, 256, (4, 11))[0] for _ in range(2000)])
        assert starts.mean(axis=0) == pytest.approx((127.5, 31.5), abs=5)
        assert starts.min(axis=0).tolist() == [0, 0]
        assert starts.max(axis=0).tolist() == [255, 63]

    @given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 999))
    @settings(max_examples=60, deadline=None)
    def test_every_vertex_lies_inside_the_image(self, height, width, seed):
        points = np.array(zigzag(np.random.default_rng(seed), height, width, (4, 11)))
        assert (points >= 0).all()
        assert (points < (width, height)).all()
        assert 5 <= len(points) <= 12

    @pytest.mark.parametrize("thickness", [2, 3, 12, 17, 40])
    def test_a_stroke_is_as_wide_as_it_says_and_its_joints_are_round(self, thickness):
        mask = np.zeros((120, 160), np.uint8)
        points = [(30, 40), (110, 40), (60, 90)]
        paint_stroke(mask, points, thickness)
        assert abs(int(mask[:60, 70].sum()) - thickness) <= 1
        y, x = np.mgrid[:120, :160]
        for vx, vy in points:
            assert mask[(x - vx) ** 2 + (y - vy) ** 2 <= (thickness / 2 - 1) ** 2].all()
        # Beyond the first end there is nothing but half a disc.
        assert not mask[:, : 30 - thickness // 2 - 1].any()

    def test_the_box_has_the_sides_of_the_paper_and_stays_inside(self):
        sides = []
        for mask in draw_many(DeepFillBox(), 300, 256, 300):
            rows, cols = mask.any(axis=1).sum(), mask.any(axis=0).sum()
            assert mask.sum() == rows * cols
            sides += [rows, cols]
        assert set(sides) == set(range(96, 129, 2))

    def test_box_and_brush_are_scaled_with_the_shorter_side(self):
        small = draw_many(DeepFillBox(shrink_px=0), 1, 64, 200)[0]
        assert (small.any(axis=1).sum(), small.any(axis=0).sum()) == (32, 32)

    def test_the_union_holds_a_box_and_more(self):
        without = DeepFill(brush=Brush(strokes=(0, 0)))
        assert draw_many(without, 20, 64, 64).mean() < draw_many(DeepFill(), 20, 64, 64).mean()


class TestBoxes:
    def test_the_center_box_is_where_it_belongs(self):
        mask = Center(fraction=0.5).draw(np.random.default_rng(0), 8, 12)
        expected = np.zeros((8, 12), np.uint8)
        expected[2:6, 3:9] = 1
        assert np.array_equal(mask, expected)

    @pytest.mark.parametrize(
        ("side", "where"),
        [("left", np.s_[:, :4]), ("right", np.s_[:, 5:]), ("top", np.s_[:3]), ("bottom", np.s_[3:])],
    )
    def test_a_half_is_the_named_half(self, side, where):
        mask = Half(side=side).draw(np.random.default_rng(0), 6, 9)
        assert mask[where].all()
        assert mask.sum() == mask[where].size

    def test_random_halves_are_of_all_four_sides(self):
        assert len({mask.tobytes() for mask in draw_many(Half(), 60, 6, 8)}) == 4

    def test_box_sides_lie_in_the_range_and_reach_every_border(self):
        masks = draw_many(Box(size=(0.25, 0.5)), 400, 40, 80)
        rows, cols = masks.any(axis=2).sum(axis=1), masks.any(axis=1).sum(axis=1)
        assert (rows.min(), rows.max(), cols.min(), cols.max()) == (10, 20, 20, 40)
        covered = masks.any(axis=0)
        assert covered[0].any()
        assert covered[-1].any()
        assert covered[:, 0].any()
        assert covered[:, -1].any()

    @pytest.mark.parametrize("sides", ["all", "random", "bottom", ("left", "top")])
    def test_outpainting_leaves_one_rectangle(self, sides):
        for mask in draw_many(Outpaint(sides=sides, share=(0.1, 0.9)), 60, 30, 41):
            known = mask == 0
            assert known.sum() == known.any(axis=1).sum() * known.any(axis=0).sum()
            if sides == "all":
                assert mask[0].all()
                assert mask[-1].all()
                assert mask[:, 0].all()
                assert mask[:, -1].all()
            if sides == "bottom":
                assert mask[-1].all()
                assert not mask[0].any()
            if sides == ("left", "top"):
                assert known[-1, -1]


class TestLama:
    def test_boxes_are_drawn_as_often_as_their_weight_says(self):
        thin = LamaLines(times=(1, 1), max_width_px=1, max_length_px=1)
        large = LamaBoxes(times=(1, 1), margin_px=0, side_px=(200, 250))
        ratios = np.array(
            [hole_ratio(m) for m in draw_many(Lama(lines=thin, boxes=large, boxes_weight=0.3), 2000, 64, 64)]
        )
        assert (ratios > 0.5).mean() == pytest.approx(0.3 / 1.3, abs=0.03)

    def test_no_mask_exceeds_the_largest_share(self):
        masks = draw_many(parse_mask("lama_thick_256_protocol"), 300, 256, 256)
        assert masks.mean(axis=(1, 2)).max() <= 0.5

    def test_boxes_keep_the_margin(self):
        only_boxes = Lama(boxes=LamaBoxes(margin_px=40, side_px=(30, 300)), boxes_weight=1e9)
        masks = draw_many(only_boxes, 100, 128, 256)
        assert not masks[:, :20].any()
        assert not masks[:, -20:].any()
        assert not masks[:, :, :20].any()
        assert not masks[:, :, -20:].any()
        assert masks[:, 20:-20, 20:-20].any(axis=0).mean() > 0.9


class TestCoModGan:
    @pytest.mark.parametrize("low", [0.0, 0.2, 0.4, 0.6, 0.8])
    def test_the_hole_ratio_lies_in_the_bucket(self, low):
        ratios = draw_many(CoModGan(hole_range=(low, low + 0.2)), 40, 64, 80).mean(axis=(1, 2))
        assert ((ratios > low) & (ratios < low + 0.2)).all()

    def test_a_range_that_leaves_the_public_code_without_strokes_ends(self):
        small = parse_mask({"kind": "mat_small_256", "hole_range": (0.0, 0.1)})
        ratios = draw_many(small, 40, 64, 64).mean(axis=(1, 2))
        assert ((ratios > 0) & (ratios < 0.1)).all()


class TestIrregular:
    def test_without_border_the_frame_stays_known(self):
        masks = draw_many(PConv(border=False), 60, 128, 160)
        frame = np.ones((128, 160), bool)
        frame[12:-12, 12:-12] = False  # round(50 * 128 / 512) = 12
        assert not masks[:, frame].any()
        assert masks[:, 12].any()

    def test_pconv_ratios_spread_over_the_buckets_of_the_paper(self):
        ratios = draw_many(PConv(), 400, 128, 128).mean(axis=(1, 2))
        shares = [((ratios > low / 10) & (ratios <= low / 10 + 0.1)).mean() for low in range(6)]
        assert min(shares) > 0.02

    def test_a_walk_is_connected_and_covers_what_a_step_by_step_walk_covers(self):
        def step_by_step(rng, height, width):
            y, x = int(rng.integers(height)), int(rng.integers(width))
            visited = np.zeros((height, width), np.uint8)
            for move in rng.integers(0, 4, height * width).tolist():
                dy, dx = ((0, 1), (0, -1), (1, 0), (-1, 0))[move]
                y, x = min(max(y + dy, 0), height - 1), min(max(x + dx, 0), width - 1)
                visited[y, x] = 1
            return visited

        masks = draw_many(Walk(), 400, 24, 36)
        for mask in masks[:50]:
            assert cv2.connectedComponents(mask, connectivity=4)[0] == 2  # known and one hole
        rng = np.random.default_rng(1)
        slow = np.stack([step_by_step(rng, 24, 36) for _ in range(200)])
        assert masks.mean() == pytest.approx(slow.mean(), abs=0.02)
        edge, slow_edge = masks[:, 0].mean(), slow[:, 0].mean()
        assert edge == pytest.approx(slow_edge, abs=0.04)

    def test_mmagic_masks_lie_in_their_range(self):
        ratios = draw_many(Mmagic(), 200, 64, 96).mean(axis=(1, 2))
        assert ((ratios > 0.15) & (ratios < 0.65)).all()


class TestText:
    def test_letters_are_thin_and_many(self):
        masks = draw_many(Text(), 60, 256, 256)
        ratios = masks.mean(axis=(1, 2))
        assert 0.03 < ratios.mean() < 0.25
        pieces = [cv2.connectedComponents(mask)[0] - 1 for mask in masks]
        assert np.median(pieces) > 5

    def test_larger_and_heavier_letters_remove_more(self):
        light = draw_many(Text(lines=(3, 3), height=(0.1, 0.1), weight=(0.05, 0.05)), 40, 128, 128).mean()
        assert draw_many(Text(lines=(3, 3), height=(0.3, 0.3), weight=(0.05, 0.05)), 40, 128, 128).mean() > 1.5 * light
        assert draw_many(Text(lines=(3, 3), height=(0.1, 0.1), weight=(0.3, 0.3)), 40, 128, 128).mean() > 1.3 * light


class TestLettering:
    def test_old_trainings_keep_their_text(self):
        """The four fonts of OpenCV, all masks turned, as before there were others."""
        mask = Text().draw(np.random.default_rng(0), 64, 96)
        assert [int(Text(rotate_deg=0).draw(np.random.default_rng(s), 64, 96).sum()) for s in range(8)] == [
            *(678, 352, 820, 684, 1033, 371, 645, 986)
        ]
        assert int(mask.sum()) == 559

    def test_lettering_belongs_to_the_mask_of_the_same_draw(self):
        for spec in ("text", "captions", ["captions", "brush"], {"kind": "union", "of": ["box", "captions"]}):
            mask = parse_mask(spec)
            for seed in range(6):
                drawn, lettering = mask.draw_lettered(np.random.default_rng(seed), 40, 56)
                assert np.array_equal(drawn, mask.draw(np.random.default_rng(seed), 40, 56))
                if lettering is not None:
                    assert (drawn[lettering.whole > 127] == 1).all()

    def test_other_kinds_have_no_lettering(self):
        assert parse_mask("brush").draw_lettered(np.random.default_rng(0), 40, 56)[1] is None

    def test_outlines_and_shadows_are_hole(self):
        options = {"fonts": ["embedded"], "turned": 0}
        plain, outlined, shadowed = (
            np.mean([hole_ratio(Text(**options, **more).draw(np.random.default_rng(s), 64, 64)) for s in range(20)])
            for more in ({}, {"outline": 1}, {"shadow": 1})
        )
        assert outlined > 1.2 * plain
        assert shadowed > 1.2 * plain

    def test_fonts_are_named_where_they_cannot_be_used(self, tmp_path):
        with pytest.raises(ConfigError, match=r"fonts: '.*' holds no font"):
            parse_mask({"kind": "text", "fonts": str(tmp_path)})
        assert Text().files() == ()
