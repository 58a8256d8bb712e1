"""The console command: finds the verb, runs it, turns errors into one line and an exit status.

A verb is a module of this package with a click command named `command`; it is imported only when it is called, and
must not import torch before its work begins, so that help stays instant.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import click

from inpaint import __version__
from inpaint.errors import InpaintError, UsageError, unknown
from inpaint.system.extras import DISTRIBUTION
from inpaint.system.files import WRITE_FAILURES
from inpaint.system.streams import tolerant_streams

VERBS = {
    "train": "train a model on your photos",
    "infer": "fill the holes of one photo or a folder of photos",
    "app": "open the page: paint over what shall go, in a browser",
    "blend": "put a part of one photo into another",
    "stylize": "paint photos in the style of others",
    "edit": "texture, light and color of one photo, in the gradient domain",
    "restore": "repair one photo with nothing but the photo itself",
    "evaluate": "measure several models on the same photos and masks",
    "compare": "compare trainings and evaluations, and say which differences are shown",
    "plot": "draw the curves of training runs",
    "audit": "find test photos that are training photos, too",
    "masks": "draw a sheet of every kind of mask",
    "shards": "write a folder of photos as tar shards",
    "edges": "find the edges of photos once, for training with sketches",
    "models": "list public weights that --model fetches by name",
    "import-weights": "turn a public program's checkpoint into weights for here",
    "export": "write a trained model as a file for other programs",
    "benchmark": "measure speed on this machine",
    "info": "show versions, devices and optional features",
}


class VerbGroup(click.Group):
    """Lists the verbs without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Import the verb's module and return its command."""
        if cmd_name not in VERBS:
            raise click.UsageError(unknown("command", cmd_name, VERBS))
        module = importlib.import_module(f"inpaint.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of verbs from VERBS, so that help imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=VerbGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110, "show_default": True},
)
@click.version_option(__version__)
def inpaint() -> None:
    """Train, compare and use image inpainting models. `inpaint COMMAND --help` shows a command's options."""


def main(verb: str | None = None) -> None:
    """Run the command line; `verb` is given by the thin scripts, whose arguments are the verb's own."""
    arguments = sys.argv[1:] if verb is None else [verb, *sys.argv[1:]]
    # Albumentations otherwise asks the network for updates when it is imported.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    # Processes that we or a library start must not take a user's random.py or inpaint.py for a module.
    os.environ["PYTHONSAFEPATH"] = "1"
    sys.exit(run(arguments))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status: 0, 1 failed work, 2 bad usage, 130/143 interrupted.

    Who reads what it prints may go away, and the work and its status stay the same. Output that is lost otherwise (a
    full disk) is failed work.
    """
    with tolerant_streams() as output:
        status = _status_of(arguments)
        sys.stdout.flush()
        if output.lost is None:
            return status
        _complain(f"cannot write the output: {output.lost}")
        return status or 1


def _status_of(arguments: list[str]) -> int:
    try:
        _check_empty(arguments)
        with _own_warnings():
            status = inpaint.main(arguments or ["--help"], prog_name="inpaint", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        _complain(error.format_message())
        return error.exit_code
    except InpaintError as error:
        _complain(str(error))
        return error.exit_status
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted")
        return 130
    except ModuleNotFoundError as error:  # of an installation without everything that is required (docs/export.md)
        if error.name is None or error.name.partition(".")[0] == "inpaint":
            raise
        _complain(
            f"this needs the package {error.name.partition('.')[0]}, which is not installed: pip install {DISTRIBUTION}"
        )
        return 1
    except OSError as error:
        if error.errno in WRITE_FAILURES:
            _complain(f"cannot write '{error.filename or 'a file'}': {error.strerror}")
        elif error.filename is None:
            raise
        else:  # a path that the system refuses wherever it is first looked at: too long, locked, a link to itself
            _complain(f"'{os.fsdecode(error.filename)}': {error.strerror or error}")
        return 1
    return status if isinstance(status, int) else 0


def _check_empty(arguments: list[str]) -> None:
    """Raise UsageError for an option with nothing in it: most often a variable of a script that was not set."""
    for before, argument in zip(["", *arguments], arguments, strict=False):
        name, equals, value = argument.partition("=")
        if argument.startswith("--") and equals and not value.strip():
            raise UsageError(f"{name} is given an empty value: name something, or leave {name} out")
        if not argument.strip():
            where = before if before.startswith("-") and "=" not in before else "an argument"
            raise UsageError(f"{where} is given an empty value: name something, or leave it out")


@contextmanager
def _own_warnings() -> Iterator[None]:
    """Print what the package's loggers warn of as `warning: ...`, and nothing that decoders warn of.

    The decoders' own warnings are for programmers; what a user has to know, we say ourselves.
    """
    logger, handler = logging.getLogger("inpaint"), _StderrHandler(logging.WARNING)
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    logger.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")
            yield
    finally:
        logger.removeHandler(handler)


class _StderrHandler(logging.Handler):
    """Writes to what is standard error just then: a progress bar puts itself in between while it is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line, "error: ..." from level ERROR on."""
        kind = "error" if record.levelno >= logging.ERROR else "warning"
        print(f"{kind}: {_one_line(record.getMessage())}", file=sys.stderr, flush=True)


def _complain(message: str) -> None:
    print(f"error: {_one_line(message)}", file=sys.stderr)


def _one_line(message: str) -> str:
    """Join the lines of a message; other blanks may be those of names."""
    return re.sub(r"[ \t]*[\r\n]+[ \t]*", " ", message.strip())
