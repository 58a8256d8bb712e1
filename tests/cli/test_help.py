"""What `--help` shows."""

import re

import pytest

from inpaint.cli.main import VERBS, run


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "info"])
def test_help_shows_an_example_on_a_line_of_its_own(verb, capsys):
    assert run([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    examples = shown[shown.index("Examples:\n") :]
    assert re.search(rf"^ +inpaint {verb} ", examples, flags=re.MULTILINE)


@pytest.mark.parametrize("part", ["data", "forward", "masks", "restore", "step", "table"])
def test_the_list_of_benchmarks_says_in_full_what_each_measures(part, capsys):
    assert run(["benchmark", "--help"]) == 0
    (line,) = re.findall(rf"^  {part} +(\S.*)$", capsys.readouterr().out, flags=re.MULTILINE)
    assert not line.endswith("...")


@pytest.mark.parametrize("verb", [*VERBS])
def test_no_option_says_its_default_twice_and_help_is_the_last(verb, capsys):
    assert run([verb, "--help"]) == 0
    options = re.split("Examples:|Commands:", capsys.readouterr().out.partition("Options:\n")[2])[0]
    shown = " ".join(options.split())
    assert not re.search(r"\[default: [^]]*\] +\[default: ", shown)
    assert shown.endswith("-h, --help Show this message and exit.")
