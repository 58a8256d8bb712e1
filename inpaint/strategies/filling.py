"""Carrying a plan out on one photo: cutting out, painting, putting back, whatever the photo's size."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import inpaint.seeds as seeds
from inpaint.errors import InpaintError
from inpaint.fills.arrays import mean_known
from inpaint.fills.request import ImageSeed
from inpaint.images.regions import Region
from inpaint.strategies.options import SeamName
from inpaint.strategies.parts import Part
from inpaint.strategies.planning import Plan, seam_of, smaller
from inpaint.strategies.scaling import Cut, HoleArray, Pixels, enlarged, reduced, reduced_plane
from inpaint.strategies.seams import mended, seam_windows
from inpaint.strategies.tiling import Canvas, Tile, tiles_of
from inpaint.system.environment import is_out_of_memory
from inpaint.types import Fill, Inpainter, Progress, ProgressCallback, Seed, StopFill

BATCH_PIXELS = 2**20  # of equal parts that a network is given together
BAND_PIXELS = 2**20  # of a large part as many pixels are enlarged at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Painting:
    """One fill of a whole photo.

    colors: (H, W, 3) in its hole, 0 elsewhere. score: higher = better, or None. warnings: what the fill says against
    its answer, with the part where there are several. strategy: what was done, in one line.
    """

    colors: NDArray[Any]
    score: float | None
    warnings: tuple[str, ...] = ()
    strategy: str = ""


def fill_plan(
    inpainter: Inpainter,
    cut: Cut,
    unknown: HoleArray,
    plan: Plan,
    *,
    guidance: Mapping[str, NDArray[Any]] | None = None,
    samples: int = 1,
    seed: Seed = 0,
    overlap_px: int | None = None,
    seam: SeamName = "auto",
    progress: ProgressCallback | None = None,
) -> list[Painting]:
    """Fill one photo as it was planned and return `samples` fills.

    Known pixels are not touched, so sample k of the photo is sample k of every part. A single part has the seed itself,
    as each further one has a seed derived from it. A part for which memory runs out is painted at half its size, or in
    tiles of half the side, unless the plan is that of `original`.

    Args:
        inpainter: The fill.
        cut: Returns a rectangle of the photo, (h, w, 3) floating point in [0, 1].
        unknown: (H, W), no fill sees what is there, apart from those that read holes.
        plan: Which of the unknown pixels are filled, and how.
        guidance: Planes (H, W, C) by name.
        samples: How many fills.
        seed: An integer, or a sequence of one.
        overlap_px: Over which tiles pass into each other; None: as suits them.
        seam: How the border of every hole is made good.
        progress: Told every step; previews are those of a part. When it raises StopFill, parts not reached get the mean
            color of what is known around them and the score -inf.

    Raises:
        InpaintError: The fill fails, for want of memory for instance.
    """
    work = _Work(inpainter, cut, unknown, guidance or {}, samples, seed, overlap_px, plan, progress)
    paintings: list[NDArray[Any]] = []
    scores = np.full((len(plan.parts), samples), np.nan)
    warnings: list[dict[int, Sequence[str]]] = [{} for _ in range(samples)]
    for number, painted in work.painted():
        part = plan.parts[number]
        # Pages of zeros take no memory until they are written to: this holds the hole alone.
        paintings = paintings or [np.zeros((*unknown.shape, 3), each.colors.dtype) for each in painted]
        for painting, each in zip(paintings, painted, strict=True):
            mending = seam_of(seam, enlarged=each.enlarged)
            for window, inside in _windows(part.hole, mending):
                place = window.moved(part.region.top, part.region.left)
                colors = each.window(window)
                if mending != "none":
                    colors = mended(mending, cut(place), unknown[place.slices], inside, colors)
                painting[place.slices][inside] = colors[inside].clip(0, 1)
        scores[number] = [each.score for each in painted]
        for told, each in zip(warnings, painted, strict=True):
            told[number] = each.warnings
    weights = [np.count_nonzero(part.hole) for part in plan.parts]
    means = np.average(scores, axis=0, weights=weights)  # NaN where there are no scores
    done = "; ".join([str(plan), *work.notes])
    return [
        Painting(
            colors=colors,
            score=None if np.isnan(score) else float(score),
            warnings=tuple(f"{_part(number, plan)}{text}" for number in sorted(said) for text in said[number]),
            strategy=done,
        )
        for colors, score, said in zip(paintings, means, warnings, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class _Painted:
    """One sample of one part. colors: (h, w, 3), at the size that it was painted at. size: the part's own."""

    colors: Pixels
    size: tuple[int, int]
    score: float
    warnings: tuple[str, ...]

    @property
    def enlarged(self) -> bool:
        """Whether it was painted smaller than the part is."""
        return self.colors.shape[:2] != self.size

    def window(self, window: Region) -> Pixels:
        """Return a window of the part, (h, w, 3), at the photo's scale."""
        return enlarged(self.colors, self.size, window) if self.enlarged else self.colors[window.slices]


@dataclass(frozen=True, eq=False)
class _Given:
    """What the fill of a part is given: image (h, w, 3), unknown (h, w), planes (h, w, C) by name."""

    image: Pixels
    unknown: HoleArray
    guidance: Mapping[str, NDArray[Any]]

    def seen_in(self, window: Region, image: Pixels, unknown: HoleArray) -> _Given:
        """Return a window of it, with what is there by now."""
        planes = {name: plane[window.slices] for name, plane in self.guidance.items()}
        return _Given(image[window.slices], unknown, planes)


class _Work:
    """The parts of one photo and how they are painted; notes: what was done beside the plan."""

    def __init__(
        self,
        inpainter: Inpainter,
        cut: Cut,
        unknown: HoleArray,
        guidance: Mapping[str, NDArray[Any]],
        samples: int,
        seed: Seed,
        overlap_px: int | None,
        plan: Plan,
        progress: ProgressCallback | None,
    ) -> None:
        self.inpainter, self.cut, self.unknown, self.guidance = inpainter, cut, unknown, guidance
        self.samples, self.seed, self.overlap_px, self.plan = samples, seed, overlap_px, plan
        self.steps = _Steps([part.region.area for part in plan.parts], progress)
        self.notes: list[str] = []

    def painted(self) -> Iterator[tuple[int, list[_Painted]]]:
        """Yield the parts by number with the samples of each; equal parts are painted together."""
        for numbers in self._batches():
            yield from zip(numbers, self._paint(numbers, [self.plan.parts[number] for number in numbers]), strict=True)

    def _batches(self) -> list[list[int]]:
        """Return the numbers of parts that are painted together, ordered by their first.

        The first part of a fill that draws at random has the photo's seed and is painted alone.
        """
        capabilities = self.inpainter.capabilities
        batches: list[list[int]] = []
        room: dict[tuple[int, int], list[int]] = {}
        for number, part in enumerate(self.plan.parts):
            alone = not capabilities.trained or part.tile_px is not None or (number == 0 and capabilities.stochastic)
            batch = [] if alone else room.get(part.size, [])
            if not batch or (len(batch) + 1) * part.at_once_px > BATCH_PIXELS:
                batches.append(batch := [])
                if not alone:
                    room[part.size] = batch
            batch.append(number)
        return batches

    def _paint(self, numbers: Sequence[int], parts: Sequence[Part]) -> list[list[_Painted]]:
        """Return the samples of each part; smaller ones, or one after the other, where memory runs out."""
        try:
            if parts[0].tile_px is not None:
                return [self._in_tiles(numbers[0], parts[0], parts[0].tile_px)]
            return self._at_once(numbers, parts)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or self.plan.strategy == "original":
                raise
            failed = str(error)
        # Outside of the handler, whose traceback keeps what took the memory.
        if len(parts) > 1:
            return [self._paint([number], [part])[0] for number, part in zip(numbers, parts, strict=True)]
        less = smaller(parts[0])
        if less is None:
            raise MemoryError(failed)
        how = f"in tiles of {less.tile_px} px" if less.tile_px is not None else f"reduced to {less.scale:.2g}"
        self.notes.append(f"{_part(numbers[0], self.plan)}memory ran out, {how}")
        return self._paint(numbers, [less])

    def _at_once(self, numbers: Sequence[int], parts: Sequence[Part]) -> list[list[_Painted]]:
        given = [self._given(part) for part in parts]
        fills = self._fills(numbers, given, seed=self._seed_of(numbers), samples=self.samples)
        return [
            [self._sample_of(fill, row, part, given[row]) for fill in fills] for row, part in enumerate(parts)
        ]  # fmt: skip

    def _in_tiles(self, number: int, part: Part, side_px: int) -> list[_Painted]:
        """Paint a part tile by tile; all tiles of a sample draw from one seed, so that one style goes through."""
        given = self._given(part)
        hole = part.hole if part.working is None else given.unknown
        multiple_px = self.inpainter.capabilities.multiple_px
        tiles = tiles_of(hole, side_px, overlap_px=self.overlap_px, multiple_px=multiple_px)
        own = self._seed_of([number])
        plain = ImageSeed.of_each(own, 1)[0].integer()
        painted = []
        for sample in range(self.samples):
            seed = own if sample == 0 else seeds.integer(plain, seeds.SAMPLE, sample)
            painted.append(self._tiled(number, part, given, hole, tiles, seed=seed, sample=sample))
        return painted

    def _tiled(
        self, number: int, part: Part, given: _Given, hole: HoleArray, tiles: list[Tile], *, seed: Seed, sample: int
    ) -> _Painted:
        canvas = Canvas(given.image, given.unknown, hole)
        scores, weights, warnings = [], [], list[str]()
        for done, tile in enumerate(canvas.order(tiles)):
            seen = given.seen_in(tile.window, canvas.image, canvas.unseen_by(tile))
            share = (sample * len(tiles) + done, self.samples * len(tiles))
            (fill,) = self._fills([number], [seen], seed=seed, samples=1, share=share)
            canvas.paint(tile, _colors_of(fill, 0, seen, name=self.inpainter.name))
            scores.append(_score(fill, 0, seen))
            weights.append(np.count_nonzero(hole[tile.painted.slices]))
            warnings += [] if fill is None else fill.warnings
        score = float(np.average(scores, weights=weights))
        return _Painted(canvas.raw(), part.region.size, score, tuple(dict.fromkeys(warnings)))

    def _given(self, part: Part) -> _Given:
        """Cut a part out of the photo, at the size that it is painted at."""
        rows = part.region.slices
        planes = {name: plane[rows] for name, plane in self.guidance.items()}
        if part.working is None:
            return _Given(self.cut(part.region), self.unknown[rows], planes)
        can = self.inpainter.capabilities
        image, unknown = reduced(self.cut, part.region, self.unknown[rows], part.size, whole=can.reads_hole)
        small = {name: reduced_plane(plane, part.size, can.guidance[name].scales) for name, plane in planes.items()}
        return _Given(image, unknown, small)

    def _fills(
        self,
        numbers: Sequence[int],
        given: Sequence[_Given],
        *,
        seed: Seed,
        samples: int,
        share: tuple[int, int] = (0, 1),
    ) -> Sequence[Fill[Any] | None]:
        """Return the fills of several images, None for each where the caller has asked to stop before."""
        if self.steps.stopped or not any(each.unknown.any() for each in given):
            return [None] * samples
        return self.inpainter.fill_arrays(
            np.stack([each.image for each in given]),
            np.stack([each.unknown for each in given])[..., None].astype(np.float32),
            guidance={name: np.stack([each.guidance[name] for each in given]) for name in self.guidance},
            samples=samples,
            seed=seed,
            progress=self.steps.of(numbers, share),
        )

    def _seed_of(self, numbers: Sequence[int]) -> Seed:
        """Return the seeds of parts: the photo's own of the first alone, else derived from it."""
        if list(numbers) == [0]:
            return self.seed
        own = ImageSeed.of_each(self.seed, 1)[0].integer()
        return [own if number == 0 else seeds.integer(own, seeds.PART, number) for number in numbers]

    def _sample_of(self, fill: Fill[Any] | None, row: int, part: Part, given: _Given) -> _Painted:
        colors = _colors_of(fill, row, given, name=self.inpainter.name)
        warnings = () if fill is None else fill.warnings
        return _Painted(colors, part.region.size, _score(fill, row, given), warnings)


class _Steps:
    """Progress over all parts, by their areas, since that is what a part costs."""

    def __init__(self, areas: Sequence[int], progress: ProgressCallback | None) -> None:
        self.stopped = False
        self._areas = areas
        self._done: set[int] = set()
        self._progress = progress
        self._started = time.monotonic()

    def of(self, numbers: Sequence[int], share: tuple[int, int] = (0, 1)) -> ProgressCallback | None:
        """Return what the fill of some parts is told to call; share: which call of how many for these it is."""
        tell = self._progress
        if tell is None or (len(self._areas) == 1 and share == (0, 1)):
            return self._stopping(tell)
        before, calls = share
        earlier = self._done - set(numbers)
        area_before, own = (sum(self._areas[number] for number in some) for some in (earlier, numbers))

        def report(step: Progress) -> None:
            within = (before + step.done / step.total) / calls
            if within >= 1:
                self._done |= set(numbers)
            done = (area_before + own * within) / sum(self._areas)
            elapsed_s = time.monotonic() - self._started
            each = step.total * calls // len(numbers)  # steps of one part
            tell(
                Progress(
                    done=len(earlier) * each + before * step.total + step.done,
                    total=len(self._areas) * each,
                    remaining_s=elapsed_s * (1 / done - 1) if done else None,
                    preview=step.preview,
                )
            )

        return self._stopping(report)

    def _stopping(self, tell: ProgressCallback | None) -> ProgressCallback | None:
        if tell is None:
            return None

        def report(step: Progress) -> None:
            try:
                tell(step)
            except StopFill:
                self.stopped = True
                raise

        return report


def _part(number: int, plan: Plan) -> str:
    return f"part {number + 1} of {len(plan.parts)}: " if len(plan.parts) > 1 else ""


def _windows(hole: HoleArray, seam: SeamName) -> Iterator[tuple[Region, HoleArray]]:
    """Yield the windows in which what was painted is put into the photo, and the hole in each.

    With a seam, the holes with what it reads around them; else the bounding box in bands of bounded area.
    """
    if seam != "none":
        yield from seam_windows(hole)
        return
    box = Region.around(hole)
    rows = max(BAND_PIXELS // box.size[1], 1)
    for top in range(box.top, box.bottom, rows):
        window = replace(box, top=top, bottom=min(top + rows, box.bottom))
        yield window, hole[window.slices]


def _colors_of(fill: Fill[Any] | None, row: int, given: _Given, *, name: str) -> Pixels:
    """Return what was painted of one image (h, w, 3): the fill in the hole, what it painted of the rest elsewhere.

    Where the fill was not reached it is the mean color of what is known.
    """
    if fill is None:
        plain = mean_known(given.image.transpose(2, 0, 1), given.unknown[None])  # (3, 1, 1)
        return np.where(given.unknown[..., None], plain[:, 0, 0], given.image)
    if fill.completed.shape[1:] != given.image.shape or len(fill.completed) <= row:
        raise InpaintError(f"{name} returned {fill.completed.shape} for images of {given.image.shape}")
    colors: Pixels = np.where(given.unknown[..., None], fill.completed[row], fill.raw[row])
    return colors


def _score(fill: Fill[Any] | None, row: int, given: _Given) -> float:
    """Return the score of one image; NaN where there is none, -inf where the fill was not reached."""
    if fill is None:
        return -np.inf if given.unknown.any() else np.nan
    return np.nan if fill.score is None else float(fill.score[row])
