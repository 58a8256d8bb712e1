"""Mistakes in option groups become one line that names the key, the value and what is valid."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from pydantic import Field, model_validator

from inpaint.config.overrides import parse
from inpaint.errors import ConfigError
from inpaint.options import Options, differing, keyed, typed, validated


class Inner(Options):
    rate: float = Field(0.5, gt=0, le=1)
    pair: tuple[float, float] = (0.0, 1.0)


class Outer(Options):
    count: int = Field(1, gt=0)
    kind: Literal["thin", "thick"] = "thin"
    devices: Literal["auto"] | int = "auto"
    loud: bool = False
    folder: Path | None = None
    inner: Inner = Inner()
    named: dict[str, Inner] = Field(default_factory=dict)
    free: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _even(self) -> Outer:
        if self.count == 13:
            raise ValueError("count=13 brings bad luck")
        return self


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"count": "many"}, 'group.count="many": must be a positive integer'),
        ({"count": "3"}, 'group.count="3": must be a positive integer'),
        ({"count": True}, "group.count=true: must be a positive integer"),
        ({"count": 1.5}, "group.count=1.5: must be a positive integer"),
        ({"kind": "thik"}, 'group.kind="thik": must be one of thin, thick'),
        ({"devices": "all"}, 'group.devices="all": must be "auto" or an integer'),
        ({"loud": "yes"}, 'group.loud="yes": must be true or false'),
        ({"folder": 3}, "group.folder=3: must be text or null"),
        ({"inner": {"rate": 2}}, "group.inner.rate=2: must be a number above 0 and at most 1"),
        ({"inner": 2}, "group.inner=2: must be a mapping"),
        (
            {"folder": "a\udcff"},
            "group.folder=a\udcff: is no UTF-8 and cannot be kept in a configuration; give the path",
        ),
        ({"inner": {"pair": [0, "a"]}}, 'group.inner.pair.1="a": must be a number'),
        ({"named": {"x": {"rate": 0}}}, "group.named.x.rate=0: must be a number above 0 and at most 1"),
        (
            {"named": {"x": {"rat": 1}}},
            "group.named.x.rat=1: unknown key 'rat' (did you mean 'rate'?); valid: pair, rate",
        ),
        ({"cuont": 1}, "group.cuont=1: unknown key 'cuont' (did you mean 'count'?); valid: count, devices"),
        ({"inner": {"rate": float("inf")}}, "group.inner.rate=inf: must be a finite number"),
        ({"count": 13}, "group: count=13 brings bad luck"),
    ],
)
def test_a_mistake_names_key_value_and_what_is_valid(values, line):
    with pytest.raises(ConfigError) as caught:
        validated(Outer, values, key="group")
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_numbers_without_fraction_are_integers_and_integers_are_numbers():
    made = validated(Outer, {"count": 1e6, "inner": {"rate": 1}})
    assert made.count == 1_000_000
    assert isinstance(made.inner.rate, float)


def test_lists_serve_as_tuples_and_text_as_paths():
    made = validated(Outer, {"inner": {"pair": [1, 2]}, "folder": "a/b", "free": {"x": [1, {"y": None}]}})
    assert made.inner.pair == (1.0, 2.0)
    assert made.folder == Path("a/b")
    assert made.free == {"x": [1, {"y": None}]}


def test_numbers_of_numpy_and_torch_are_taken_for_what_they_are():
    made = validated(Outer, {"count": np.int64(7), "inner": {"rate": np.float32(0.5), "pair": [torch.tensor(1), 2.0]}})
    assert (made.count, made.inner.rate, made.inner.pair) == (7, 0.5, (1.0, 2.0))


@pytest.mark.parametrize("name", ["two  blanks", "a,b", "it's $x", "new\nline", "tab\tand \\ 'quote'", "2024"])
def test_a_command_is_one_line_that_a_shell_and_our_grammar_read_again(name):
    bash = shutil.which("bash") or pytest.skip("no bash")
    argument = keyed("run.folder", name)
    line = typed(argument)
    assert "\n" not in line
    done = subprocess.run([bash, "-c", f"printf %s {line}"], capture_output=True, text=True, check=True)
    assert done.stdout == argument
    assert parse(argument).value == name


def test_keys_in_which_configurations_differ_come_with_the_value_of_each():
    one = {"data": {"size": 64, "masks": ["box"]}, "seed": 0, "ema": {"decay": None}}
    other = {"data": {"size": 64, "masks": ["box", "text"]}, "seed": 0}
    assert differing(one, other, one) == {"data.masks": [["box"], ["box", "text"], ["box"]]}
    assert differing(one, {}) == {"data.masks": [["box"], None], "data.size": [64, None], "seed": [0, None]}
    assert differing(one) == differing() == {}
