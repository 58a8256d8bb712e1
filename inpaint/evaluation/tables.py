"""A summary as Markdown that fits a terminal: a table for every kind of mask, its buckets, and the differences."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from inpaint.evaluation.buckets import ALL
from inpaint.evaluation.differences import Difference
from inpaint.evaluation.resampling import RESAMPLES
from inpaint.evaluation.summary import RATIO, SECONDS, Entry, Summary
from inpaint.metrics import Measure, SetMeasure

WIDTH = 100
"""Columns of a terminal that every table stays within, where names allow it."""
ARROWS = {"higher": " ↑", "lower": " ↓", "neither": ""}


def markdown(
    summary: Summary, *, measures: Sequence[Measure], masks: Sequence[str], models: Sequence[str], title: str
) -> str:
    """Return tables with models in rows and measures in columns, one or several for each kind of mask.

    Args:
        summary: What is shown.
        measures: In the order of the columns; where one was taken in the hole as well, the hole's alone is shown.
        masks: In this order.
        models: In this order.
        title: A paragraph on what was measured.
    """
    shown = shown_measures(measures)
    parts = [title]
    for mask in masks:
        parts += [*_of_mask(summary, mask, shown, models), *_differences(summary, mask, shown)]
    said = _notes(summary, measures)
    parts.append("\n".join(textwrap.fill(f"- {note}", WIDTH, subsequent_indent="  ") for note in said))
    return "\n\n".join(parts) + "\n"


def shown_measures(measures: Sequence[Measure]) -> list[Measure]:
    """Return the measures that tables show: those with a direction, the hole's where an image was measured both ways.

    Known pixels are copied, so over the whole image the same fills differ by less.
    """
    names = {measure.name for measure in measures}
    directed = [measure for measure in measures if measure.better != "neither"]
    return [measure for measure in directed if _in_hole(measure.name) not in names]


def heading(measure: Measure) -> str:
    """Return what stands above a column: title, of what it was taken, and the better direction."""
    parts = measure.name.split("_")
    where = "".join(f", {word}" for word in ("hole", "raw") if word in parts and word not in measure.title)
    return f"{measure.title}{where}{ARROWS[measure.better]}"


def number(measure: Measure, value: float | None, *, sign: bool = False) -> str:
    """Return a value of a measure as tables show it; a dash for none."""
    if value is None:
        return "–"
    rounded = round(value * measure.scale, measure.decimals) + 0.0  # no -0.00
    return f"{rounded:{'+' if sign else ''}.{measure.decimals}f}"


def table(columns: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return a Markdown table whose columns, headings first, are padded; the first `left` columns are aligned left."""
    cells = [[cell.replace("|", "\\|") for cell in column] for column in columns]
    widths = [max(3, *map(len, column)) for column in cells]
    padded = [
        [f"{cell:<{width}}" if place < left else f"{cell:>{width}}" for cell in column]
        for place, (column, width) in enumerate(zip(cells, widths, strict=True))
    ]
    rule = ["-" * width if place < left else "-" * (width - 1) + ":" for place, width in enumerate(widths)]
    first, *rest = zip(*padded, strict=True)
    return "\n".join(f"| {' | '.join(line)} |" for line in (first, rule, *rest))


def wrapped(first: Sequence[str], columns: Sequence[Sequence[str]], width: int = WIDTH) -> list[str]:
    """Return as few tables as hold all columns within a width, each beginning with the first column."""
    tables, taken = list[str](), list[Sequence[str]]()
    for column in columns:
        if taken and len(table([first, *taken, column]).split("\n", 1)[0]) > width:
            tables.append(table([first, *taken]))
            taken = []
        taken.append(column)
    return [*tables, table([first, *taken])]


def _of_mask(summary: Summary, mask: str, shown: Sequence[Measure], models: Sequence[str]) -> list[str]:
    columns = []
    for measure in shown:
        found = summary.column(mask, measure.name)
        if found:
            columns.append([heading(measure), *_cells(measure, [found.get(model) for model in models])])
    times = summary.column(mask, SECONDS)
    if any(entry.mean is not None for entry in times.values()):
        columns.append(["s/photo", *(_seconds(times[model].mean) for model in models)])
    parts = [f"### {mask}", " ".join(_about(summary, mask, models))]
    parts += wrapped(["model", *models], columns) if columns else []
    main = next((measure for measure in shown if not isinstance(measure, SetMeasure)), None)
    buckets = [each for each in summary.buckets if main and summary.column(mask, main.name, each)]
    if main and buckets:
        columns = []
        for each in buckets:
            found = summary.column(mask, main.name, each)
            cells = _cells(main, [found.get(model) for model in models], interval=False)
            columns.append([f"{each}", *cells, str(max(entry.n for entry in found.values()))])
        parts += [f"{heading(main)} by the share of the hole:", *wrapped(["model", *models, "photos"], columns)]
    return parts


def _cells(measure: Measure, entries: Sequence[Entry | None], *, interval: bool = True) -> list[str]:
    """Return a column; the best is bold when every other one is shown to be worse, else it and its equals get a ≈."""
    open_ones = any(entry and entry.mark == "open" for entry in entries)
    several = sum(entry is not None and entry.mean is not None for entry in entries) > 1
    cells = []
    for entry in entries:
        text = number(measure, entry.mean if entry else None)
        if interval and entry and entry.mean is not None and entry.high is not None:
            text += f" ± {(entry.high - entry.mean) * measure.scale:.{measure.decimals}f}"
        if entry and several and (entry.mark == "open" or (entry.mark == "best" and open_ones)):
            text = f"≈ {text}"
        elif entry and several and entry.mark == "best":
            text = f"**{text}**"
        cells.append(text)
    return cells


def _about(summary: Summary, mask: str, models: Sequence[str]) -> Iterator[str]:
    column = [each for each in summary.entries if each.mask == mask and each.bucket == ALL and each.measure != SECONDS]
    per_image = [each.n for each in column if each.low is not None or each.n == 1]
    if not per_image:
        yield "Nothing was filled." if not column or not any(each.n for each in column) else ""
        return
    count = max(per_image)
    ratio = next((each.mean for each in column if each.measure == RATIO and each.mean is not None), None)
    hole = "" if ratio is None else f", hole {100 * ratio:.1f} % on average"
    yield f"{count} photo{'s' * (count > 1)}{hole}."
    filled = {model: max((each.filled or 0 for each in column if each.model == model), default=0) for model in models}
    if len(set(filled.values())) > 1:
        each_filled = ", ".join(f"{model} {n}" for model, n in filled.items())
        yield f"Means are over what every model filled; filled were: {each_filled}."


def _differences(summary: Summary, mask: str, shown: Sequence[Measure]) -> list[str]:
    """Return the section of a kind of mask: a table in which every model follows what it is compared with."""
    lines, found = list[list[str]](), list[Difference]()
    for measure in shown:
        made = summary.compared(mask, measure.name)
        if made:
            why = "named" if summary.against else "best"
            lines.append([heading(measure), made[0].against, f"({why})", *([""] * 4)])
        for each in made:
            size = (number(measure, each.mean, sign=True), _interval(measure, each), f"{100 * each.wins:.0f} %")
            lines.append(["", each.model, *size, _p(each.p_holm), _SHOWN[each.verdict]])
        found += made
    if not found:
        return []
    about = f"Differences, {_range([each.n for each in found])} photos; p corrected for {found[0].tests} comparisons."
    if left_out := max(each.left_out for each in found):
        about += f" Up to {left_out} photos are left out, where one of the two has no value."
    head = ["measure", "model", "difference", "95 %", "wins", "p", "shown"]
    return [about, table(list(zip(head, *lines, strict=True)), left=2)]


_SHOWN = {"better": "better", "worse": "worse", "no difference shown": "no", "too few photos": "too few"}


def _interval(measure: Measure, each: Difference) -> str:
    return (
        "–"
        if each.low is None
        else f"{number(measure, each.low, sign=True)} to {number(measure, each.high, sign=True)}"
    )


def _p(value: float | None) -> str:
    return "–" if value is None else "< 0.0001" if value < 0.0001 else f"{value:.4f}" if value < 0.1 else f"{value:.2f}"


def _range(counts: Sequence[int]) -> str:
    return str(counts[0]) if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"


def _seconds(mean: float | None) -> str:
    return "–" if mean is None else f"{mean:.3g}" if mean >= 0.001 else f"{mean:.1g}"


def _in_hole(name: str) -> str:
    return name.removesuffix("_raw") + "_hole_raw" if name.endswith("_raw") else f"{name}_hole"


def notes(summary: Summary, measures: Sequence[Measure]) -> Iterator[str]:
    """Yield what belongs below numbers: when a difference is shown, and what measures of sets have seen."""
    if summary.differences:
        yield (
            "A difference is shown where Wilcoxon's signed ranks, corrected after Holm, have p < 0.05 and the interval "
            f'of its mean ({RESAMPLES:,} bootstrap resamples) leaves out zero. "No" does not say that models are equal.'
        )
    for measure in measures:
        if isinstance(measure, SetMeasure):
            counts = sorted({each.n for each in summary.entries if each.measure == measure.name and each.n})
            said = (measure.refusal(n) or measure.caution(n) or f"{measure.name} of {n} photos" for n in counts)
            yield from (f"{text}." for text in said)


def _notes(summary: Summary, measures: Sequence[Measure]) -> Iterator[str]:
    """Yield how to read the tables, and `notes`."""
    yield "± is half the 95 % interval of the mean."
    if summary.differences:
        yield "**Bold**: shown to be better than every other. ≈: the best, and what is not shown to differ from it."
    yield from notes(summary, measures)
    shown = shown_measures(measures)
    if hidden := [each.name for each in measures if each not in shown]:
        yield f"In summary.csv besides: {', '.join(hidden)}."
