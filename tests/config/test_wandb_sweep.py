"""The shipped sweep of W&B: what an agent makes of it is a command line of ours."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from inpaint import config
from inpaint.cli.main import run
from inpaint.config.overrides import parse

SWEEP = config.configs_folder() / "sweeps" / "wandb.yaml"
TINY = [
    "model.width=8",
    "model.discriminator.width=8",
    "data.size=32",
    "data.workers=0",
    "batch_size=2",
    "validation.panel=0",
    "trainer.accelerator=cpu",
    "trainer.devices=1",
    "trainer.threads=1",
]


@pytest.fixture
def agent(monkeypatch) -> None:
    """What an agent puts into the environment of a run."""
    monkeypatch.setenv("WANDB_SWEEP_ID", "s4w33p")
    monkeypatch.setenv("WANDB_RUN_ID", "r1u2n3")


def sweep() -> dict[str, Any]:
    return yaml.safe_load(SWEEP.read_text())


def some_values() -> list[dict[str, Any]]:
    """Return a choice of values for every parameter: each value of each at least once, of a range both ends."""
    parameters = sweep()["parameters"]
    offered = [one.get("values") or [one["min"], one["max"]] for one in parameters.values()]
    most = max(map(len, offered))
    columns = [itertools.islice(itertools.cycle(values), most) for values in offered]
    return [dict(zip(parameters, row, strict=True)) for row in zip(*columns, strict=True)]


def rendered(values: dict[str, Any]) -> list[str]:
    """Return the command that an agent starts on Linux: macros that are a whole item are replaced, the rest stays."""
    macros = {
        "env": ["/usr/bin/env"],
        "program": [sweep()["program"]],
        "args_no_hyphens": [f"{name}={value}" for name, value in values.items()],
    }
    command = list[str]()
    for item in map(str, sweep()["command"]):
        macro = re.fullmatch(r"\$\{(\w+)\}", item)
        command += macros[macro[1]] if macro else [item]
    return command


@pytest.mark.parametrize("values", some_values())
def test_every_command_of_the_sweep_is_one_that_we_understand(values, agent):
    command = rendered(values)
    assert command[:3] == ["/usr/bin/env", "inpaint", "train"]
    made = config.load(command[3:])
    assert (made.run.folder, made.resume, made.logger) == ("checkpoints/s4w33p/r1u2n3", "auto", "wandb")
    assert made.optimizers["generator"].lr == values["optimizers.generator.lr"]
    assert made.clip == (None if values["clip"] == "null" else values["clip"])
    assert made.trainer.channels_last is values["trainer.channels_last"]
    assert made.ema.decay == values["ema.decay"]


def test_a_command_of_the_sweep_runs_dry_on_a_folder_of_photos(agent, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    rng = np.random.default_rng(0)
    for number in range(12):
        Image.fromarray(rng.integers(0, 256, (36, 40 + number, 3), dtype=np.uint8)).save(f"photos/{number}.png")
    assert run([*rendered(some_values()[0])[2:], *TINY, "dry_run=true"]) == 0
    shown = capsys.readouterr().out
    assert "run folder   checkpoints/s4w33p/r1u2n3, start at iteration 0" in shown
    assert "nothing was written" in shown
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_values_of_every_kind_arrive_as_an_agent_writes_them():
    values = {"text": "brush", "list": [0.5, 0.999], "deep": {"kind": "l1", "of": ["raw"], "weight": 2.0}, "yes": True}
    found = {override.key: override.value for override in map(parse, (f"{key}={val}" for key, val in values.items()))}
    assert found == values


def test_the_sweep_is_rendered_here_as_wandb_does():
    utils = pytest.importorskip("wandb.sdk.launch.sweeps.utils", reason="W&B keeps its agent elsewhere")
    for values in some_values():
        macros = utils.create_sweep_command_args({"args": {name: {"value": value} for name, value in values.items()}})
        macros |= {"env": ["/usr/bin/env"], "program": [sweep()["program"]]}
        command = list[str]()
        for item in utils.create_sweep_command(list(sweep()["command"])):
            command += macros[item[2:-1]] if item.startswith("${") and item.endswith("}") else [item]
        assert command == rendered(values)


def test_the_sweep_measures_what_validation_logs():
    from inpaint.training.module import TrainingModule

    assert sweep()["metric"] == {"name": f"val/{TrainingModule.best_metric}", "goal": "minimize"}
