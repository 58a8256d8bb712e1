"""Every command line of the pages can be called: its verb, options and values exist, and so do its keys."""

import importlib.util
import re
import shlex
from typing import Any, NamedTuple

import click
import pytest
from PIL import Image, ImageFont

from inpaint import config
from inpaint.cli.main import inpaint
from inpaint.registry import table
from pages import PAGES, ROOT, commands, name_of

GIVEN = (str, int, list, tuple)
WITHOUT_CLICK = click.Command("script", params=[click.Argument(["places"], nargs=-1)])
PLACES = ("init", "resume", "teacher")  # keys that name files which are not here


class Line(NamedTuple):
    """A command line of a page."""

    page: str
    words: list[str]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


class Parsed(NamedTuple):
    """What click makes of a line, before anything runs."""

    command: click.Command
    context: click.Context
    values: dict[str, Any]


LINES = [Line(name_of(page), words) for page in PAGES for words in commands(page)]
TRAININGS = [line for line in LINES if line.words[0] == "train" or line.words[:2] == ["benchmark", "step"]]


def parsed(line):
    command, words = inpaint, line.words
    if words[0] == "python":
        path = ROOT / words[1]
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        command, words = vars(module).get("command", WITHOUT_CLICK), words[2:]
    context = click.Context(command, info_name="inpaint")
    while isinstance(command, click.Group):
        command = command.get_command(context, words[0])
        assert command is not None, f"no command {words[0]}"
        context, words = click.Context(command, parent=context, info_name=words[0]), words[1:]
    values, rest, _ = command.make_parser(context).parse_args(list(words))
    assert not rest, f"unexpected: {rest}"
    return Parsed(command, context, {key: value for key, value in values.items() if isinstance(value, GIVEN)})


@pytest.mark.parametrize("line", LINES, ids=str)
def test_options_and_values_exist_and_none_is_missing(line):
    command, context, values = parsed(line)
    for parameter in command.params:
        if parameter.name in values and not isinstance(parameter.type, click.Path | click.File):
            parameter.type_cast_value(context, values[parameter.name])
    only_named = len(line.words) <= 2  # a sentence about the verb
    if not only_named and "--help" not in line.words:
        assert [p.opts[0] for p in command.params if p.required and p.name not in values] == []


def one_job(override):
    """Return what one job of -m gets of an argument that stands for several."""
    key, _, value = override.partition("=")
    value = re.sub(r"^range\((\d+),.*\)$", r"\1", value)
    value = re.sub(r"^glob\(\*\)$", "deepfill", value)
    return f"{key}={value}" if value.startswith(("[", "{")) else f"{key}={value.partition(',')[0]}"


@pytest.mark.parametrize("line", TRAININGS, ids=str)
def test_keys_of_trainings_exist_and_take_these_values(line, tmp_path, monkeypatch):
    (tmp_path / "my-masks").mkdir()
    Image.new("L", (8, 8), 255).save(tmp_path / "my-masks" / "a.png")
    for fonts in ("my-fonts", "other-fonts"):
        (tmp_path / fonts).mkdir()
        (tmp_path / fonts / "a.ttf").write_bytes(ImageFont.load_default(16).path.getvalue())
    monkeypatch.chdir(tmp_path)
    values = parsed(line).values
    overrides = [one_job(one) if "-m" in line.words else one for one in values.get("overrides", ())]
    if "config_dir" in values:  # a folder of the reader's
        overrides = [one for one in overrides if not one.startswith(("model=", "experiment="))]
    if "model" in values:
        overrides.insert(0, f"model={values['model']}")
    kept = []
    for override in overrides:
        key, _, value = override.partition("=")
        if key.partition(".")[0] in PLACES:
            assert key in (*config.TrainConfig.model_fields, "init.edge", "init.inpaint")
        elif key != "model" or value in table.models():  # else the guide's
            kept.append(override)
    config.load(kept)


def test_the_pages_hold_commands_of_every_verb():
    assert {line.words[0] for line in LINES} >= {*inpaint.list_commands(click.Context(inpaint)), "python"}
