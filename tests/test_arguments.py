"""Arguments of public functions: the plain type that is documented comes back, anything else is one line."""

from pathlib import Path

import numpy as np
import pytest
import torch

from inpaint import arguments
from inpaint.errors import InputError


class Broken:
    """Prints itself on two lines."""

    def __repr__(self):
        return "a\nb"


NUMBERS = [3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3)]
NOTHING = [None, "", "3", b"3", [3], {}, {3}, 3j, object(), int, Broken(), np.zeros(3), torch.zeros(2), float("nan")]


@pytest.mark.parametrize("value", NUMBERS, ids=lambda value: type(value).__name__)
def test_whole_numbers_of_every_library_are_integers(value):
    found = arguments.integer("size", value, least=3, most=3)
    assert (found, type(found)) == (3, int)


@pytest.mark.parametrize("value", [*NUMBERS, 3.0, np.float32(3)], ids=lambda value: type(value).__name__)
def test_numbers_of_every_library_are_numbers(value):
    found = arguments.number("seconds", value)
    assert (found, type(found)) == (3.0, float)


@pytest.mark.parametrize("value", [*NOTHING, True, np.True_, 2.5, 3.0, -1, 10**30, float("inf")])
def test_what_is_no_integer_of_the_range_is_one_line(value):
    with pytest.raises(InputError, match=r"^size must be an integer from 0 to 2\*\*64 - 1, got .*$") as refused:
        arguments.integer("size", value, most=2**64 - 1)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", [*NOTHING, True, np.False_, -1.5, float("inf"), 10**400])
def test_what_is_no_number_is_one_line(value):
    with pytest.raises(InputError, match=r"^seconds must be a number of at least 0, got .*$"):
        arguments.number("seconds", value)


@pytest.mark.parametrize("value", [*NOTHING, 0, 1, np.int64(1)])
def test_only_true_and_false_are_truths(value):
    with pytest.raises(InputError, match=r"^opaque must be True or False, got .*$"):
        arguments.truth("opaque", value)
    assert arguments.truth("opaque", np.True_) is True


@pytest.mark.parametrize("value", [None, "", 3, b"a", ["a"], object(), "a\0b", Broken()])
def test_what_is_no_path_is_one_line(value):
    with pytest.raises(InputError, match=r"^output must be a path, got .*$"):
        arguments.path("output", value)
    assert arguments.path("output", Path("a/b")) == "a/b"


def test_several_texts_may_be_one():
    assert arguments.texts("masks", "box") == ["box"]
    assert arguments.texts("masks", ("box", "center")) == ["box", "center"]
    for value in (None, 3, b"box", {"box": 1}, ["box", 3], np.array(3), torch.tensor(3)):
        with pytest.raises(InputError, match=r"^masks must be text, got "):
            arguments.texts("masks", value)
