"""How a photo is filled, decided before anything is painted: in which parts, at what size, with how much memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from inpaint.errors import InpaintError
from inpaint.images.regions import Region
from inpaint.strategies.options import SeamName, StrategyName, StrategyOptions
from inpaint.strategies.parts import Part, parts_of, whole_of
from inpaint.strategies.scaling import HoleArray
from inpaint.types import Capabilities

HOLE_SHARE = 1.0
"""Of the side that a network was trained on: `auto` shrinks longer holes to this, see `docs/decisions.md`."""
TILE_PX = 512  # side of a tile for a fill that was trained on none
TILES_PER_SIDE = 2  # trained sides in one tile
LEAST_PX = 64  # nothing is painted smaller for want of memory
PLAIN_BYTES, NETWORK_BYTES = 96, 4096  # of memory per pixel for a fill that does not say, without and with a network
REFINED_TIMES = 7  # as much as a plain pass: measured 5.1 (pconv), 6.1 (deepfill), 6.8 (edgeconnect)
PHOTO_BYTES = 48  # per pixel of a part, whatever fills it: colors in and out in float32, masks, what is cut out
ORIGINAL_SHARE = 0.5  # of the budget, above which `original` says before it starts what it needs


@dataclass(frozen=True, eq=False)
class Plan:
    """What is going to be done to a photo.

    strategy: as it was asked for. parts: which pixels of the hole are filled together, and how. needed_bytes: an
    estimate of the most memory it takes. whole: whether the one part is all of the photo. remarks: what else is done.
    """

    strategy: StrategyName
    parts: list[Part]
    needed_bytes: int
    whole: bool
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it in a few words, as "crop, 3 parts of 512 to 896 px, 1 of them reduced to 0.57"."""
        longer = [max(part.region.size) for part in self.parts]
        height, width = self.parts[0].region.size
        span = f"{min(longer)} to {max(longer)} px" if min(longer) < max(longer) else f"{longer[0]} px"
        words = [f"{width} x {height} px" if self.whole else f"{_parts(longer)} of {span}"]
        reduced = [part.scale for part in self.parts if part.working is not None]
        if reduced:
            whom = f"{len(reduced)} of them " if len(self.parts) > 1 else ""
            words.append(f"{whom}reduced to {_span(reduced)}")
        tiles = [part.tile_px for part in self.parts if part.tile_px is not None]
        if tiles:
            words.append(f"in tiles of {tiles[0]} px")
        return ", ".join([self.strategy, *words, *self.remarks])


def planned(hole: HoleArray, capabilities: Capabilities, options: StrategyOptions, *, budget_bytes: float) -> Plan:
    """Return how a photo is filled.

    Args:
        hole: (H, W), not empty.
        capabilities: Of the fill.
        options: What was asked for.
        budget_bytes: Memory that filling may take; parts that need more are painted smaller, or in tiles.

    Raises:
        InpaintError: `original` needs more memory, or there is too little for anything.
    """
    if options.refine:
        capabilities = replace(capabilities, pixel_bytes=REFINED_TIMES * pixel_bytes(capabilities))
    parts = _STRATEGIES[options.strategy](hole, capabilities, options, budget_bytes)
    return Plan(
        strategy=options.strategy,
        parts=parts,
        needed_bytes=max(needed_bytes(part, capabilities) for part in parts),
        whole=parts[0].region == Region.whole(hole.shape),
        remarks=_remarks(options, parts),
    )


def seam_of(seam: SeamName, *, enlarged: bool) -> SeamName:
    """Return the seam of a part; enlarged: whether it was painted smaller than it is."""
    return seam if seam != "auto" else "poisson" if enlarged else "none"


def _remarks(options: StrategyOptions, parts: list[Part]) -> tuple[str, ...]:
    seam = seam_of(options.seam, enlarged=any(part.working is not None for part in parts))
    mended = () if seam == "none" else (f"seam {seam}",)
    return (*("refined",) * options.refine, *mended, *("wrapped",) * options.wrap)


def needed_bytes(part: Part, capabilities: Capabilities) -> int:
    """Return about how much memory a part takes, beside the photo, the fill's weights and the program itself."""
    return int(pixel_bytes(capabilities) * part.at_once_px + PHOTO_BYTES * part.region.area)


def pixel_bytes(capabilities: Capabilities) -> float:
    """Return what a fill takes for each pixel that it gets: as it says, else a guess on the safe side."""
    if capabilities.pixel_bytes is not None:
        return capabilities.pixel_bytes
    return NETWORK_BYTES if capabilities.trained or capabilities.gradual else PLAIN_BYTES


def _original(hole: HoleArray, capabilities: Capabilities, options: StrategyOptions, budget_bytes: float) -> list[Part]:
    (part,) = whole_of(hole)
    needed = needed_bytes(part, capabilities)
    if needed > budget_bytes:
        height, width = part.size
        raise InpaintError(
            f"strategy original needs about {gigabytes(needed)} for {width} x {height} pixels, "
            f"{gigabytes(budget_bytes)} may be used; take another strategy (auto, crop, resize, tile), or allow more "
            "(memory=16GB)"
        )
    return [part]


def _resize(hole: HoleArray, capabilities: Capabilities, options: StrategyOptions, budget_bytes: float) -> list[Part]:
    return [_fitting(part.within(options.resize_limit), capabilities, budget_bytes) for part in whole_of(hole)]


def _crop(hole: HoleArray, capabilities: Capabilities, options: StrategyOptions, budget_bytes: float) -> list[Part]:
    return [_fitting(part, capabilities, budget_bytes) for part in _cut(hole, capabilities, options)]


def _tile(hole: HoleArray, capabilities: Capabilities, options: StrategyOptions, budget_bytes: float) -> list[Part]:
    side = options.tile_size or tile_side(capabilities)
    return [
        _fitting(replace(part, tile_px=side) if max(part.size) > side else part, capabilities, budget_bytes)
        for part in _cut(hole, capabilities, options)
    ]


def _auto(hole: HoleArray, capabilities: Capabilities, options: StrategyOptions, budget_bytes: float) -> list[Part]:
    return [
        _fitting(_comfortable(part, capabilities, options), capabilities, budget_bytes)
        for part in _cut(hole, capabilities, options)
    ]


_STRATEGIES: Mapping[
    StrategyName, Callable[[HoleArray, Capabilities, StrategyOptions, float], list[Part]]
] = {"auto": _auto, "original": _original, "resize": _resize, "crop": _crop, "tile": _tile}  # fmt: skip


def _cut(hole: HoleArray, capabilities: Capabilities, options: StrategyOptions) -> list[Part]:
    return parts_of(
        hole, capabilities, margin_px=options.crop_margin, trigger_px=options.crop_trigger_size or 0
    )  # fmt: skip


def _comfortable(part: Part, capabilities: Capabilities, options: StrategyOptions) -> Part:
    """Return a part painted so small that a network knows holes of this size from its training."""
    if capabilities.trained_px is None or options.refine or capabilities.recolors:
        return part  # refinement begins with a size that the network knows, and harmonizers keep every detail
    longest = max(Region.around(part.hole).size)
    factor = HOLE_SHARE * capabilities.trained_px / longest
    return part.within(max(factor * max(part.size), capabilities.trained_px))


def _fitting(part: Part, capabilities: Capabilities, budget_bytes: float) -> Part:
    """Return a part painted so small, or in such tiles, that it takes no more memory than there is.

    Raises InpaintError where that would be too small to be worth anything.
    """
    needed = needed_bytes(part, capabilities)
    if needed <= budget_bytes:
        return part
    pixels = (budget_bytes - PHOTO_BYTES * part.region.area) / pixel_bytes(capabilities)
    if pixels >= LEAST_PX**2:
        factor = math.sqrt(pixels / part.at_once_px)
        if part.tile_px is not None:
            return replace(part, tile_px=int(factor * part.tile_px))
        return part.within(factor * max(part.size))
    height, width = part.region.size
    raise InpaintError(
        f"filling {width} x {height} pixels takes more than the {gigabytes(budget_bytes)} that may be used; allow more "
        "(memory=4GB), or close other programs"
    )


def smaller(part: Part) -> Part | None:
    """Return a part painted in tiles of half the side, or at half the size; None where that would be too small."""
    if part.tile_px is not None:
        return replace(part, tile_px=part.tile_px // 2) if part.tile_px >= 2 * LEAST_PX else None
    return part.within(max(part.size) // 2) if max(part.size) >= 2 * LEAST_PX else None


def tile_side(capabilities: Capabilities) -> int:
    """Return the side of a tile where nothing is said."""
    return TILE_PX if capabilities.trained_px is None else TILES_PER_SIDE * capabilities.trained_px


def gigabytes(size: float) -> str:
    """Return an amount of memory in words."""
    if size >= 0.95 * 2**30:
        return f"{size / 2**30:.1f} GB"
    return f"{size / 2**20:.0f} MB" if size >= 0.95 * 2**20 else f"{size / 2**10:.0f} KB"


def _parts(of: list[int]) -> str:
    return f"{len(of)} part{'s' if len(of) > 1 else ''}"


def _span(values: list[float]) -> str:
    low, high = f"{min(values):.2g}", f"{max(values):.2g}"
    return low if low == high else f"{low} to {high}"
