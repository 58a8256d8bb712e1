"""`inpaint evaluate`: measure several models on the same photos and the same masks."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from inpaint.cli import film_options, model_options, places
from inpaint.errors import UsageError
from inpaint.finding.table import FINDERS
from inpaint.system.progress import bar
from inpaint.system.signals import ending_on_sigterm
from inpaint.types import Inpainter, Progress
from inpaint.weights.runs import Which

SINGLE = [name for name, finder in FINDERS.items() if not finder.batch]
"""What can be found in one photo."""
EXAMPLES = """
\b
Examples:
  inpaint evaluate --model patch --model checkpoints/my-run --data photos/val --protocol lama_thick_256 --output out/
  inpaint evaluate --model biharmonic --data samples --protocol deepfill_64,text_64 --processes 2 --output results/
  inpaint evaluate --model mean --model patch --data samples --masks center --size 128 --output results/
  inpaint evaluate --model patch --model telea --fixed-camera street.avi --shadows --output results/
  inpaint evaluate --model my-erasenet/ --model biharmonic --data photos/ --contaminate text --find text --output out/
  inpaint evaluate --model my-harmonizer/ --data photos/ --recolor blobs --size 256 --output out/
  inpaint evaluate --model gatys --model my-style-run/ --data photos/ --styles paintings/ --size 256 --output out/
  inpaint evaluate --model my-style-run/ --model held.mp4 --data film.mp4 --styles painting.jpg --output out/
  inpaint evaluate --list
"""


@click.command("evaluate", epilog=EXAMPLES)
@click.option(
    "--model",
    "models",
    multiple=True,
    shell_complete=places.complete_model,
    help="Name, run folder, weights or ONNX file, or a folder of runs, a sweep's for instance; repeat to compare. With "
    "--styles: what `inpaint stylize` takes; with a film, also films that were made of it.",
)
@click.option(
    "--data",
    type=places.SOURCE,
    help="Folder, list file, tar shards, or `samples` for the bundled photos; with --styles also a film. -: a list on "
    "standard input.",
)
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    metavar="NAME[,NAME]",
    help="Frozen size and masks, see --list; several of one size make one table.",
)
@click.option("--masks", "masks", multiple=True, help="Kinds of masks, separated by commas, in place of a protocol.")
@click.option(
    "--contaminate",
    multiple=True,
    metavar="KIND[,KIND]",
    help="Kinds of masks, as --masks, with text, colors or other photos painted in the hole. Blind models find it, and "
    "stand in the table with the true mask, too.",
)
@click.option(
    "--contamination",
    metavar="OPTIONS",
    help="With --contaminate: how it is painted, the options of data.planes.contaminated of a training, e.g. "
    "'{inks: {solid: 1}, contrast: 0.4}'.",
)
@click.option(
    "--recolor",
    multiple=True,
    metavar="KIND[,KIND]",
    help="Kinds of masks, as --masks, with other colors in the hole, which harmonizers give back. Color transfers and "
    "the composite itself stand in the table, too.",
)
@click.option(
    "--styles",
    type=places.SOURCE,
    help="Paint the photos in the style of a picture, or of those of a folder, list file or tar shards. The photos as "
    "they are and a color transfer stand in the table, too.",
)
@click.option(
    "--in-order",
    is_flag=True,
    help="With --styles: the photos are the frames of one film, in the order of their names; measure how much it "
    "flickers, as of a film.",
)
@click.option(
    "--features",
    multiple=True,
    metavar="NETWORK:FILE",
    help="Weights of vgg16 or vgg19 by whose features content_ and style_ measure, in place of the public ones.",
)
@click.option("--fonts", type=places.FOLDER, help="With --contaminate: write text in the fonts of this folder.")
@click.option(
    "--find",
    "finders",
    multiple=True,
    metavar="|".join([*SINGLE, "RUN"]),
    shell_complete=places.complete_model,
    help="With --contaminate: fill by models that are not blind what is found so, too, or by a blind model (a run, "
    "weights or ONNX file). May be repeated.",
)
@click.option(
    "--size",
    type=click.IntRange(8, 8192),
    help="With --masks, --contaminate, --recolor, --styles: side of the square cut from photos. [default: native size]",
)
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, help="With those: decides the masks.")
@click.option("--count", type=click.IntRange(1), help="Measure the first N photos only.")
@film_options.options
@click.option(
    "--measures", "measured", multiple=True, metavar="NAME[,NAME]", help="What is measured. [default: the usual ones]"
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=1,
    help="Fills of each image by models that draw at random, for measures that compare them.",
)
@click.option(
    "--guidance",
    default="none",
    metavar="HOW",
    help="What models that take a sketch, edges or colors are told of the truth: none, true, shifted or "
    "shifted:PIXELS, to see whether they follow.",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=1,
    help="Processes at work, one thread each: the same numbers, but longer seconds.",
)
@click.option("--pictures", type=click.IntRange(0), default=100, help="Keep the fills of the first N photos as PNG.")
@model_options.option
@model_options.weights
@click.option(
    "--device",
    default="auto",
    type=places.DEVICES,
    help="auto, cpu, cuda, cuda:1, mps; cuda:0,cuda:1 for processes in turn.",
)
@click.option("--output", type=places.FOLDER, help="Folder for the results.")
@click.option("--list", "listing", is_flag=True, help="List protocols and measures, and do nothing else.")
def command(*, listing: bool, **given: Any) -> int:
    """Measure models on the same photos and the same seeded masks.

    Writes results.csv (a line per photo, mask and model), summaries, manifest.json, whose hash says what was measured,
    table.md, index.html and sheet.png. The same command goes on where an interrupted one stopped; with a further
    --model or measure that one only is measured. What fails is reported and left out; the exit status is then 1. An
    --option goes to every model that takes it.
    """
    if listing:
        click.echo(_list())
        return 0
    film = film_options.chosen(given)
    for name in ("models", *(() if film else ("data",)), "output"):
        if not given[name]:
            raise click.MissingParameter(param_hint=f"'--{name.removesuffix('s')}'", param_type="option")
    return _evaluate(film=film, **given)


def _evaluate(
    *,
    film: film_options.Chosen | None,
    models: Sequence[str],
    data: str | None,
    protocols: Sequence[str],
    masks: Sequence[str],
    contaminate: Sequence[str],
    contamination: str | None,
    recolor: Sequence[str],
    styles: str | None,
    in_order: bool,
    features: Sequence[str],
    fonts: str | None,
    finders: Sequence[str],
    size: int | None,
    seed: int,
    measured: Sequence[str],
    option: Sequence[str],
    weights: Which,
    device: str,
    processes: int,
    output: str,
    **settings: Any,
) -> int:
    from inpaint.data.opening import check_root
    from inpaint.evaluation.models import expanded, label_models
    from inpaint.evaluation.protocols import together, unnamed
    from inpaint.images.films import is_film
    from inpaint.masks import split_specs
    from inpaint.registry.loadable import Loadable
    from inpaint.registry.loading import described

    named = [name for group in protocols for name in split_specs(group)]
    kinds = [kind for group in masks for kind in split_specs(group)]
    painted = [kind for group in contaminate for kind in split_specs(group)]
    recolored = [kind for group in recolor for kind in split_specs(group)]
    said = {"--contaminate": painted, "--recolor": recolored, "--styles": styles}
    given = [name for name, value in said.items() if value]
    if given and (named or kinds or film is not None or len(given) > 1):
        others = ", ".join(["--protocol, --masks, --fixed-camera", *given[1:]])
        what = "paints all of the photo" if given[0] == "--styles" else "says which masks"
        raise UsageError(f"{given[0]} {what}: leave out {others}")
    if in_order and styles is None:
        raise UsageError("--in-order is for films in other styles: say which, --styles paintings/ for one")
    if not painted and (contamination is not None or fonts is not None or finders):
        raise UsageError(
            "--contamination, --fonts and --find are for contaminated photos: say which holes, "
            "--contaminate text for one"
        )
    if named and (kinds or size is not None or seed):
        raise UsageError("--protocol says which masks, size and seed; give either it or --masks, --size and --seed")
    protocol = None
    if painted:
        from inpaint.evaluation.contaminated import ContaminatedPhotos, as_said, contaminating, ways

        painting = as_said(contamination or "{}")
        protocol = contaminating(painted, fonts=fonts, size=size, seed=seed)
    elif recolored:
        protocol = unnamed(recolored, size=size, seed=seed)
    elif styles is not None:
        pass  # which photos and styles there are says what is measured
    elif film is None:
        protocol = together(named) if named else unnamed(kinds, size=size, seed=seed)
    elif named or kinds or size is not None or data is not None:
        raise UsageError("--fixed-camera brings pictures and holes: leave out --data, --protocol, --masks and --size")
    labels = label_models(expanded(models))
    of_film = styles is not None and data is not None and (in_order or is_film(data))
    painted_films = {name: spec for name, spec in labels.items() if styles is not None and is_film(spec)}
    if painted_films and not of_film:
        raise UsageError(
            f"'{next(iter(painted_films.values()))}' is a film: name the one that it was made of with --data, or a "
            "folder of its frames with --data and --in-order"
        )
    labels = {name: spec for name, spec in labels.items() if name not in painted_films}
    which = model_options.which(labels, weights)
    if styles is not None:
        chosen = model_options.for_stylizers(labels, option, weights=which)
    else:
        chosen = model_options.for_models(labels, option, weights=which)
        for name, spec in labels.items():
            described(spec, weights=which[name], **chosen[name])
    if film is None:
        assert data is not None
        if not (of_film and is_film(data)):
            check_root(data)

    from inpaint.evaluation.run import evaluate  # only now: torch takes seconds
    from inpaint.evaluation.subjects import Subjects
    from inpaint.metrics import OF_BLIND, OF_FILM, OF_RECOLORED, OF_STYLE, USUAL
    from inpaint.system.devices import device_name, resolve_device

    places_of_work = [resolve_device(each.strip()) for each in device.split(",")]
    finding = label_models([each for each in finders if each not in SINGLE])
    runs = {
        name: Loadable(spec=spec, weights=how)
        for (name, spec), how in zip(finding.items(), model_options.which(finding, weights).values(), strict=True)
    }
    loadable: dict[str, Inpainter | Loadable] = {
        name: Loadable(spec=spec, options=chosen[name], weights=which[name]) for name, spec in labels.items()
    }
    subjects: Subjects | None = None if film is None else film.read(seed=seed, output=Path(output))
    usual: tuple[str, ...] = USUAL
    if painted:
        assert protocol is not None
        assert data is not None
        usual += OF_BLIND
        loadable = ways(loadable, [each for each in finders if each in SINGLE], runs)
        subjects = ContaminatedPhotos(data, protocol, count=settings["count"], contamination=painting)
    elif recolored:
        from inpaint.evaluation.recolored import RecoloredPhotos
        from inpaint.evaluation.recolored import beside as beside_transfers

        assert protocol is not None
        assert data is not None
        usual += OF_RECOLORED
        loadable = beside_transfers(loadable)
        subjects = RecoloredPhotos(data, protocol, count=settings["count"])
    elif styles is not None:
        from inpaint.evaluation.styled import LoadableStylizer, StyledPhotos, beside
        from inpaint.evaluation.styled_film import LoadablePainted, StyledFilm

        assert data is not None
        usual = OF_STYLE if not of_film else OF_STYLE + OF_FILM
        kind = StyledFilm if of_film else StyledPhotos
        styled = kind(data, styles, size=size, seed=seed, count=settings["count"])
        stylizers: dict[str, Loadable] = {
            name: LoadableStylizer(spec=spec, options=chosen[name], weights=which[name])
            for name, spec in labels.items()
        }
        for name, place in painted_films.items():
            assert isinstance(styled, StyledFilm)  # said above
            styled.check_painted(name, place)
            stylizers[name] = LoadablePainted(spec=place, size=size)
        loadable, subjects = beside(stylizers, styled.labels), styled
    with ending_on_sigterm(), bar("fills") as fills:

        def report(step: Progress) -> None:
            if fills.total is None and step.done:
                click.echo(f"going on: {step.done} of {step.total} fills are done already", err=True)
            fills.report(step)

        try:
            result = evaluate(
                loadable,
                data=data if film is None else film.video,
                protocol=protocol,
                subjects=subjects,
                output=Path(output),
                measured=[name for group in measured for name in split_specs(group)] or usual,
                features=_features(features),
                processes=processes,
                devices=[str(each) for each in places_of_work],
                device_name=", ".join(dict.fromkeys(map(device_name, places_of_work))),
                **settings,
                command=_command_line(click.get_current_context()),
                progress=report,
                inner=fills.inner if fills.shown else None,
            )
        except (KeyboardInterrupt, SystemExit):
            click.echo(f"{fills.done} of {fills.total or 0} fills done; the same command goes on from there", err=True)
            raise
    click.echo(result.table)
    written = ["results.csv", "summary.json", "table.md", "index.html", *(["sheet.png"] if result.sheet else [])]
    click.echo(f"wrote {', '.join(written)} to {output}")
    problems = [
        *([f"{len(result.failures)} failed"] if result.failures else []),
        *([f"{result.skipped} file{'s' if result.skipped > 1 else ''} skipped"] if result.skipped else []),
    ]
    if problems:
        click.echo(", ".join(problems) + "; see the warnings above and summary.json", err=True)
    return 1 if problems else 0


def _features(texts: Sequence[str]) -> dict[str, str]:
    """Return files of weights by network, from NETWORK:FILE."""
    found: dict[str, str] = {}
    for text in texts:
        network, colon, file = text.partition(":")
        if not colon or network in found:
            raise UsageError(f"--features {text}: write NETWORK:FILE, each network once, e.g. vgg16:weights.pth")
        places.check_exists(file)
        found[network] = file
    return found


def _list() -> str:
    """Return the protocols, with their size and masks, and the measures."""
    from inpaint.evaluation.protocols import named, protocol_names
    from inpaint.metrics import MEASURES, USUAL, Measure, measures

    lines = ["protocols (--protocol):"]
    for name in protocol_names():
        protocol = named(name)
        drawn = list(protocol.drawings)
        labels = f"{len(drawn)} kinds of masks, {drawn[0]} ... {drawn[-1]}" if len(drawn) > 1 else ""
        about = f"{protocol.size} x {protocol.size}, version {protocol.version}"
        lines.append(f"  {name:18} {about}{': ' + labels if labels else ''}")
    lines.append("measures (--measures), * = usual:")
    for name in MEASURES:
        found = measures([name])
        measure: Measure = [*found.of_images, *found.of_sets][0]
        about = f"{measure.title}, {measure.better} is better" if measure.better != "neither" else measure.title
        lines.append(f"  {'*' if name in USUAL else ' '} {name:24} {about}{', of sets' if found.of_sets else ''}")
    return "\n".join(lines)


def _command_line(context: click.Context) -> str:
    """Return the command that repeats this evaluation: what was given, without defaults and without the output."""
    words = ["inpaint", "evaluate"]
    for option in context.command.params:
        given = context.params[option.name or ""]
        if option.name != "output" and given not in (None, option.get_default(context)):
            for value in given if isinstance(given, tuple) else (given,):
                words += [option.opts[0]] if value is True else [option.opts[0], str(value)]
    return shlex.join(words)
