"""`inpaint benchmark table`: Markdown from measured figures."""

from __future__ import annotations

from pathlib import Path

import click

MARKER = "speed"


@click.command("table", short_help="Markdown tables of the JSON that the others wrote")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--into",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=f"Put the tables between <!-- {MARKER} --> and <!-- end of {MARKER} --> of this file instead.",
)
def table(files: tuple[Path, ...], into: Path | None) -> None:
    """Markdown tables of the JSON files that the other commands wrote."""
    import json

    from inpaint.benchmark.tables import replaced, tables
    from inpaint.errors import UsageError
    from inpaint.system.files import atomic_write

    figures = []
    for path in files:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} holds no JSON: {error}") from None
        if not isinstance(found, dict):
            raise UsageError(f"{path} holds no figures of a benchmark")
        figures.append(found)
    text = tables(figures)
    if into is None:
        click.echo(text, nl=False)
        return
    changed = replaced(into.read_text(encoding="utf-8"), MARKER, text)
    with atomic_write(into) as temporary:
        temporary.write_text(changed, encoding="utf-8")
