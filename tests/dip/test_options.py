"""What a caller may choose, and what is refused."""

import pytest
import torch

import inpaint
from inpaint.dip.options import DipOptions, seconds_of
from inpaint.errors import ConfigError, UsageError

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"budget": "soon"}, "budget: must be a time like 60s, 5m or 1h, or none; got 'soon'"),
        ({"budget": "-5s"}, "budget: must be a time"),
        ({"preset": "vaze"}, "unknown preset 'vaze' \\(did you mean 'vase'"),
        ({"width": 2}, "width=2: must be .*at least 4"),
        ({"iterations": 0}, "iterations=0"),
        ({"color": 1}, "unknown option of dip 'color'"),
    ],
)
def test_options_that_cannot_be_are_refused(options, text):
    with pytest.raises((UsageError, ConfigError), match=text):
        inpaint.load("dip", **options)


def test_the_budget_is_automatic_where_nothing_else_was_asked_for():
    assert DipOptions().budget_s(CPU) == 60
    assert DipOptions(iterations=100).budget_s(CPU) is None
    assert DipOptions(exact=True).budget_s(CPU) is None
    assert DipOptions().budget_s(torch.device("cuda")) is None
    assert DipOptions(budget="none").budget_s(CPU) is None
    assert DipOptions(budget="1.5m", exact=True).budget_s(CPU) == 90
    assert DipOptions(budget=20).budget_s(CPU) == 20


def test_times_are_read():
    assert [seconds_of(text) for text in ("60", "60s", "1.5m", "2h", "none")] == [60, 60, 90, 7200, None]
