"""Methods of style transfer by name, and networks by place: what `inpaint.load` refuses is loaded here."""

import numpy as np
import pytest

from inpaint.errors import InputError, UsageError
from inpaint.registry import table
from inpaint.registry.loading import described, load, options_of
from inpaint.registry.stylizers import learned_styles, load_stylizer, stylizer_options
from inpaint.types import LearnedStyle, StylePart
from inpaint.weights.files import WeightsMetadata, save_weights

RNG = np.random.default_rng(0)
CONTENT = RNG.random((37, 50, 3), dtype=np.float32)
STYLE_MODELS = list(table.style_models())


@pytest.fixture
def run_of(lively, tmp_path):
    """`run_of(name)` writes the weights of a small network of a style model and returns their folder."""

    def write(name, **fields):
        config = table.config_class(name)
        options = config.model_validate({**config.SMALL, **fields})
        network = lively(table.network_class(name)(options))
        folder = tmp_path / f"run-{name}"
        folder.mkdir()
        roles = tuple(role for role, _ in network.named_children())
        metadata = WeightsMetadata(model=name, config=options.model_dump(mode="json"), roles=roles)
        save_weights(folder / "model.safetensors", dict(network.state_dict()), metadata)
        return folder

    return write


def parts_of(name, **options):
    if table.capabilities(name).styles is None:
        return [StylePart(style=RNG.random((40, 33, 3), dtype=np.float32), **options)]
    return [LearnedStyle(**options)]


@pytest.mark.parametrize("name", STYLE_MODELS)
def test_a_network_paints_any_size_and_leaves_alone_what_no_part_covers(run_of, name):
    stylizer = load_stylizer(str(run_of(name)), device="cpu")
    mask = np.zeros(CONTENT.shape[:2], np.float32)
    mask[:, 20:] = 1
    whole, part = (stylizer.stylize(CONTENT, parts_of(name, content_mask=m)).image for m in (None, mask))
    assert whole.shape == part.shape == CONTENT.shape
    assert np.isfinite(whole).all()
    assert np.abs(whole - CONTENT).mean() > 1e-3
    assert part[:, :20].tobytes() == CONTENT[:, :20].tobytes()
    small = stylizer.stylize(CONTENT[:3, :2].copy(), parts_of(name)).image
    assert small.shape == (3, 2, 3)


@pytest.mark.parametrize("name", STYLE_MODELS)
def test_double_precision_and_the_type_of_a_network_are_chosen(run_of, name):
    place = str(run_of(name))
    parts = parts_of(name)
    single, double, half = (
        load_stylizer(place, device="cpu", dtype=dtype).stylize(CONTENT, parts).image
        for dtype in (None, "float64", "bfloat16")
    )
    assert np.abs(single - double).max() < 1e-3
    assert 0 < np.abs(half - double).mean() < 0.1


@pytest.mark.parametrize("name", STYLE_MODELS)
def test_what_stylizes_is_refused_by_what_fills_in_a_line_that_says_where_it_belongs(run_of, name):
    place = str(run_of(name))
    for ask in (load, described, options_of):
        with pytest.raises(UsageError, match=rf"holds a {name}, .* use `inpaint stylize --model "):
            ask(place)
        with pytest.raises(UsageError, match=rf"'{name}' needs weights: .*it stylizes, see `inpaint stylize`"):
            ask(name)
    assert name not in table.names()


def test_what_fills_is_refused_here(run_of, lively, tmp_path):
    config = table.config_class("pctnet")(**table.config_class("pctnet").SMALL)
    network = table.network_class("pctnet")(config)
    metadata = WeightsMetadata(model="pctnet", config=config.model_dump(mode="json"), roles=("generator",))
    save_weights(tmp_path / "model.safetensors", dict(network.state_dict()), metadata)
    with pytest.raises(UsageError, match=r"does not stylize: a pctnet fills holes"):
        stylizer_options(str(tmp_path))


def test_names_options_and_places_that_there_are_not_are_answered(run_of):
    place = str(run_of("johnson", styles=["waves"]))
    assert learned_styles(place) == ("waves",)
    assert learned_styles("colors") is None
    with pytest.raises(UsageError, match=r"unknown style model 'color' \(did you mean 'colors'\?\)"):
        stylizer_options("color")
    with pytest.raises(UsageError, match=r"'johnson' needs weights: give the folder of a trained run"):
        stylizer_options("johnson")
    with pytest.raises(UsageError, match=r"unknown option of .* 'transform'; valid: colors, scale, strength"):
        stylizer_options(place, {"transform": "wct"})
    with pytest.raises(UsageError, match=r"dtype=bfloat16: 'colors' has no network"):
        load_stylizer("colors", dtype="bfloat16")
    stylizer = load_stylizer(place, device="cpu")
    with pytest.raises(InputError, match=r"johnson takes no pictures of styles, it has learned its own: waves"):
        stylizer.stylize(CONTENT, [StylePart(style=CONTENT)])
    with pytest.raises(InputError, match=r"unknown style of johnson 'wave' \(did you mean 'waves'\?\)"):
        stylizer.stylize(CONTENT, [LearnedStyle(name="wave")])
    with pytest.raises(InputError, match=r"colors has learned no style that could be named"):
        load_stylizer("colors").stylize(CONTENT, [LearnedStyle(name="waves")])


def test_weights_are_a_run_s_or_a_method_s_option(run_of):
    assert load_stylizer("gatys", device="cpu", weights="random").options.weights == "random"
    with pytest.raises(UsageError, match=r"unknown weights 'latest'"):
        load_stylizer(str(run_of("johnson")), device="cpu", weights="latest")


def test_strength_goes_from_the_content_to_the_style(run_of):
    place = str(run_of("johnson"))
    none, half, whole = (
        load_stylizer(place, device="cpu", strength=s).stylize(CONTENT, []).image.astype(np.float64)
        for s in (0.0, 0.5, 1.0)
    )
    assert np.abs(none - CONTENT).max() < 1e-6
    inside = (whole > 0) & (whole < 1)  # elsewhere it was cut off
    assert np.abs(half - (CONTENT + whole) / 2)[inside].max() < 1e-5


def test_weights_of_a_method_are_those_of_its_features():
    assert load_stylizer("gatys", weights="features.pth").options.weights == "features.pth"
    assert load_stylizer("gatys").options.weights == "public"
    with pytest.raises(UsageError, match="unknown option of colors 'weights'"):
        load_stylizer("colors", weights="features.pth")
