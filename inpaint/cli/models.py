"""`inpaint models`: the public weights that can be used by name, and where each stands on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from inpaint.weights.public import PublicWeights

EXAMPLES = """
\b
Examples:
  inpaint models
  inpaint models lama-places
  inpaint models --installed --json
  inpaint infer --model lama-places --image photo.jpg --mask mask.png --output filled.png
"""


@click.command("models", epilog=EXAMPLES)
@click.argument("name", required=False)
@click.option("--installed", is_flag=True, help="Only those that are on this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
def command(*, name: str | None, installed: bool, as_json: bool) -> None:
    """List public weights, or show those called NAME. Nothing is asked of the network.

    --model NAME, wherever a model is given, fetches them once, verifies and converts them, and keeps them in
    ~/.cache/inpaint (INPAINT_HOME names another folder). Their license is shown here and kept beside them.
    """
    from inpaint.errors import UsageError
    from inpaint.registry import zoo

    if name is not None:
        if installed:
            raise UsageError(f"--installed belongs to the list: leave it out, or leave out '{name}'")
        facts = _facts(zoo.row_named(name))
        click.echo(json.dumps(facts, indent=2) if as_json else _details(facts))
        return
    rows = [row for row in zoo.public_weights().values() if not installed or zoo.is_here(row)]
    if as_json:
        click.echo(json.dumps([_facts(row) for row in rows], indent=2))
    elif rows:
        click.echo(_table(rows))
    else:
        click.echo("none is here yet: `inpaint models` lists what --model fetches by its name")


def _table(rows: list[PublicWeights]) -> str:
    from inpaint.registry import zoo

    cells = [("name", "model", "size", "here", "license of the weights")]
    for row in rows:
        here = "yes" if zoo.is_here(row) else "no"
        cells.append((row.name, row.model, _megabytes(row), here, row.publisher.weights_license))
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def _megabytes(row: PublicWeights) -> str:
    return "unknown" if row.size_bytes is None else f"{row.size_bytes / 10**6:.0f} MB"


def _facts(row: PublicWeights) -> dict[str, Any]:
    """Return what is known of public weights, by name."""
    from inpaint.registry import zoo
    from inpaint.system.environment import cache_folder

    return {
        "name": row.name,
        "model": row.model,
        "good_for": row.good_for,
        "file": row.file,
        "form": row.form,
        "size_bytes": row.size_bytes,
        "address": row.url,
        "hash": None if row.digest is None else {"kind": row.digest.title, "value": row.digest.value},
        "origin": row.publisher.origin,
        "published_at": row.publisher.page,
        "license_of_weights": row.publisher.weights_license,
        "license_of_code": row.publisher.code_license,
        "use_of_results": row.use,
        "installed": zoo.is_here(row),
        "folder": None if cache_folder() is None else str(zoo.folder_of(row)),
    }


def _details(facts: dict[str, Any]) -> str:
    size, digest = facts["size_bytes"], facts["hash"]
    hashed = "none stated: the first download is recorded" if digest is None else f"{digest['kind']} {digest['value']}"
    lines = {
        **facts,
        "size_bytes": "not stated" if size is None else f"{size:,}",
        "hash": hashed,
        "installed": "yes" if facts["installed"] else f"no; --model {facts['name']} fetches it",
    }
    width = max(map(len, lines))
    return "\n".join(f"{name.replace('_', ' '):<{width}}  {text}" for name, text in lines.items())
