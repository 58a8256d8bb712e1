"""`inpaint app`: the page, in a browser on this machine."""

from __future__ import annotations

import click

from inpaint.cli import photo_options, places

EXAMPLES = """
\b
Examples:
  inpaint app
  inpaint app --model checkpoints/my-run --open
  inpaint app --photos holiday/ --port 8080
  inpaint app --host 0.0.0.0 --max-megabytes 20
"""


@click.command(short_help="open the page: paint over what shall go, in a browser", epilog=EXAMPLES)
@click.option(
    "--model",
    "models",
    multiple=True,
    shell_complete=places.complete_model,
    help="Offered first: name (also of public weights), folder of a run, weights or ONNX file. Repeat for several.",
)
@click.option(
    "--models",
    "runs",
    type=places.PLACE,
    default="checkpoints",
    help="Folder whose runs are offered; fills without weights always are.",
)
@click.option("--photos", type=places.SOURCE, help="Folder of photos that everybody who opens the page may open.")
@photo_options.device
@click.option(
    "--host",
    default="127.0.0.1",
    help="Address to listen at. 0.0.0.0: everybody who can reach this machine may use the page.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=7860, help="To listen at; 0 takes one that is free.")
@click.option("--open", "open_", is_flag=True, help="Open the page in the browser.")
@click.option("--max-megabytes", type=click.FloatRange(min=0.001), default=100, help="Refuse files that are larger.")
@photo_options.max_pixels
@click.option("--waiting", type=click.IntRange(min=1), default=20, help="Most fills that wait for their turn.")
@click.option(
    "--expiry", type=click.FloatRange(min=0.01), default=60, help="Minutes without use after which photos are deleted."
)
def command(
    models: tuple[str, ...],
    runs: str,
    photos: str | None,
    device: str,
    host: str,
    port: int,
    open_: bool,
    max_megabytes: float,
    max_pixels: int,
    waiting: int,
    expiry: float,
) -> None:
    """Open a page in which photos are filled: drop one, paint over what shall go, choose a model, compare, download.

    It needs the extra `app`, and no trained model. Photos stay on this machine: the page asks no other one for
    anything, and only this machine can open it unless --host says otherwise. Fills wait for each other in a queue.

    Programs use the same calls over HTTP. Ctrl-C ends it and deletes what users left.
    """
    from pathlib import Path

    from inpaint.app.serving import serve
    from inpaint.app.settings import MEGABYTE, Settings
    from inpaint.system.signals import ending_on_sigterm

    settings = Settings(
        host=host,
        port=port,
        models=models,
        runs=Path(runs),
        photos=None if photos is None else Path(photos),
        device=device,
        max_bytes=round(max_megabytes * MEGABYTE),
        max_pixels=max_pixels,
        waiting=waiting,
        expiry_s=60 * expiry,
    )

    def ready(address: str, end: object) -> None:
        click.echo(f"the page is at {address} (Ctrl-C ends it)")
        if not settings.local:
            click.echo(f"warning: everybody who can reach {host} may use it", err=True)
        if open_:
            click.launch(address)

    with ending_on_sigterm():
        serve(settings, ready=ready)
