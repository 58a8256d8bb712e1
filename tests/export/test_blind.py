"""Blind networks as ONNX files: what they find comes out beside what they paint, and no mask is needed to fill."""

import numpy as np
import pytest

import inpaint
from blind import soiled, write_weights
from blocking import run_without
from inpaint.errors import UsageError, WeightsError
from inpaint.export.formats import Request, export, verify
from inpaint.export.verification import session_of
from inpaint.registry.loading import described, load

TORCH = ("torch", "torchvision", "lightning", "pytorch_lightning", "lightning_fabric")


@pytest.fixture
def run_and_file(tmp_path, monkeypatch):
    run, file = write_weights(monkeypatch, tmp_path / "run"), tmp_path / "blind.onnx"
    export("onnx", Request(model=str(run), output=file))
    return run, file


def batch(make_photo, height=37, width=50):
    photos = [soiled(make_photo(height, width, seed), top=5 + 3 * seed)[0] for seed in range(2)]
    return np.stack(photos).astype(np.float32) / 255


def test_a_file_finds_and_fills_as_its_run_does(run_and_file, make_photo):
    run, file = run_and_file
    network, graph = load(run, device="cpu"), load(file, threads=1)
    assert described(file).capabilities.blind
    image = batch(make_photo)
    (ours,), (theirs,) = network.fill_arrays(image, None), graph.fill_arrays(image, None)
    np.testing.assert_allclose(theirs.aux["found"], ours.aux["found"], atol=1e-5)
    np.testing.assert_allclose(theirs.raw, ours.raw, atol=1e-5)
    assert np.array_equal(theirs.mask, ours.mask)
    assert theirs.mask.any()
    known = theirs.mask[..., 0] == 0
    assert np.array_equal(theirs.completed[known], image[known])


def test_a_file_takes_a_mask_and_reads_what_lies_in_the_hole(run_and_file, make_photo):
    run, file = run_and_file
    image = batch(make_photo)
    mask = np.zeros((*image.shape[:3], 1), np.float32)
    mask[:, 4:20, 6:30] = 1
    (ours,), (theirs,) = (load(each, device="cpu").fill_arrays(image, mask) for each in (run, file))
    np.testing.assert_allclose(theirs.completed, ours.completed, atol=1e-5)


@pytest.mark.parametrize("chunk", [1, 3])
def test_the_map_does_not_depend_on_how_the_batch_is_cut(run_and_file, make_photo, chunk):
    image = batch(make_photo)
    whole, cut = (load(run_and_file[1], chunk=some).find_mask_arrays(image) for some in (None, chunk))
    np.testing.assert_allclose(cut, whole, atol=1e-6)


def test_both_outputs_are_named_and_the_map_does_not_depend_on_the_mask(run_and_file):
    session = session_of(run_and_file[1])
    assert [each.name for each in session.get_outputs()] == ["raw", "found"]
    image = np.random.default_rng(0).random((1, 3, 16, 24), np.float32)
    maps = [session.run(["found"], {"image": image, "mask": np.full((1, 1, 16, 24), level, np.float32)})[0]
            for level in (0, 1)]  # fmt: skip
    assert np.array_equal(*maps)
    assert maps[0].shape == (1, 1, 16, 24)


def test_what_is_found_is_measured_as_well(run_and_file):
    run, file = run_and_file
    measured = verify("onnx", Request(model=str(run), output=file))
    assert sum(name.startswith("found, ") for name in measured) == len(measured) / 2
    assert max(measured.values()) < 1e-5


def test_photos_are_filled_without_a_mask_by_the_file(run_and_file, make_photo):
    photo, hole = soiled(make_photo(40, 56))
    filled = inpaint.fill(photo, model=run_and_file[1])
    assert np.array_equal(filled, inpaint.fill(photo, model=run_and_file[0], device="cpu"))
    assert np.array_equal(filled[~hole], photo[~hole])
    expected = inpaint.fill(photo, hole, model="telea")
    assert np.array_equal(inpaint.fill(photo, model="telea", mask_from=run_and_file[1]), expected)


def test_without_torch_a_file_finds_what_it_fills(run_and_file, make_photo, tmp_path):
    photo, hole = soiled(make_photo(40, 56))
    np.save(tmp_path / "photo.npy", photo)
    code = """
import sys
import numpy as np
import inpaint
photo = np.load(sys.argv[1])
np.save(sys.argv[3], inpaint.fill(photo, model=sys.argv[2]))
assert "torch" not in sys.modules
"""
    places = [str(tmp_path / "photo.npy"), str(run_and_file[1]), str(tmp_path / "filled.npy")]
    ended = run_without(TORCH, code, *places)
    assert ended.returncode == 0, ended.stderr
    filled = np.load(tmp_path / "filled.npy")
    assert np.array_equal((filled != photo).any(axis=2), hole)


def test_a_pipeline_is_refused_since_it_hides_the_hole(run_and_file, tmp_path):
    with pytest.raises(UsageError, match="--pipeline: tiny_blind reads what lies in the hole, which a pipeline hides"):
        export("onnx", Request(model=str(run_and_file[0]), output=tmp_path / "p.onnx", pipeline=True))


def test_a_blind_file_without_its_map_is_refused(run_and_file):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(run_and_file[1])
    del model.graph.output[1]
    onnx.save(model, run_and_file[1])
    with pytest.raises(WeightsError, match="has no output found, by which a blind model tells its hole"):
        load(run_and_file[1])


@pytest.mark.parametrize("name", ["pt2", "torchscript"])
def test_other_formats_take_masks_and_read_the_hole(run_and_file, tmp_path, name):
    run, file = run_and_file[0], tmp_path / f"blind.{name}"
    export(name, Request(model=str(run), output=file))
    assert max(verify(name, Request(model=str(run), output=file)).values()) < 1e-5
