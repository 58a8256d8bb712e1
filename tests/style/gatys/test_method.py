import numpy as np
import pytest
import torch
from pydantic import ValidationError

from inpaint.errors import ConfigError, InputError
from inpaint.nn import comparing, vgg
from inpaint.style.base import Scene
from inpaint.style.gatys import method as module
from inpaint.style.gatys.building import losses_of
from inpaint.style.gatys.canvas import canvas_of
from inpaint.style.gatys.method import Gatys, covering
from inpaint.style.gatys.options import GatysOptions
from inpaint.style.table import STYLIZERS
from inpaint.types import StopFill, StylePart

QUICK = {
    "weights": "random",
    "style_layers": ("relu1_2", "relu2_1"),
    "content_layers": ("relu2_2",),
    "histogram_layers": ("relu1_1",),
    "iterations": 3,
    "refine_iterations": 2,
    "min_px": 32,
}


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """A network of few channels."""
    monkeypatch.setattr(vgg, "CHANNELS", (4, 5, 6, 6, 6))


@pytest.fixture
def content(make_photo):
    return make_photo(30, 44, 1).astype(np.float32) / 255


@pytest.fixture
def style(make_photo):
    return make_photo(36, 28, 2).astype(np.float32) / 255


def stylized(image, *parts, seed=0, progress=None, budget_s=None, **options):
    stylizer = STYLIZERS.load("gatys", device="cpu", **QUICK | options)
    return stylizer.stylize(image, parts, seed=seed, progress=progress, budget_s=budget_s)


def change(found, content):
    return np.abs(found.image - content).mean()


KINDS = {
    "gram": {},
    "gatys": {"normalization": "gatys"},
    "hw": {"normalization": "hw"},
    "covariance": {"covariance": 100.0},
    "moments": {"moments": 100.0},
    "histogram": {"gram": 0.0, "histogram": 100.0},
    "adam": {"optimizer": "adam"},
    "l2": {"pooling": "l2"},
    "bfloat16": {"precision": "bfloat16"},
    "vgg16_caffe": {"network": "vgg16_caffe"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_loss_goes_down(content, style, kind):
    options = {"tv": 0.0, "content": 0.0, "start": "noise", "iterations": 5} | KINDS[kind]
    found = stylized(content, StylePart(style=style), **options)
    (stage,) = found.details["stages"]
    losses = [loss for _, _, loss in stage["losses"]]
    assert len(losses) == 5
    assert losses[-1] < 0.97 * losses[0]
    assert found.image.shape == content.shape
    compared = kind if kind in ("covariance", "moments", "histogram") else "gram"
    assert f"{compared}_{'relu1_1' if kind == 'histogram' else 'relu1_2'}" in found.details["losses"]


def test_without_strength_the_content_comes_back(content, style):
    assert stylized(content, StylePart(style=style), strength=0).image.tobytes() == content.tobytes()


def test_strength_says_how_far_statistics_go(content, style):
    changes = [change(stylized(content, StylePart(style=style), strength=s, tv=0.0), content) for s in (0.1, 0.5, 1)]
    assert 0 < changes[0] < changes[1] < changes[2]


def test_targets_lie_between_the_content_s_own_statistics_and_the_style_s(content, style):
    scene = Scene(content=content, parts=(StylePart(style=style),), shares=np.ones((1, 30, 44), np.float32))
    canvas = canvas_of(scene, 44, torch.device("cpu"))
    network = Gatys(GatysOptions(**QUICK)).network
    values = {}
    for strength in (0.25, 0.5, 1.0):
        options = GatysOptions(**QUICK | {"strength": strength, "content": 0.0, "tv": 0.0})
        losses = losses_of(network, options, canvas)
        found = comparing.compared(network, vgg.normalized(canvas.content), [loss.comparison for loss in losses])
        values[strength] = torch.stack(found)
    # Distances of matrices are squares: half the way has a quarter.
    torch.testing.assert_close(values[0.5], values[1.0] / 4)
    torch.testing.assert_close(values[0.25], values[1.0] / 16)


def test_only_the_part_that_is_painted_changes(content, style):
    mask = np.zeros((30, 44), np.float32)
    mask[8:22, 10:30] = 1
    for kind in ({}, {"covariance": 10.0}, {"histogram": 10.0}):
        found = stylized(content, StylePart(style=style, content_mask=mask), **kind)
        assert found.image[mask == 0].tobytes() == content[mask == 0].tobytes()
        assert np.abs(found.image - content)[mask == 1].mean() > 1e-3


def test_each_region_takes_on_its_own_style(content):
    red, blue = (np.full((32, 32, 3), 0.1, np.float32) for _ in range(2))
    red[..., 0], blue[..., 2] = 0.9, 0.9
    left = np.zeros((30, 44), np.float32)
    left[:, :22] = 1
    parts = [StylePart(style=red, content_mask=left), StylePart(style=blue, content_mask=1 - left)]
    found = stylized(content, *parts, iterations=12, content=0.0, tv=0.0, min_px=44)
    moved = (found.image - content).mean(axis=0)
    assert moved[:18, 0].mean() > moved[26:, 0].mean()
    assert moved[:18, 2].mean() < moved[26:, 2].mean()
    shallow = {name for name in found.details["losses"] if name.endswith("relu1_2")}
    assert shallow == {"gram_1_relu1_2", "gram_2_relu1_2"}


def test_eroded_regions_are_compared_by_features_that_see_nothing_beyond(content, style):
    left = np.zeros((30, 44), np.float32)
    left[:, :20] = 1
    other = np.where(left[..., None] == 1, content, 1 - content)
    network = Gatys(GatysOptions(**QUICK)).network.double()

    def values(image, mask, **options):
        chosen = GatysOptions(**QUICK | {"content": 0.0, "tv": 0.0, "histogram": 1.0} | options)
        part = StylePart(style=style, content_mask=mask)
        canvas = canvas_of(Scene(content=content, parts=(part,), shares=mask[None]), 44, torch.device("cpu"))
        losses = losses_of(network, chosen, canvas)
        shown = vgg.normalized(torch.from_numpy(image).permute(2, 0, 1)[None].double())
        return torch.stack(comparing.compared(network, shown, [loss.comparison for loss in losses]))

    assert torch.equal(values(content, left, erode=True), values(other, left, erode=True))
    assert (values(content, left) != values(other, left)).all()
    assert (values(content, left) != values(content, left, erode=True)).all()
    small = np.zeros((30, 44), np.float32)
    small[10, 10:12] = 1
    assert torch.equal(values(content, small), values(content, small, erode=True))


def test_styles_of_one_place_are_mixed_by_weight(content, style):
    other = style[::-1, :, ::-1].copy() ** 2
    one, both = (
        canvas_of(
            Scene(content=content, parts=parts, shares=np.ones((len(parts), 30, 44), np.float32)),
            44,
            torch.device("cpu"),
        )
        for parts in (
            (StylePart(style=style, weight=1.0),),
            (StylePart(style=style, weight=0.5), StylePart(style=style, weight=0.5)),
        )
    )
    network, options = Gatys(GatysOptions(**QUICK)).network, GatysOptions(**QUICK | {"histogram": 1.0})
    values = [
        torch.stack(
            comparing.compared(
                network,
                vgg.normalized(canvas.content),
                [loss.comparison for loss in losses_of(network, options, canvas) if loss.comparison],
            )
        )
        for canvas in (one, both)
    ]
    torch.testing.assert_close(values[0], values[1])
    alone = stylized(content, StylePart(style=style)).image
    mixed = stylized(content, StylePart(style=style), StylePart(style=other, weight=3)).image
    assert np.abs(alone - mixed).mean() > 1e-3


def test_only_what_is_marked_of_a_style_counts(content):
    style = np.zeros((32, 32, 3), np.float32)
    style[:, :16] = np.random.default_rng(0).random((32, 16, 3))
    marked = np.zeros((32, 32), bool)
    marked[:, :16] = True
    parts = [StylePart(style=style, style_mask=mask) for mask in (None, marked)]
    first, second = (stylized(content, part, content=0.0, tv=0.0).image.mean() for part in parts)
    assert second > first  # half of the whole style is black


def test_the_same_seed_makes_the_same_image_and_another_one_another(content, style):
    part = StylePart(style=style)
    images = [stylized(content, part, start="noise", seed=seed).image for seed in (0, 0, 1)]
    assert np.array_equal(images[0], images[1])
    assert np.abs(images[0] - images[2]).mean() > 1e-3


def test_sizes_grow_and_the_change_is_put_on_the_full_size(make_photo, style):
    content = make_photo(96, 130, 1).astype(np.float32) / 255
    found = stylized(content, StylePart(style=style), work_px=64)
    assert [stage["stage"] for stage in found.details["stages"]] == ["32 px", "64 px"]
    assert found.image.shape == content.shape
    assert found.aux["size_32"].shape == content.shape
    moved = torch.from_numpy(found.image - content).permute(2, 0, 1)[None]
    detail = (moved[..., 1:] - moved[..., :-1]).abs().mean()
    assert detail < (moved - moved.mean()).abs().mean() / 2  # smooth: it was computed at half the size


def test_a_run_that_is_stopped_or_has_no_time_answers_with_what_it_has(content, style):
    def stop(progress):
        if progress.done == 2:
            raise StopFill

    found = stylized(content, StylePart(style=style), progress=stop)
    assert found.details["stages"][0]["reason"] == "interrupted"
    assert found.details["stages"][0]["iterations"] == 2
    assert change(found, content) > 0
    late = stylized(content, StylePart(style=style), budget_s=0.0)
    assert late.details["stages"][0]["iterations"] == 1


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("masked", [False, True])
def test_strips_make_the_same_image_as_the_whole(content, style, monkeypatch, optimizer, masked):
    mask = None
    if masked:
        mask = np.zeros((30, 44), np.float32)
        mask[8:22, 10:30] = 1
    images = []
    for pixels, strip_bytes in ((2**19, 2**26), (1, 1)):
        monkeypatch.setattr(comparing, "PIXELS_AT_ONCE", pixels)
        monkeypatch.setattr(comparing, "STRIP_BYTES", strip_bytes)
        stylizer = Gatys(GatysOptions(**QUICK | {"optimizer": optimizer, "covariance": 10.0, "gram": 100.0}))
        stylizer.network.double()
        images.append(stylizer.stylize(content, [StylePart(style=style, content_mask=mask)]).image)
    np.testing.assert_allclose(images[1], images[0], atol=2e-5)
    assert np.abs(images[0] - content).mean() > 1e-3


def test_what_l_bfgs_would_remember_of_large_images_is_bounded(monkeypatch):
    stylizer = Gatys(GatysOptions(**QUICK))
    assert stylizer._loop(512 * 512).lbfgs.history == 20
    assert stylizer._loop(2_000 * 2_000).lbfgs.history == 5
    large = stylizer._loop(4_000 * 4_000)
    assert (large.optimizer, large.lr) == ("adam", 0.02)
    assert large.averaging is not None


def test_histograms_are_left_as_they_are_where_rows_come_in_strips(content, style, monkeypatch):
    monkeypatch.setattr(module, "PIXELS_AT_ONCE", 500)
    monkeypatch.setattr(comparing, "PIXELS_AT_ONCE", 500)
    found = stylized(content, StylePart(style=style), histogram=1.0, min_px=32)
    assert found.warnings == ("at 44 pixels histograms were left as they had become at smaller sizes",)
    assert not any(name.startswith("histogram") for name in found.details["losses"])


def test_a_style_covers_the_content_when_it_is_what_a_run_begins_with():
    image = torch.rand(1, 3, 10, 20)
    assert covering(image, (10, 20)) is not None
    assert torch.equal(covering(image, (10, 10)), image[..., 5:15])
    assert covering(image, (33, 7)).shape == (1, 3, 33, 7)


@pytest.mark.parametrize("name", ["crowsonkb", "leongatys", "jcjohnson", "progamergov", "pytorch_tutorial"])
def test_programs_can_be_chosen_by_name(content, style, name):
    parts = [StylePart(style=style), StylePart(style=style[::-1].copy(), weight=2.0)]
    found = stylized(content, *parts, exact=name, iterations=3, refine_iterations=2)
    assert found.image.shape == content.shape
    assert change(found, content) > 0
    assert found.details["stages"][0]["iterations"] == 3


def test_programs_say_that_they_know_no_masks(content, style):
    mask = np.zeros((30, 44), np.float32)
    mask[5:20] = 1
    part = StylePart(style=style, content_mask=mask)
    found = stylized(content, part, exact="leongatys", iterations=1)
    assert found.warnings == ("exact=leongatys: masks were not read while the styles were mixed",)
    assert found.image[mask == 0].tobytes() == content[mask == 0].tobytes()


def test_what_does_not_fit_is_refused_in_one_line(content, style):
    with pytest.raises(ConfigError, match="relu9_9"):
        Gatys(GatysOptions(style_layers=("relu9_9",)))
    with pytest.raises(ValidationError, match="exact_normalize=weights: only with exact=progamergov"):
        GatysOptions(exact="crowsonkb", exact_normalize="weights")
    with pytest.raises(ValidationError, match="must name at least one layer each"):
        GatysOptions(style_layers=())
    with pytest.raises(InputError, match="too small for vgg19's pool1"):
        stylized(content[:1, :1], StylePart(style=style))
