"""`inpaint benchmark blend`: what blends keep of the source, and how long they take."""

from __future__ import annotations

import click

from inpaint.cli import photo_options, places
from inpaint.cli.benchmark_networks import json_option, write_json


@click.command("blend", short_help="what blends keep of their source, and how long they take")
@click.option("--source", type=places.SOURCE, required=True, help="The photo with the object.")
@click.option("--mask", type=places.SOURCE, help="White = object.  [default: what is not transparent]")
@click.option("--target", type=places.SOURCE, required=True, help="The photo that it goes into.")
@click.option("--at", metavar="X,Y", type=photo_options.POINT, help="Of the source's top left corner.")
@click.option("--scale", type=float, default=1.0, help="Factor of the source's size.")
@click.option("--source-px", type=click.IntRange(1), metavar="N", help="Make the source N x N first.")
@click.option("--target-px", type=click.IntRange(1), metavar="N", help="Make the target N x N first.")
@click.option(
    "--methods",
    default="paste,feather,multiband,poisson",
    metavar="NAME[,NAME]",
    help="With options as NAME:KEY=VALUE, such as poisson:mode=mixed.",
)
@click.option("--result", "results", type=places.SOURCE, multiple=True, help="Measure a blend of another program, too.")
@click.option(
    "--features", type=places.SOURCE, metavar="FILE", help="Weights of VGG-16: compare style and content by them, too."
)
@photo_options.device
@json_option
def blend(
    source: str,
    mask: str | None,
    target: str,
    at: str | None,
    scale: float,
    source_px: int | None,
    target_px: int | None,
    methods: str,
    results: tuple[str, ...],
    features: str | None,
    device: str,
    json_path: str | None,
) -> None:
    """Seam, Laplacian and shift of blends against their source, in levels of 255, before rounding.

    Seam: differences across the border that are not the source's. Laplacian, shift: in the object. Background: what
    changed outside of it. With --features, style: mean squared difference, in millionths, between Gram matrices in the
    object and of the target; content: mean squared difference of features from the source's.
    """
    from dataclasses import asdict

    from inpaint.benchmark.blending import Case, measured, parse_method
    from inpaint.blending.placing import Placement

    places.check_exists(source, mask, target, features, *results)
    chosen = [parse_method(text.strip()) for text in methods.split(",")]
    placement = Placement(at=photo_options.point_of(at), scale=scale)
    case = Case.of_files(source, mask, target, placement, source_px=source_px, target_px=target_px)
    found = []
    for figures in measured(case, chosen, results, device=device, features=features):
        found.append(asdict(figures))
        kept, seconds = figures.fidelity, "" if figures.seconds is None else f", {figures.seconds:.2f} s"
        known = figures.distances
        by_features = "" if known is None else f", style {1e6 * known['style']:.1f}, content {known['content']:.2f}"
        click.echo(
            f"{figures.name}: seam {kept.seam:.1f}, Laplacian {kept.laplacian:.1f}, shift {kept.shift:.1f}, "
            f"background {figures.background:.2f}{by_features}{seconds}",
            err=json_path == places.DASH,
        )
    write_json(json_path, {"benchmark": "blend", "blends": found})
