"""Optical flow: known motions, files, warping, and where it can be trusted; the public program's numbers."""

import numpy as np
import pytest

from inpaint.errors import InputError
from inpaint.images.flow import consistency, flow_between, read_flow, sharply_warped, trust, warped, write_flow

MEAN = (123.68 / 256, 116.779 / 256, 103.939 / 256)


def constant(right, down, size=(20, 24)):
    return np.broadcast_to(np.float32((right, down)), (*size, 2)).copy()


def test_a_shift_is_found_and_undone():
    rng = np.random.default_rng(0)
    wide = np.kron(rng.integers(0, 256, (14, 16, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    first, second = wide[8:72, 10:80], wide[6:70, 7:77]  # everything goes 3 to the right and 2 down
    flow = flow_between(first, second)
    assert np.median(flow[..., 0]) == pytest.approx(3, abs=0.2)
    assert np.median(flow[..., 1]) == pytest.approx(2, abs=0.2)
    assert np.median(np.abs(warped(second, flow) - first)) < 12


def test_warping_by_whole_pixels_moves_them_and_repeats_the_frame_or_paints_outside():
    image = np.random.default_rng(1).random((20, 24, 3))
    moved = warped(image, constant(2, -3))
    assert np.allclose(moved[3:, :-2], image[:-3, 2:])
    assert np.allclose(moved[:3, :-2], image[:1, 2:])
    outside = warped(image, constant(2, -3), outside=(0.1, 0.2, 0.3))
    assert np.allclose(outside[:3], (0.1, 0.2, 0.3))
    assert np.allclose(outside[:, -2:], (0.1, 0.2, 0.3))


def test_half_a_pixel_is_the_mean_of_two():
    image = np.random.default_rng(2).random((20, 24, 3))
    moved = warped(image, constant(0.5, 0))
    assert np.allclose(moved[:, :-1], (image[:, :-1] + image[:, 1:]) / 2)


def test_detail_that_is_moved_again_and_again_stays_within_the_frame_s_range():
    columns = np.indices((20, 24))[1]
    image = np.repeat((100 + 80 * np.sin(columns * 1.3))[..., None], 3, axis=2).astype(np.float32)
    left = {"sharply": sharply_warped(image, constant(0, 0)), "bilinearly": image}
    assert np.allclose(left["sharply"], image, atol=1e-3)
    for right in (0.5, -0.5) * 4:
        flow = constant(right, 0)
        left = {"sharply": sharply_warped(left["sharply"], flow), "bilinearly": warped(left["bilinearly"], flow)}
    inside = np.s_[6:-6, 6:-6]
    kept = {way: float(moved[inside].std() / image[inside].std()) for way, moved in left.items()}
    assert kept["sharply"] > 0.9
    assert kept["bilinearly"] < 0.3
    assert left["sharply"].min() >= image.min()
    assert left["sharply"].max() <= image.max()


def test_flows_there_and_back_are_trusted_and_others_not():
    inside = np.s_[4:-4, 4:-4]
    assert (consistency(constant(2, 1), constant(-2, -1))[inside] == 1).all()
    assert (consistency(constant(2, 1), constant(2, 1))[inside] == -1).all()
    assert (consistency(constant(2, 1), constant(-2, -1))[:, -3:] == 0).all()  # to the outside
    torn = constant(0, 0)
    torn[:, 12:] = (4, 0)
    assert (consistency(torn, -torn)[4:-4, 11] == 0).all()
    assert trust(constant(2, 1), constant(-2, -1))[8, 8] == pytest.approx(1)


def test_a_flow_survives_its_file(tmp_path):
    flow = np.random.default_rng(3).normal(size=(5, 7, 2)).astype(np.float32)
    write_flow(tmp_path / "a.flo", flow)
    assert np.array_equal(read_flow(tmp_path / "a.flo"), flow)
    assert (tmp_path / "a.flo").read_bytes()[:4] == b"PIEH"
    (tmp_path / "b.flo").write_bytes(b"PIEH" + bytes(20))
    with pytest.raises(InputError, match=r"no \.flo file"):
        read_flow(tmp_path / "b.flo")


@pytest.mark.parametrize("pair", ["2_1", "3_2", "3_1"])
def test_the_public_program_s_trust(parity, pair):
    cases = parity.cases("manuelruder")
    flow = cases[f"flow_backward_{pair}"]
    back = cases[f"flow_forward_{pair[::-1]}"]
    assert np.array_equal(255 * consistency(flow, back).astype(int), cases[f"reliable_{pair}_raw"])
    smooth = 255 * trust(flow, back)
    assert np.abs(smooth - cases[f"reliable_{pair}_smooth"]).max() < 1e-3
    assert np.abs(smooth - cases[f"reliable_{pair}"]).max() < 1 + 1e-3  # which are truncated


def test_the_public_program_s_warped_frames(parity):
    cases = parity.cases("manuelruder")
    flow = cases["flow_backward_2_1"]
    frame = cases["frames"][0] / 255
    for options, name in (({"outside": MEAN}, "warped_1_to_2"), ({}, "warped_1_to_2_clamped")):
        found = warped(frame, flow, **options).transpose(2, 0, 1)
        assert np.abs(found - cases[name]).max() < 1e-6, name
