"""Blending by a trained harmonizer, in the table's manner."""

import numpy as np
import pytest

from harmonizer import written_harmonizer
from inpaint.blending.harmonizing import Harmonizing
from inpaint.errors import UsageError
from inpaint.models.feedforward import FeedForward
from inpaint.models.pctnet.config import Config
from inpaint.models.pctnet.network import Network
from inpaint.registry.blenders import load_method, method_options
from inpaint.registry.loading import load


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return written_harmonizer(tmp_path_factory.mktemp("run"))


@pytest.fixture
def scene():
    source, target = np.random.default_rng(0).random((2, 20, 26, 3), dtype=np.float32)
    mask = np.zeros((20, 26), bool)
    mask[4:12, 6:20] = True
    return source, target, mask


def test_a_run_is_a_method_and_harmonizes_what_was_pasted(run, scene):
    source, target, mask = scene
    method = load_method(str(run), device="cpu")
    found = method.blend(source, target, mask)
    assert found.completed[~mask].tobytes() == target[~mask].tobytes()
    assert found.completed[mask].mean() < source[mask].mean() - 0.03
    image = np.where(mask[..., None], source, target)
    (fill,) = load(run, device="cpu").fill_arrays(image[None], mask[None, ..., None].astype(np.float32))
    assert np.array_equal(found.completed[mask], fill.completed[0][mask])


def test_images_smaller_than_the_model_takes_are_blended(run):
    source, target = np.random.default_rng(0).random((2, 3, 5, 3), dtype=np.float32)
    mask = np.zeros((3, 5), bool)
    mask[1, 2] = True
    found = load_method(str(run), device="cpu").blend(source, target, mask).completed
    assert found.shape == target.shape
    assert found[~mask].tobytes() == target[~mask].tobytes()


def test_a_harmonizer_takes_the_options_of_all_methods_and_no_others(run):
    assert method_options(str(run), {"colors": "reinhard"}).colors == "reinhard"
    assert method_options("poisson", {"strength": 0.5}).strength == 0.5
    with pytest.raises(UsageError, match="unknown option of a harmonizer 'strength'"):
        method_options(str(run), {"strength": 0.5})


def test_what_is_neither_a_method_nor_a_harmonizer_is_refused(lively):
    with pytest.raises(UsageError, match=r"unknown method 'poison' \(did you mean 'poisson'\?\)"):
        method_options("poison")
    with pytest.raises(UsageError, match="does not harmonize"):
        Harmonizing(load("mean"))
    assert Harmonizing(FeedForward(Network(Config(**Config.SMALL)), name="it")).name == "harmonizing"
