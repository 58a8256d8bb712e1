"""Trainings of models that stylize, from the command line on: two sources, their own figures, panel and errors."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from PIL import Image

from inpaint import config
from inpaint.cli.main import run
from inpaint.config.launch import prepare
from inpaint.errors import ConfigError, DataError
from inpaint.losses import parse_losses
from inpaint.models.multistyle.config import Config
from inpaint.models.multistyle.training import Training
from inpaint.registry.stylizers import learned_styles, load_stylizer
from inpaint.training.steps import with_steps
from inpaint.training.styling import moved, random_motion
from inpaint.types import LearnedStyle
from inpaint.weights.files import load_weights

TINY = [
    "model.width=4",
    "model.blocks=1",
    "losses.content={weights: random, layers: [relu1_2]}",
    "losses.style={weights: random, layers: [relu1_2, relu2_2]}",
    "data.size=16",
    "data.workers=0",
    "data.min_px=8",
    "batch_size=2",
    "max_iterations=2",
    "log_every=1",
    "save_every=1",
    "validation={every: 2, batch_size: 2, panel: 2}",
    "trainer={accelerator: cpu, devices: 1, threads: 1}",
]


@pytest.fixture
def pictures(tmp_path, make_photo):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed, name in enumerate(("dots", "waves")):
        Image.fromarray(make_photo(24, 30, seed + 50)).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def words(tmp_path, photos, pictures):
    """`words(name, *more)` are the arguments of a training that ends in the folder of that name."""

    def made(name, *more, model="multistyle", styles=pictures):
        places = [f"data.root={photos}", f"data.styles={styles}", f"run.folder={tmp_path / name}"]
        return [f"model={model}", *places, *TINY, *more]

    return made


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_training_measures_by_its_own_losses_shows_its_panel_and_goes_on_exactly(words, tmp_path, capsys):
    assert run(["train", *words("whole")]) == 0
    said = capsys.readouterr().out
    assert (
        f"use it: inpaint stylize --model {tmp_path / 'whole'} --content PHOTO --style NAME --output RESULT.png" in said
    )
    assert run(["train", *words("parts", "max_iterations=1")]) == 0
    assert run(["train", f"run.folder={tmp_path / 'parts'}", "resume=auto", "max_iterations=2"]) == 0
    whole, parts = (load_weights(tmp_path / name / "model.safetensors")[0] for name in ("whole", "parts"))
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())
    last = rows(tmp_path / "whole")[-1]
    content, style, objective = (float(last[f"val/{name}"]) for name in ("content", "style", "objective"))
    assert objective == pytest.approx(content + style, rel=1e-5)
    assert "val/l1_hole" not in last
    panel = np.array(Image.open(tmp_path / "whole/panels/00000002.png"))
    assert panel.shape[1] > 3 * 16
    assert learned_styles(str(tmp_path / "whole")) == ("dots", "waves")


def test_new_styles_learn_and_leave_all_that_was_learned_as_it_is(words, tmp_path, make_photo):
    assert run(["train", *words("old", "max_iterations=1")]) == 0
    Image.fromarray(make_photo(24, 30, 77)).save(tmp_path / "rain.png")
    more = (f"init={tmp_path / 'old'}", "freeze=[generator.convolutions]")
    assert run(["train", *words("new", *more, styles=tmp_path / "rain.png")]) == 0
    assert learned_styles(str(tmp_path / "new")) == ("dots", "waves", "rain")
    content = np.random.default_rng(0).random((20, 20, 3), dtype=np.float32)
    old, new = (load_stylizer(str(tmp_path / name), device="cpu") for name in ("old", "new"))
    for name in ("dots", "waves"):
        one, other = (each.stylize(content, [LearnedStyle(name=name)]).image for each in (old, new))
        assert np.abs(one - other).max() < 1e-6
    tensors = load_weights(tmp_path / "new" / "model.safetensors")[0]
    before = load_weights(tmp_path / "old" / "model.safetensors")[0]
    gamma = "generator.norms.conv1.gamma"
    assert (tensors[gamma][2] - before[gamma].mean(dim=0)).abs().max() > 1e-4


def test_what_does_not_go_together_is_said_in_one_line(words, photos):
    def refused(*arguments):
        with pytest.raises((ConfigError, DataError)) as caught:
            prepare(config.load([*arguments, "dry_run=true"]))
        return str(caught.value)

    assert "data.styles is missing: multistyle learns from pictures" in refused(
        "model=multistyle", f"data.root={photos}", *TINY
    )
    assert "this model learns 1 style, and there are 2: dots, waves" in refused(*words("x", model="johnson"))
    assert "validation.measures: multistyle fills no holes" in refused(*words("x", "validation.measures=[l1_hole]"))
    assert "multistyle paints in no style that it has not learned" in refused(*words("x", "data.val_styles=samples"))
    for name in ("wct", "aotgan"):
        with pytest.raises(ConfigError, match=rf"{name} paints in no style"):
            config.load([f"model={name}", f"data.root={photos}", "data.val_styles=samples"]).require_data()
    with pytest.raises(ConfigError, match=r"data\.styles=samples: aotgan reads no styles"):
        config.load(["model=aotgan", f"data.root={photos}", "data.styles=samples"]).require_data()


def test_models_of_any_style_may_be_validated_on_styles_that_they_have_not_seen(photos, pictures):
    places = [f"data.root={photos}", f"data.styles={pictures}", "data.val_styles=samples"]
    chosen = config.load(["model=adain", *places])
    assert chosen.require_data() == str(photos)
    assert config.build(chosen.resolved()).data.val_styles == "samples"


def test_a_dry_run_tells_what_would_be_trained(words, capsys):
    assert run(["train", *words("x", "dry_run=true")]) == 0
    said = capsys.readouterr().out
    assert "content, style, objective" in said
    assert "best.ckpt by val/objective" in said


def module_of(*overrides):
    values = config.load(["model=multistyle", *TINY, *overrides])
    options = Config(**Config.SMALL, styles=("dots", "waves"), style_coefficients=(2.0,))
    return Training(options, losses=parse_losses(values.losses), loop=values.loop)


def batch_of():
    generator = torch.Generator().manual_seed(0)
    image, style = torch.rand(2, 2, 3, 16, 16, generator=generator)
    index = torch.tensor([1.0, 0.0]).view(2, 1, 1, 1)
    return {"image": image, "mask": torch.ones(2, 1, 16, 16), "style": style, "style_index": index}


def test_losses_of_stability_paint_the_content_again_and_without_them_it_is_painted_once():
    assert module_of().record(batch_of()).keys().isdisjoint({"noisy", "flowed"})
    module = module_of("losses.noise.weight=1", "losses.flow.weight=1")
    record = module.record(batch_of())
    assert record["noisy"].shape == record["flowed"].shape == record["raw"].shape
    assert 0 < (record["noisy"] - record["raw"]).abs().mean() < 0.2
    assert set(record["traceable"].unique().tolist()) <= {0.0, 1.0}
    assert record["style_coefficients"].tolist() == [1.0, 2.0]
    figures = module.measure(batch_of(), record)
    assert figures["objective"] > figures["content"] + figures["style"]


def test_the_rows_of_styles_that_a_batch_does_not_hold_stay():
    module, batch = module_of("batch_size=1"), {name: value[:1] for name, value in batch_of().items()}
    before = module.network.generator.norms["conv2"].gamma.detach().clone()
    with_steps({"it": module}, lambda named: named["it"](batch))
    moved_by = (module.network.generator.norms["conv2"].gamma.detach() - before).abs().amax(dim=1)
    assert moved_by[0] == 0
    assert moved_by[1] > 0


def test_no_motion_leaves_an_image_and_whole_pixels_shift_it():
    image = torch.rand(2, 3, 12, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    still = random_motion(image, shift_px=0, bend_px=0)
    assert (moved(image, still) - image).abs().max() < 1e-12
    step = still.clone()
    step[..., 0] += 2 * 2 / 9  # two pixels from the right
    assert (moved(image, step)[..., :-2] - image[..., 2:]).abs().max() < 1e-12
    assert (moved(image, step)[..., -1] - image[..., -1]).abs().max() < 1e-12
