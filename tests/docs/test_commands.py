"""Every command line of the pages can be called: its verb, options and values exist, and so do its keys."""

import importlib.util
import re

import click
import pytest
from PIL import Image

from inpaint import config
from inpaint.cli.main import inpaint
from inpaint.registry import table
from pages import PAGES, ROOT, commands, name_of

LINES = [(name_of(page), " ".join(words), words) for page in PAGES for words in commands(page)]
TRAININGS = [line for line in LINES if line[2][0] == "train" or line[2][:2] == ["benchmark", "step"]]
GIVEN = (str, int, list, tuple)
PLACES = ("init", "resume")  # of files that are not here


def parsed(words):
    """Return command, context and the parsed values of a command line, without running it."""
    command, name = inpaint, "inpaint"
    if words[0] == "python":
        path = ROOT / words[1]
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        command, words = module.command, words[2:]
    context = click.Context(command, info_name=name)
    while isinstance(command, click.Group):
        command = command.get_command(context, words[0])
        assert command is not None, f"no command {words[0]}"
        context, words = click.Context(command, parent=context, info_name=words[0]), words[1:]
    values, rest, _ = command.make_parser(context).parse_args(list(words))
    assert not rest, f"unexpected: {rest}"
    return command, context, {key: value for key, value in values.items() if isinstance(value, GIVEN)}


@pytest.mark.parametrize(("page", "line", "words"), LINES, ids=lambda value: value if isinstance(value, str) else "")
def test_options_and_values_exist(page, line, words):
    command, context, values = parsed(words)
    for parameter in command.params:
        given = values.get(parameter.name)
        if given is None or "--help" in words:
            continue
        if not isinstance(parameter.type, click.Path | click.File):
            parameter.type_cast_value(context, given)
    if "--help" not in words and len(words) > 2:
        missing = [p.opts[0] for p in command.params if p.required and values.get(p.name) is None]
        assert not missing, f"{line}: {missing} must be given"


def single(override):
    """Return one job's argument for one that stands for several."""
    key, _, value = override.partition("=")
    value = re.sub(r"^range\((\d+),.*\)$", r"\1", value)
    value = re.sub(r"^glob\(\*\)$", "deepfill", value)
    return f"{key}={value}" if value.startswith(("[", "{")) else f"{key}={value.partition(',')[0]}"


@pytest.mark.parametrize(
    ("page", "line", "words"), TRAININGS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_keys_of_trainings_exist_and_take_these_values(page, line, words, tmp_path, monkeypatch):
    (tmp_path / "my-masks").mkdir()
    Image.new("L", (8, 8), 255).save(tmp_path / "my-masks" / "a.png")
    monkeypatch.chdir(tmp_path)
    _, _, values = parsed(words)
    overrides = [single(one) if "-m" in words else one for one in values.get("overrides", ())]
    if values.get("config_dir"):
        overrides = [one for one in overrides if not one.startswith(("model=", "experiment="))]
    if values.get("model"):
        overrides.insert(0, f"model={values['model']}")
    kept = []
    for override in overrides:
        key, _, value = override.partition("=")
        if key.partition(".")[0] in PLACES:
            assert key in config.TrainConfig.model_fields or key in ("init.edge", "init.inpaint")
        elif key != "model" or value in table.models():
            kept.append(override)
    config.load(kept)


def test_the_pages_hold_commands_of_every_verb():
    assert {words[0] for _, _, words in LINES} >= {*inpaint.list_commands(click.Context(inpaint)), "python"}
