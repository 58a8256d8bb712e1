"""`--option NAME=VALUE`, which `infer` and `evaluate` hand to the models."""

import json

import numpy as np
import pytest
from PIL import Image

from inpaint.blending.deep.options import DeepOptions
from inpaint.cli import model_options
from inpaint.cli.main import run
from inpaint.errors import UsageError
from inpaint.evaluation import identity
from inpaint.models.pluralistic.config import Config
from inpaint.models.pluralistic.network import Network
from inpaint.registry import texts
from inpaint.weights.files import WeightsMetadata, save_weights


@pytest.fixture
def weights(tmp_path):
    """A folder with small weights of Pluralistic."""
    config = Config(width=4, latent=8)
    folder = tmp_path / "plural"
    folder.mkdir()
    metadata = WeightsMetadata(
        model="pluralistic", config=config.model_dump(mode="json"), roles=("encoder", "generator")
    )
    save_weights(folder / "model.safetensors", Network(config).state_dict(), metadata)
    return folder


def options(models, *texts):
    return list(model_options.for_models({str(model): str(model) for model in models}, texts).values())


def test_lists_are_read_with_commas_or_as_yaml_writes_them():
    for text, layers in (
        ("relu1_2,relu2_2", ("relu1_2", "relu2_2")),
        ("[relu1_2, relu2_2]", ("relu1_2", "relu2_2")),
        ("relu1_2", ("relu1_2",)),
    ):
        assert texts.for_options("deep", DeepOptions, [f"style_layers={text}"]) == {"style_layers": layers}
    with pytest.raises(UsageError, match="style_layers=3"):
        texts.for_options("deep", DeepOptions, ["style_layers=3"])


def test_values_are_read_as_the_kind_that_the_model_takes(weights):
    assert options([weights], "latent=mean", "chunk=3", "scores=false", "dtype=float64") == [
        {"latent": "mean", "chunk": 3, "scores": False, "dtype": "float64"}
    ]
    assert options([weights], "chunk=null") == [{"chunk": None}]
    assert options(["dip"], "budget=30", "preset=vase") == [{"budget": 30, "preset": "vase"}]


def test_an_option_goes_to_every_model_that_takes_it(weights):
    assert options(["mean", weights, "telea"], "latent=mean", "radius=5") == [{}, {"latent": "mean"}, {"radius": 5}]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["latent"], "--option latent: write NAME=VALUE"),
        (["=mean"], "--option =mean: write NAME=VALUE"),
        (["latent=mean", "latent=drawn"], "--option latent is given twice: mean and drawn"),
        (["latnt=mean"], r"unknown option of .*plural 'latnt' .did you mean 'latent'.*; valid: .*latent"),
        (["device=cpu"], "unknown option of .* 'device'"),
        (["latent=average"], "--option latent=average: must be one of drawn, mean"),
        (["chunk=many"], "--option chunk=many: must be a positive integer or null"),
    ],
)
def test_mistakes_are_named_with_what_is_valid(weights, texts, message):
    with pytest.raises(UsageError, match=message):
        options([weights], *texts)


def test_infer_loads_the_model_with_its_options(weights, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 48, 3), np.uint8)).save("photo.png")
    mask = np.zeros((40, 48), np.uint8)
    mask[10:30, 10:30] = 255
    Image.fromarray(mask).save("mask.png")
    command = ["infer", "--model=plural", "--image=photo.png", "--mask=mask.png", "--output=o.png", "--device=cpu"]
    written = {}
    for seed in (0, 1):
        assert run([*command, f"--seed={seed}", "--option=latent=mean", "--option=dtype=float64"]) == 0
        written[seed] = (tmp_path / "o.png").read_bytes()
    assert written[0] == written[1]
    capsys.readouterr()
    assert run([*command, "--samples=2", "--option=latent=mean"]) == 2
    assert "pluralistic paints one fill for each hole" in capsys.readouterr().err
    assert run([*command, "--option=latent=average"]) == 2
    assert capsys.readouterr().err == "error: --option latent=average: must be one of drawn, mean\n"


def test_evaluate_tells_models_with_other_options_apart(weights, photo_folder, tmp_path, capsys):
    command = ["evaluate", "--model=mean", f"--model={weights}", f"--data={photo_folder}", "--count=1", "--size=32"]
    command += ["--masks=center", f"--output={tmp_path / 'out'}", "--device=cpu"]
    assert run([*command, "--option", "latent=mean"]) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert "--option latent=mean" in summary["command"]
    assert summary["settings"]["models"] == {
        "mean": "mean",
        "plural": f"{identity(str(weights))} latent=mean",
    }
    capsys.readouterr()
    assert run(command) == 0
    assert "going on: 1 of 2 fills are done already" in capsys.readouterr().err


def test_of_what_has_one_file_of_weights_the_last_are_taken(weights):
    models = {"run": str(weights), "telea": "telea", "public": "lama-places"}
    assert model_options.which(models, "best") == {"run": "best", "telea": "last", "public": "last"}
