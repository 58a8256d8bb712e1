"""Figures of speed: as Markdown when they are measured, as JSON with what they depend on, and as tables of a page."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from inpaint.benchmark.timing import Measured, Rate
from inpaint.errors import InputError, UsageError, unknown
from inpaint.system import environment
from inpaint.system.files import open_file, write_text

Figures: TypeAlias = Mapping[str, Any]


def write_figures(path: Path, figures: Figures) -> None:
    """Write figures as JSON, with the hardware, the versions and the commit that they belong to."""
    about = {
        "hardware": environment.hardware(),
        "versions": environment.versions(),
        "commit": environment.commit(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({**figures, **about}, indent=2) + "\n")


def read_figures(path: Path) -> Figures:
    """Read what `write_figures` wrote; raises UsageError for anything else and InputError for what cannot be read."""
    try:
        with open_file(path) as file:
            found = json.loads(file.read())
    except OSError as error:
        raise InputError(f"cannot read '{path}': {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{path} holds no JSON: {error}") from None
    if not isinstance(found, dict) or "hardware" not in found:
        raise UsageError(f"{path} holds no figures of a benchmark")
    try:
        _rows(found)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ZeroDivisionError) as error:
        raise UsageError(f"{path} lacks what figures of `benchmark {_kind(found)}` hold ({error})") from None
    return found


def rates_table(rates: Mapping[str, Rate], sizes: Mapping[str, str], *, unit: str) -> str:
    """Return rates as a Markdown table."""
    rows = [
        f"| {name} | {sizes[name]} | {rate.median:,.0f} | {rate.lowest:,.0f} | {rate.highest:,.0f} |"
        for name, rate in rates.items()
    ]
    return "\n".join([f"| | size | {unit} (median) | lowest | highest |\n|---|---|---|---|---|", *rows])


def measured_table(found: Measured, *, batch: int) -> str:
    """Return times, memory, shares and ratio as Markdown; batch: images in one run."""
    lines = ["| | ms (median) | lowest | highest | processor ms | images/s | peak MB |\n|---|---|---|---|---|---|---|"]
    for name, each in found.timings.items():
        times = (each.median_ms, each.lowest_ms, each.highest_ms, each.user_ms, 1000 * batch / each.median_ms)
        lines.append(f"| {name} | {' | '.join(f'{value:,.1f}' for value in times)} | {_megabytes(found.peaks[name])} |")
    if found.shares:
        lines.append("\n| share of the time | " + " | ".join(found.shares) + " |\n|---|" + "---|" * len(found.shares))
        for group in dict.fromkeys(group for shares in found.shares.values() for group in shares):
            row = " | ".join(f"{shares.get(group, 0):.1%}" for shares in found.shares.values())
            lines.append(f"| {group} | {row} |")
    if found.ratio is not None:
        both = f"{found.ratio.median:.2f} (median of the rounds), {found.ratio.of_lowest:.2f} (lowest to lowest)"
        lines.append(f"\ntimes as fast: {both}")
    return "\n".join(lines)


def scaling_table(found: Figures) -> str:
    """Return what more threads bring, as Markdown: the figures of `benchmark threads`."""
    return "\n".join([_KINDS["threads"][0], *_scaling(found)])


def tables(figures: Iterable[Figures]) -> str:
    """Return one Markdown table for each kind of benchmark among the figures, rows in the order given.

    Raises UsageError for content that no benchmark of ours wrote.
    """
    rows: dict[str, list[str]] = {}
    for found in figures:
        rows.setdefault(_kind(found), []).extend(_rows(found))
    return "\n".join("\n".join([_KINDS[kind][0], *rows[kind]]) + "\n" for kind in _KINDS if kind in rows)


def _rows(found: Figures) -> list[str]:
    kind = _kind(found)
    if kind not in _KINDS:
        raise UsageError(unknown("benchmark", kind, _KINDS))
    return _KINDS[kind][1](found)


def _kind(found: Figures) -> str:
    # Figures of `restore` did not name themselves at first.
    kind = str(found.get("benchmark", "restore" if "presets" in found else None))
    return "restore --quality" if kind == "restore" and found.get("quality") else kind


def replaced(text: str, name: str, content: str) -> str:
    """Return the text with `content` between the lines `<!-- NAME -->` and `<!-- end of NAME -->`.

    Raises UsageError when the text does not have both lines.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, opened, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise UsageError(f"the text has no lines '{begin.strip()}' and '{end}'")
    return f"{before}{begin}\n{content}\n{end}{after}"


def _head(names: Sequence[str], *, words: int) -> str:
    """Return the head of a table whose first columns hold words and the others numbers."""
    return f"| {' | '.join(names)} |\n|{'---|' * words}{'---:|' * (len(names) - words)}"


def _forward(found: Figures) -> list[str]:
    (name, setting), *others = found["settings"].items()
    model = setting["model"] + (f", {setting['part']}" if setting.get("part") else "")
    cells = [model, f"{setting['size']} px, batch {setting['batch']}", _where(found, setting["device"])]
    cells += [name.removeprefix("network, "), *_compared(found, name, [other for other, _ in others])]
    return [f"| {' | '.join([*cells, _megabytes(found['peak_bytes'][name])])} |"]


def _step(found: Figures) -> list[str]:
    (name, setting), *others = found["settings"].items()
    loop, trainer = setting["loop"], setting["loop"]["trainer"]
    how = [trainer["precision"], *(word for word in ("channels_last", "compile") if trainer[word])]
    image = f"{setting['size']} px, batch {loop['batch_size']}"
    cells = [setting["model"], image, _where(found, found["device"]), ", ".join(how)]
    cells += _compared(found, name, [other for other, _ in others])
    share = found["shares"].get(name, {}).get("convolution")
    cells += [f"{found['images_per_s'][name]:,.2f}", "" if share is None else f"{share:.0%}"]
    return [f"| {' | '.join([*cells, _megabytes(found['peak_bytes'][name])])} |"]


def _style(found: Figures) -> list[str]:
    (name, setting), *others = found["settings"].items()
    cells = [f"{setting['width']} x {setting['height']} px", _where(found, "cpu"), setting["kind"]]
    cells += [*_compared(found, name, [other for other, _ in others]), _megabytes(found["peak_bytes"][name])]
    return [f"| {' | '.join(cells)} |"]


def _rates(found: Figures) -> list[str]:
    unit = found["unit"]
    return [
        f"| {name} | {rate['size']} | {found['hardware']['cpu']}, one core | {rate['median']:,.0f} {unit} |"
        for name, rate in found["rates"].items()
    ]


def _restore(found: Figures) -> list[str]:
    about = f"{found['size']} px | {_where(found, found.get('device', 'cpu'))}"
    return [
        f"| {name} | {about} | {each['fast']['median_ms']:,.0f} | {each['published']['median_ms']:,.0f} | "
        f"{each['ratio']:.2f} |"
        for name, each in found["presets"].items()
    ]


def _quality(found: Figures) -> list[str]:
    about = f"{found['size']} px | {_where(found, found.get('device', 'cpu'))}"
    rows = []
    for name, each in found["presets"].items():
        own, published = (statistics.fmean(each[which]) for which in ("fast", "published"))
        rows.append(
            f"| {name} | {about} | {len(each['fast'])} | {own:.2f} | {published:.2f} | {own - published:+.2f} |"
        )
    return rows


def _scaling(found: Figures) -> list[str]:
    """One row for each network and load: its time with the fewest threads and with each further number, and gains."""
    rows = []
    times = {(each["network"], each["beside"], each["threads"]): each["timing"] for each in found["scaling"]}
    for name, setting in found["settings"].items():
        for beside in dict.fromkeys(each["beside"] for each in found["scaling"]):
            counts = sorted(count for network, where, count in times if (network, where) == (name, beside))
            least = times[name, beside, counts[0]]
            for count in counts:
                own = times[name, beside, count]
                cells = [setting["model"], f"{setting['size']} px", found["hardware"]["cpu"], name, beside, count]
                cells += [f"{own[key]:,.0f}" for key in ("median_ms", "lowest_ms")]
                cells += [f"{least[key] / own[key]:.2f}" for key in ("median_ms", "lowest_ms")]
                rows.append(f"| {' | '.join(map(str, cells))} |")
    return rows


def _poisson(found: Figures) -> list[str]:
    """One row for each size: times of everybody, in seconds, our largest error, and peaks of memory."""
    rows = []
    for each in found["sizes"]:
        times = {name: timing["median_ms"] / 1000 for name, timing in each["timings"].items()}
        times |= {name: each["once_s"][name] for name in each["once_s"] if each["once_s"][name] is not None}
        cells = [f"{each['width']} x {each['height']}", f"{each['unknowns'] / 1e6:.2f}", _where(found, "cpu")]
        cells += [f"{times['inpaint']:.2f}", f"{times['opencv']:.2f}", f"{times['opencv'] / times['inpaint']:.2f}"]
        for name in ("scipy direct", "scipy cg"):
            stopped = name in each["once_s"] and name not in times
            cells.append(f"{times[name]:.2f}" if name in times else "stopped" if stopped else "")
        cells.append("" if each["error"] is None else f"{each['error']['largest']:.3f}")
        cells += [_megabytes(each["peak_bytes"].get(name)) for name in ("inpaint", "opencv")]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _compared(found: Figures, name: str, others: Sequence[str]) -> list[str]:
    """Return time, what it is compared with, the other's time and the ratio."""
    timings = found["timings"]
    own = f"{timings[name]['median_ms']:,.0f}"
    if not others:
        return ["", own, "", ""]
    other = others[0]
    return [other, own, f"{timings[other]['median_ms']:,.0f}", f"{found['ratio']['median']:.2f}"]


def _where(found: Figures, device: str) -> str:
    hardware = found["hardware"]
    for accelerator in hardware["accelerators"]:
        if accelerator["device"].startswith(device):
            return str(accelerator["name"])
    threads = found["torch_threads"] if "torch_threads" in found else hardware["torch_threads"]
    return f"{hardware['cpu']}, {threads} {'thread' if threads == 1 else 'threads'}"


def _megabytes(peak: int | None) -> str:
    return "" if peak is None else f"{peak / 1e6:,.0f}"


_TIMES = ["against", "ms", "its ms", "times as fast"]
_KINDS: dict[str, tuple[str, Callable[[Figures], list[str]]]] = {
    "forward": (_head(["network", "image", "on", "as", *_TIMES, "peak MB"], words=5), _forward),
    "step": (
        _head(["training step", "image", "on", "as", *_TIMES, "images/s", "convolution", "peak MB"], words=5),
        _step,
    ),
    "threads": (
        _head(["network", "image", "on", "as", "beside", "threads", "ms", "lowest", "gain", "gain of lowest"], words=5),
        _scaling,
    ),
    "data": (_head(["samples with masks", "size", "on", "per second"], words=3), _rates),
    "masks": (_head(["mask", "size", "on", "per second"], words=3), _rates),
    "restore": (_head(["iteration of", "image", "on", "ms", "published ms", "times as fast"], words=3), _restore),
    "style": (_head(["evaluation of", "on", "as", *_TIMES, "peak MB"], words=4), _style),
    "poisson": (
        _head(
            [
                "image",
                "unknown, MP",
                "on",
                *("s", "OpenCV s", "times as fast", "SciPy direct s", "SciPy cg s", "largest error, levels"),
                *("peak MB", "OpenCV peak MB"),
            ],
            words=3,
        ),
        _poisson,
    ),
    "restore --quality": (
        _head(["hole PSNR of", "image", "on", "seeds", "dB", "published dB", "difference"], words=3),
        _quality,
    ),
}
