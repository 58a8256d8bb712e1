import numpy as np
import pytest
from pydantic import ValidationError
from skimage import color, data

from inpaint.data.planes import SamplePlanes
from inpaint.errors import MissingDependencyError
from inpaint.images import edges, hed
from inpaint.images.edges import Edges, Sketch, canny, gray_of
from inpaint.images.guidance import DRAWN_BY_HAND
from inpaint.types import Plane


@pytest.fixture(scope="module")
def gray():
    return gray_of(data.astronaut()[40:180, 150:310])


def hole_of(shape):
    known = np.ones(shape, bool)
    known[30:90, 40:120] = False
    return known


def test_gray_is_that_of_scikit_image():
    photo = data.chelsea()[:20, :30]
    assert np.allclose(gray_of(photo), color.rgb2gray(photo), atol=1e-12)


def test_known_edges_do_not_depend_on_what_the_hole_holds(gray):
    known = hole_of(gray.shape)
    expected = canny(gray, 2.0, known=known)
    noise = np.where(known, gray, np.random.default_rng(0).random(gray.shape))
    for content in (noise, np.where(known, gray, np.nan)):
        assert np.array_equal(canny(content, 2.0, known=known), expected)
    # Without being told of the hole the detector sees into it.
    leaked = (canny(gray, 2.0) != canny(noise, 2.0)) & known
    assert leaked.sum() > 20


def test_the_hole_and_its_rim_hold_no_edges(gray):
    known = hole_of(gray.shape)
    found = canny(gray, 2.0, known=known)
    assert found.sum() > 100
    assert not found[29:91, 39:121].any()
    border = np.ones_like(found)
    border[1:-1, 1:-1] = False
    assert not (found & border).any()


@pytest.mark.parametrize("sigma_px", [1.0, 2.0, 4.0])
def test_a_mirrored_image_has_the_mirrored_edges(gray, sigma_px):
    known = hole_of(gray.shape)
    for where in (None, known):
        mirrored = None if where is None else where[:, ::-1]
        assert np.array_equal(
            canny(gray[:, ::-1], sigma_px, known=mirrored)[:, ::-1], canny(gray, sigma_px, known=where)
        )


def test_a_strong_step_is_found_and_a_weak_one_is_not():
    image = np.zeros((40, 50))
    image[:, 25:] = 1.0
    columns = np.flatnonzero(canny(image, 2.0)[20])
    assert columns.size
    assert set(columns) <= {24, 25}
    assert not canny(0.05 * image, 2.0).any()


def test_a_sample_draws_its_smoothing_from_the_range_and_validation_has_the_fixed_one():
    image, mask = data.astronaut()[40:100, 150:230], np.zeros((60, 80), np.uint8)

    def made(maker, rng):
        return maker.make(image, mask, companion=None, rng=rng)

    fixed = {sigma: canny(gray_of(image), float(sigma)) for sigma in (1, 2, 3, 4)}
    rng = np.random.default_rng(0)
    drawn = [made(Edges(range_px=(1, 4)), rng) for _ in range(30)]
    seen = {sigma for each in drawn for sigma, edges in fixed.items() if np.array_equal(each, edges)}
    assert seen == {1, 2, 3, 4}
    assert np.array_equal(made(Edges(sigma_px=3, range_px=(1, 4)), None), fixed[3])
    assert np.array_equal(made(Edges(sigma_px=1), rng), fixed[1])


@pytest.mark.parametrize("pair", [(0, 2), (3, 2)])
def test_a_range_that_makes_no_sense_is_refused(pair):
    with pytest.raises(ValidationError, match="the smaller first"):
        Edges(range_px=pair)


# Sketches -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def part():
    photo = data.astronaut()[40:180, 150:310]
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[10:130, 20:140] = 1
    return photo, mask


def sketch(part, seed, *, companion=None, **options):
    rng = None if seed is None else np.random.default_rng(seed)
    return Sketch(**options).make(*part, companion=companion, rng=rng)


HAND = {**DRAWN_BY_HAND, "given": 1.0}


def test_a_sketch_without_options_is_canny_s_at_the_first_number_of_its_generator(part):
    photo, mask = part
    sigma_px = np.random.default_rng(5).uniform(1, 3)
    assert np.array_equal(sketch(part, 5), canny(gray_of(photo), sigma_px) * mask)
    assert np.array_equal(sketch(part, None), canny(gray_of(photo), 2.0) * mask)


def test_a_sketch_as_drawn_is_thin_in_the_hole_and_its_seed_s(part):
    _, mask = part
    drawn = [sketch(part, seed, **HAND) for seed in range(6)]
    for lines in drawn:
        assert lines.dtype == np.uint8
        assert not lines[mask == 0].any()
        assert 0 < lines[mask == 1].mean() < 0.15
    assert np.array_equal(sketch(part, 3, **HAND), drawn[3])
    assert len({lines.tobytes() for lines in drawn}) == 6


def test_validation_neither_moves_nor_drops_nor_withholds_a_sketch(part):
    photo, _ = part
    fixed = sketch(part, None, **{**HAND, "given": 0.0})
    assert fixed.any()
    assert not (fixed & ~canny(gray_of(photo), 2.0) & 1).any()


def test_so_many_samples_have_a_sketch(part):
    small = part[0][40:72, 40:80], part[1][40:72, 40:80]
    given = [sketch(small, seed, given=0.7, sigma_px=(1, 1)).any() for seed in range(200)]
    assert 0.6 < np.mean(given) < 0.8


def test_a_file_s_bright_lines_are_a_sketch_and_thin_if_so_wanted(part):
    _, mask = part
    companion = np.zeros(mask.shape, np.uint8)
    companion[60:67] = 200
    companion[90:97] = 100
    assert np.array_equal(sketch(part, 0, companion=companion, source="file"), (companion > 153) * mask)
    thin = sketch(part, 0, companion=companion, source="file", thin=True)
    assert set(thin[:, 40:120].sum(axis=0)) == {1}
    assert sketch(part, 0, companion=companion, source="file", threshold=0.3).sum() == 2 * 7 * 120


def test_a_sample_draws_one_of_several_sources_and_validation_has_the_first(part):
    companion = np.zeros(part[1].shape, np.uint8)
    companion[60] = 255
    options = {"source": ("file", "canny"), "companion": companion}
    seen = [bool(sketch(part, seed, **options)[60, 20:140].all()) for seed in range(40)]
    assert 5 < sum(seen) < 35
    assert sketch(part, None, **options).sum() == 120
    assert Sketch(source=["canny", "file"]).needs_companion
    assert not Sketch().needs_companion


def test_a_sketch_of_hed_is_what_is_likely_an_edge(part, monkeypatch):
    likely = np.linspace(0, 1, part[1].size, dtype=np.float32).reshape(part[1].shape)
    monkeypatch.setattr(edges, "edge_probability", lambda image: likely)
    assert np.array_equal(sketch(part, None, source="hed", threshold=0.4), (likely > 0.4) * part[1])


def test_hed_is_asked_for_before_a_training_begins(monkeypatch):
    monkeypatch.setattr(hed, "PACKAGE", "no_such_package_of_weights")
    plane = Plane(name="sketch", make="inpaint.images.edges:Sketch")
    SamplePlanes([plane], {})
    with pytest.raises(MissingDependencyError, match="HED"):
        SamplePlanes([plane], {"sketch": {"source": "hed"}})


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"dropped": (0.2, 1.5)}, "two numbers from 0 of at most 1"),
        ({"small_px": (-1, 3)}, "two numbers from 0, the smaller first"),
        ({"jitter_px": (3, 1)}, "the smaller first"),
        ({"source": ()}, "at least one of canny, hed and file"),
        ({"source": "sobel"}, "'canny', 'hed' or 'file'"),
    ],
)
def test_options_of_a_sketch_that_make_no_sense_are_refused(options, complaint):
    with pytest.raises(ValidationError, match=complaint):
        Sketch(**options)
