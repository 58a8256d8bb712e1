"""Options that name files, folders and devices: what `-` means, and what is refused before anything is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from inpaint.errors import UsageError
from inpaint.system.devices import check_device_name
from inpaint.system.files import atomic_write, check_folder, check_name, check_target, irregular, open_file
from inpaint.system.streams import STANDARD_INPUT, STANDARD_OUTPUT, standard_output

DASH = "-"


if TYPE_CHECKING:
    _Text = click.ParamType[str]
else:
    _Text = click.ParamType  # takes no parameter before click 8.5


class Checked(_Text):
    """Text that a function checks, and may change, while the command line is read."""

    name = "text"

    def __init__(self, check: Callable[[str], str]) -> None:
        self._check = check

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text as the check gives it back."""
        return self._check(str(value))


def _read(text: str) -> str:
    return STANDARD_INPUT if text == DASH else text


def _written(text: str) -> str:
    if text == STANDARD_OUTPUT:
        return DASH
    if text != DASH:
        check_target(text)
    return text


def _named(text: str) -> str:
    if passes_on(text):
        return _written(text)
    check_name(text)
    return text


def _image(text: str) -> str:
    from inpaint.images.formats import format_of_name

    if not passes_on(text):
        format_of_name(text)
    return _written(text)


def _folder(text: str) -> str:
    if text == DASH:
        raise UsageError("standard output (-) takes one file, and several are written: name a folder (./- is one)")
    check_folder(text)
    return text


def _device(text: str) -> str:
    check_device_name(text)
    return text


def _devices(text: str) -> str:
    names = [each.strip() for each in text.split(",")]
    for each in names:
        check_device_name(each)
    return ",".join(names)


SOURCE = Checked(_read)
"""What is read; `-` is standard input."""
FILE = Checked(_written)
"""A file that will be written; `-` is standard output."""
IMAGE = Checked(_image)
"""The same, of a format of photos."""
PLACE = Checked(_named)
"""A file or a folder; which of them, and whether it can be written, is found out later."""
FOLDER = Checked(_folder)
"""A folder in which files will be written."""
DEVICE = Checked(_device)
DEVICES = Checked(_devices)
"""Several, separated by commas."""
"""Where to compute. Whether it is there is found out later, by torch."""


def complete_model(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the names of models that a shell may complete a word to; files and folders where no name begins so."""
    from inpaint.registry.zoo import loadable_names

    found = [CompletionItem(name) for name in loadable_names() if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


@contextmanager
def written(place: str, suffix: str) -> Iterator[str]:
    """Yield the path to write: `place`, or where it `passes_on` one with this suffix, whose file goes there at last."""
    if not passes_on(place):
        yield place
        return
    if place != DASH:
        with atomic_write(place) as content:
            named = content.with_suffix(suffix)
            yield str(named)
            if named.exists():  # work that was stopped in time has written nothing
                named.replace(content)
        return
    if sys.stdout.isatty():
        raise UsageError("standard output is a terminal, which shows no files: lead it into a file or a program")
    with standard_output(suffix) as path:
        yield str(path)


def passes_on(place: str) -> bool:
    """Return whether what is written there goes on as bytes, and its name says no format: `-`, pipes, devices."""
    return place in (DASH, STANDARD_OUTPUT) or irregular(place) is not None


def suffix_of(image: str) -> str:
    """Return the suffix of the format that a photo has, whatever its name says; ".png" for what is no photo."""
    from inpaint.images.formats import format_of_content

    try:
        with open_file(image) as stream:
            found = format_of_content(stream.read(16))
    except OSError:
        found = None  # reading it says why
    return found.suffixes[0] if found else ".png"


def check_apart(read: Sequence[str | None], written: Sequence[str | None], *, names: str) -> None:
    """Raise UsageError when a file would be read and written, or two files would be one.

    Args:
        read: What is read, None for what is not given.
        written: What is written.
        names: The options that name what is written, for the message.
    """
    given = [place for place in written if place is not None]
    if [*read].count(STANDARD_INPUT) > 1:
        raise UsageError("standard input (-) holds one file: name the others")
    inputs = {os.path.realpath(place) for place in read if place is not None}
    for place in given:
        if place != DASH and os.path.realpath(place) in inputs:
            raise UsageError(f"the output '{place}' would overwrite a file that is read; choose another output")
    if len({DASH if place == DASH else os.path.realpath(place) for place in given}) < len(given):
        raise UsageError(f"{names} must be different files")


def read_text(place: str) -> str:
    """Return the text of a file; raises InputError for what is not there or holds no text in UTF-8."""
    from inpaint.errors import InputError

    check_exists(place)
    try:
        with open_file(place) as stream:
            return stream.read().decode("utf-8")
    except OSError as error:
        raise InputError(f"cannot read '{place}': {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"'{place}' holds no text in UTF-8") from None


def check_exists(*places: str | None) -> None:
    """Raise InputError for a file or folder that is to be read and is not there."""
    from inpaint.errors import InputError

    for place in places:
        if place is not None and not os.path.exists(place):  # noqa: PTH110 - a name too long is not there
            raise InputError(f"cannot read '{place}': no such file")
