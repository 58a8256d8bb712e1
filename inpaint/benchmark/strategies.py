"""What strategies and seams cost on a large photo, and what they bring on photos larger than the network knows."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from inpaint.benchmark.memory import own_process_peak
from inpaint.errors import InpaintError
from inpaint.evaluation.protocols import unnamed
from inpaint.evaluation.subjects import Photos
from inpaint.metrics.seam import seam
from inpaint.nn.inference import prepare_for_inference
from inpaint.options import validated
from inpaint.registry import table
from inpaint.registry.loading import load
from inpaint.strategies.options import StrategyOptions
from inpaint.strategies.wrapper import StrategicFill
from inpaint.types import Inpainter

HOLES = 10
SMALLEST_PX, LARGEST_PX = 30, 900
COLUMNS = 5
PHOTO = "the photo itself"  # in a table of fills


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of filling one photo. needed_bytes: what was estimated before. refused: why nothing was filled."""

    seconds: float = 0.0
    peak_bytes: int = 0
    needed_bytes: int = 0
    strategy: str = ""
    refused: str = ""


def ten_holes(height: int, width: int, *, largest_px: int = LARGEST_PX) -> NDArray[np.bool_]:
    """Return a mask (height, width) with ten discs of 30 to `largest_px` pixels, each in a cell of its own.

    Example:
        >>> mask = ten_holes(400, 1000, largest_px=90)
        >>> int(mask.any(axis=0).sum()) > 5 * 60
        True
    """
    mask = np.zeros((height, width), np.uint8)
    sides = np.geomspace(SMALLEST_PX, largest_px, HOLES)
    for number, side in enumerate(sides):
        row, column = divmod(number * 3 % HOLES, COLUMNS)
        center = (int((column + 0.5) * width / COLUMNS), int((row + 0.5) * height * COLUMNS / HOLES))
        cv2.circle(mask, center, int(min(side, 0.95 * width / COLUMNS, 1.9 * height / HOLES * COLUMNS / 2) / 2), 1, -1)
    return mask > 0


def cost(setting: Mapping[str, Any]) -> Cost:
    """Fill a photo in a process of its own.

    setting: model, name or place; width, of a network with initial weights, where model is the name of one; height_px,
    width_px, largest_px; options, of the strategy.
    """
    with TemporaryDirectory() as folder:
        report = str(Path(folder) / "report.json")
        peak = own_process_peak(_fill, {**setting, "report": report}, what=f"{setting['model']}")
        return Cost(**{**json.loads(Path(report).read_text(encoding="utf-8")), "peak_bytes": peak})


def _fill(setting: Mapping[str, Any]) -> torch.device:
    height, width = setting["height_px"], setting["width_px"]
    hole = ten_holes(height, width, largest_px=setting["largest_px"])
    draw = np.random.default_rng(0).integers(0, 256, (height // 100, width // 100, 3), np.uint8)
    image = cv2.resize(draw, (width, height), interpolation=cv2.INTER_LINEAR)
    options = validated(StrategyOptions, setting["options"])
    strategic = StrategicFill(inpainter_of(setting["model"], setting["width"]), options)
    found: dict[str, Any] = {}
    try:
        found["needed_bytes"] = strategic.plan(hole).needed_bytes
        started = time.process_time()
        (painting,) = strategic.fill_photo(lambda region: image[region.slices].astype(np.float32) / 255, hole)
        found |= {"seconds": time.process_time() - started, "strategy": painting.strategy}
    except InpaintError as error:
        found["refused"] = str(error)
    Path(setting["report"]).write_text(json.dumps(found), encoding="utf-8")
    return torch.device("cpu")


def inpainter_of(model: str, width: int | None) -> Inpainter:
    """Return what `inpaint.load` returns, or a network with initial weights for the name of one; width: of it."""
    if model not in table.models():
        return load(model, device="cpu")
    from inpaint.models.feedforward import FeedForward
    from inpaint.models.sampling import Sampling

    config = table.config_class(model)(**({} if width is None else {"width": width}))
    network: Any = table.network_class(model)(config).eval()
    prepare_for_inference(network)
    kind: Any = Sampling if config.capabilities().stochastic else FeedForward
    made: Inpainter = kind(network.to(memory_format=torch.channels_last), name=model)
    return made


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Of one way to fill photos. psnr, seam: of each photo, PSNR of the hole in dB and the seam measure."""

    name: str
    psnr: Sequence[float]
    seam: Sequence[float]


def qualities(
    inpainter: Inpainter, ways: Mapping[str, StrategyOptions], *, data: str, mask: str, size: int, count: int
) -> list[Quality]:
    """Fill the first photos of `data`, cut to `size`, in several ways, one mask each; the photos themselves last."""
    photos = Photos(data, unnamed([mask], size=size))
    (drawing,) = photos.protocol.drawings.values()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in (*ways, PHOTO)}
    for index in range(min(count, len(photos))):
        image = photos.read(index).image.astype(np.float32) / 255
        hole = np.asarray(drawing.draw(photos.name(index), seed=0, height=size, width=size)) > 0
        for name, options in ways.items():
            (fill,) = StrategicFill(inpainter, options).fill_arrays(
                image[None], hole[None, ..., None].astype(np.float32)
            )
            found[name].append(_measured(fill.completed[0], image, hole))
        found[PHOTO].append(_measured(image, image, hole))
    return [
        Quality(name=name, psnr=[each[0] for each in values], seam=[each[1] for each in values])
        for name, values in found.items()
    ]


def ways_of(strategies: Iterable[str], seams: Iterable[str], limits: Iterable[int]) -> dict[str, StrategyOptions]:
    """Return the options of each strategy without a seam, `resize` at each limit, and of each seam with the first."""
    names = list(strategies)
    found = dict(_strategies(names, list(limits)))
    for name in seams:
        for strategy in names[:2]:
            found[f"{strategy}, {name}"] = validated(StrategyOptions, {"strategy": strategy, "seam": name})
    return found


def _strategies(names: Sequence[str], limits: Sequence[int]) -> Iterator[tuple[str, StrategyOptions]]:
    for name in names:
        chosen: list[tuple[str, dict[str, Any]]] = [(name, {"strategy": name})]
        if name == "refine":
            chosen = [("crop, refine", {"strategy": "crop", "refine": True})]
        elif name == "resize" and limits:
            chosen = [(f"resize {limit}", {"strategy": name, "resize_limit": limit}) for limit in limits]
        for label, options in chosen:
            yield label, validated(StrategyOptions, {**options, "seam": "none"})


def quality_table(found: Sequence[Quality]) -> str:
    """Return means as Markdown, with the difference from the first way and its standard error."""
    lines = ["| | hole PSNR (dB) | difference | seam |", "|---|---:|---:|---:|"]
    first = found[0]
    for each in found:
        gains = [a - b for a, b in zip(each.psnr, first.psnr, strict=True)]
        plain = each.name == PHOTO
        error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
        psnr = "" if plain else f"{statistics.fmean(each.psnr):.2f}"
        gain = "" if plain else f"{statistics.fmean(gains):+.2f} ± {error:.2f}"
        lines.append(f"| {each.name} | {psnr} | {gain} | {statistics.fmean(each.seam):.2f} |")
    return "\n".join(lines)


def cost_table(found: Mapping[tuple[str, str], Cost]) -> str:
    """Return seconds and memory of each model and strategy as Markdown."""
    lines = ["| model | strategy | s | peak GB | estimated GB | what was done |", "|---|---|---:|---:|---:|---|"]
    for (model, strategy), each in found.items():
        gigabytes = [f"{size / 2**30:.2f}" for size in (each.peak_bytes, each.needed_bytes)]
        cells = [f"{each.seconds:.1f}", *gigabytes, each.strategy] if not each.refused else ["", "", "", each.refused]
        lines.append(f"| `{model}` | {strategy} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _measured(completed: NDArray[Any], image: NDArray[Any], hole: NDArray[np.bool_]) -> tuple[float, float]:
    """Return PSNR of the hole, and the seam."""
    error = float(np.mean((completed[hole].astype(np.float64) - image[hole]) ** 2))
    tensors = torch.from_numpy(np.ascontiguousarray(completed.transpose(2, 0, 1)))[None], torch.from_numpy(hole)[None]
    return -10 * float(np.log10(max(error, 1e-12))), seam(*tensors).item()
