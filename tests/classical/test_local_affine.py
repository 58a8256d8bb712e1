"""Local affine maps: exact where there is one, smooth between edges, and the public program's results."""

import numpy as np
import pytest

from inpaint.classical.local_affine import (
    applied,
    bilateral,
    detail_restored,
    enlarged,
    guided,
    local_maps,
)

MAP = np.array(((0.5, 0.2, 0.0, 0.1), (0.0, 0.7, 0.1, 0.05), (0.3, 0.0, 0.4, 0.2)))


@pytest.fixture
def content():
    return np.random.default_rng(0).random((13, 17, 3))


def mapped(content):
    return content @ MAP[:, :3].T + MAP[:, 3]


def apart(got, expected):
    return float(np.abs(got - expected).max() / np.abs(expected).max())


def test_one_map_of_all_colors_is_found_at_every_pixel(content):
    maps = local_maps(content, mapped(content))
    assert np.abs(applied(maps, content) - mapped(content)).max() < 5e-3  # what the ridge costs
    assert np.abs(maps[3:-3, 3:-3].mean(axis=(0, 1)) - MAP).max() < 0.02


def test_a_patch_is_least_squares_with_a_ridge(content):
    result = np.random.default_rng(1).random(content.shape)
    given = np.concatenate((content, np.ones((13, 17, 1))), axis=2)[4:7, 5:8].reshape(9, 4)
    ridge = np.sqrt(1e-3) * np.eye(4)[:3]
    wanted = np.concatenate((result[4:7, 5:8].reshape(9, 3), np.zeros((3, 3))))
    expected = np.linalg.lstsq(np.concatenate((given, ridge)), wanted, rcond=None)[0].T
    assert np.abs(local_maps(content, result)[5, 6] - expected).max() < 1e-10


@pytest.mark.parametrize("smooth", [bilateral, guided])
def test_maps_are_mixed_within_one_color_and_not_across_an_edge(smooth):
    content = np.zeros((12, 20, 3))
    content[:, 10:] = 0.8
    maps = np.random.default_rng(2).normal(size=(12, 20, 3, 4))
    maps[:, 10:] += 100
    found = smooth(maps, content, radius_px=4, edge=0.01)
    assert found[:, :10].max() < 5
    assert found[:, 10:].min() > 95
    assert found[2:-2, 2:8].std(axis=(0, 1)).max() < 0.75


def test_equal_maps_stay_and_fit_a_larger_image(content):
    maps = np.broadcast_to(MAP, (13, 17, 3, 4)).copy()
    for smooth in (bilateral, guided):
        assert np.abs(smooth(maps, content, radius_px=20, edge=0.1) - MAP).max() < 1e-5
    assert np.abs(enlarged(maps, (25, 31)) - MAP).max() < 1e-12


def test_the_public_program_s_results(parity):
    cases = parity.cases("luanfujun_dpst")
    content = cases["content"] / 255
    colors = cases["stage2_x_1"] + np.array((103.939, 116.779, 123.68))[:, None, None]
    maps = local_maps(content, colors[::-1].transpose(1, 2, 0) / 256)
    assert apart(maps, cases["affine_model"]) < 1e-4
    smooth = bilateral(maps, content, radius_px=7, edge=0.05)
    assert apart(smooth, cases["affine_model_smoothed"]) < 1e-4
    assert apart(applied(smooth, content).transpose(2, 0, 1), cases["smooth_7_0.05"]) < 1e-4
    stronger = applied(bilateral(maps, content, radius_px=15, edge=0.01), content)
    assert apart(stronger.transpose(2, 0, 1), cases["smooth_15_0.01"]) < 1e-4


def test_the_public_program_s_detail(parity):
    cases = parity.cases("luanfujun_postprocess")
    found = detail_restored(cases["image"] / 255, cases["guide"] / 255)
    assert apart(found, cases["repaired"]) < 1e-9
