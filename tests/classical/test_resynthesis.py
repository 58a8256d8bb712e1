import numpy as np
import pytest

from inpaint.classical.resynthesis import resynthesized


@pytest.fixture
def texture():
    return np.random.default_rng(0).random((30, 36, 3)).astype(np.float32)


def test_a_part_of_the_texture_comes_back_as_it_is(texture):
    image = texture[5:19, 8:26].copy()
    where = np.zeros(image.shape[:2], bool)
    where[5:9, 6:11] = True
    made = resynthesized(image, texture, where, rng=np.random.default_rng(1))
    assert np.array_equal(made[~where], image[~where])
    assert made == pytest.approx(image, abs=1e-5)


def test_only_pixels_that_may_be_used_are(texture):
    texture[:, 18:] = 0
    legal = np.zeros(texture.shape[:2], bool)
    legal[:, 18:] = True
    image, where = texture[:16, :16].copy(), np.zeros((16, 16), bool)
    where[0:5, 4:16] = True  # at the frame
    made = resynthesized(image, texture, where, rng=np.random.default_rng(1), legal=legal)
    assert not made[where].any()
    assert np.array_equal(made[~where], image[~where])


def test_nothing_to_make_is_nothing_done(texture):
    made = resynthesized(texture, texture, np.zeros(texture.shape[:2], bool), rng=np.random.default_rng(0))
    assert np.array_equal(made, texture)
