"""`inpaint infer --save-guidance`: the planes that guided a fill are written, and guide the same fill again."""

import numpy as np
import pytest
from PIL import Image

from inpaint.cli.main import run
from inpaint.models.scfegan.config import Config
from inpaint.models.scfegan.network import Network
from inpaint.pipeline import plan_jobs
from inpaint.weights.files import WeightsMetadata, save_weights
from lively import enlivened


@pytest.fixture
def here(tmp_path, monkeypatch, make_photo):
    """photos/{a.png, b.png}, of one size, with mask.png, sketch.png, color.png, and run, a small SC-FEGAN."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for seed, name in enumerate("ab"):
        Image.fromarray(make_photo(32, 40, seed)).save(f"photos/{name}.png")
    hole, lines, colors = (np.zeros(shape, np.uint8) for shape in ((32, 40), (32, 40), (32, 40, 4)))
    hole[4:28, 6:30], lines[10:12, 4:26], colors[16:20, 8:20] = 255, 255, (200, 30, 90, 255)
    for name, plane in (("mask", hole), ("sketch", lines), ("color", colors)):
        Image.fromarray(plane).save(f"{name}.png")
    config = Config(**{**Config.SMALL, "width": 2})
    state = dict(enlivened(Network(config)).state_dict())
    (tmp_path / "run").mkdir()
    metadata = WeightsMetadata(model="scfegan", config=config.model_dump(mode="json"), roles=("generator",))
    save_weights(tmp_path / "run/model.safetensors", state, metadata)
    return tmp_path


def infer(*more, image="photos", output="out"):
    return run(["infer", "--model=run", f"--image={image}", "--mask=mask.png", f"--output={output}", *more])


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_what_guided_a_folder_is_written_below_its_results_names_and_guides_them_again(here):
    assert infer("--sketch=sketch.png", "--color=color.png", "--save-guidance=planes") == 0
    names = ["a_color.png", "a_sketch.png", "b_color.png", "b_sketch.png"]
    assert sorted(path.name for path in (here / "planes").iterdir()) == names
    assert np.array_equal(pixels("planes/b_sketch.png"), pixels("sketch.png"))
    assert np.array_equal(pixels("planes/a_color.png"), pixels("color.png"))
    assert infer("--sketch=planes", "--color=planes", output="again") == 0
    assert infer(output="alone") == 0
    for name in "ab":
        assert np.array_equal(pixels(f"out/{name}.png"), pixels(f"again/{name}.png"))
        assert not np.array_equal(pixels(f"out/{name}.png"), pixels(f"alone/{name}.png"))


def test_the_plane_of_one_photo_is_written_to_a_file_at_the_photo_s_size(here, capsys):
    Image.fromarray(pixels("sketch.png")).resize((80, 64), Image.Resampling.NEAREST).save("large.png")
    assert infer("--sketch=large.png", "--save-guidance=used.png", image="photos/a.png", output="o.png") == 0
    assert np.array_equal(pixels("used.png"), pixels("sketch.png"))
    assert "o.png; used.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--save-guidance=used.png"], "no guidance is given that could be written to 'used.png'"),
        (["--sketch=sketch.png", "--color=color.png", "--save-guidance=used.png"], "one file for"),
        (["--sketch=sketch.png", "--save-guidance=used.jpg"], "name a file that ends in .png"),
        (["--sketch=sketch.png", "--save-guidance=sketch.png"], "sketch.png"),
        (["--sketch=sketch.png", "--save-guidance=-"], "is written beside the output"),
    ],
)
def test_a_place_that_does_not_fit_is_refused(here, capsys, more, said):
    assert infer(*more, image="photos/a.png", output="o.png") == 2
    assert said in capsys.readouterr().err
    assert not (here / "o.png").exists()


def test_planes_of_several_masks_have_the_names_of_the_results(here):
    (here / "masks").mkdir()
    for number in (1, 2):
        Image.fromarray(pixels("mask.png")).save(f"masks/a_mask00{number}.png")
    jobs = plan_jobs("photos", "masks", "out", guidance={"sketch": "sketch.png"}, save_guidance="planes")
    assert [job.save_guidance["sketch"].name for job in jobs[:2]] == ["a_mask001_sketch.png", "a_mask002_sketch.png"]
