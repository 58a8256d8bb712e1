"""How well what is found meets what was drawn into photos, pixel by pixel, and how good the fill of it is."""

from __future__ import annotations

import logging
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from inpaint.benchmark.damages import DAMAGES, Damage
from inpaint.finding.watermark import LEAST_PHOTOS
from inpaint.images.hole_files import hole_over
from inpaint.images.mask_rules import Hole
from inpaint.images.photo import Photo, photo_of_array, to_uint8
from inpaint.images.sheets import Rgb
from inpaint.metrics import psnr
from inpaint.pipeline.photo import fill_photo
from inpaint.types import Inpainter

CHANGED = 8  # of 255: a pixel that changed by more is damaged
NEAR_PX = 3  # so far from damage a found pixel still counts as near: finders take a margin

_log = logging.getLogger("inpaint.benchmark")


@dataclass(frozen=True, kw_only=True)
class Score:
    """How well the damage of one photo was found.

    Args:
        precision: Share of what was found that is damaged.
        near: Share of what was found that lies within 3 pixels of damage.
        recall: Share of the damage that was found.
        false_alarm: Share of the photo without damage in which something was found; None where it was not looked for.
    """

    precision: float
    near: float
    recall: float
    false_alarm: float | None


@dataclass(frozen=True, kw_only=True)
class FillScore:
    """PSNR in dB against the photo without damage: of the damaged photo, and filled by the true and the found hole.

    hole_...: over the damaged pixels; whole_...: over the whole photo, so that what was filled for nothing counts, too.
    """

    hole_damaged: float
    hole_true: float
    hole_found: float
    whole_damaged: float
    whole_true: float
    whole_found: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Finding:
    """What was found in one photo. fill: where it was filled; shown: images (H, W, 3) with their headings."""

    name: str
    score: Score
    fill: FillScore | None
    shown: Mapping[str, Rgb]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Case:
    """A photo (H, W, 3), the same with damage, and where that is."""

    name: str
    image: Rgb
    worse: Photo
    damaged: Hole


def score(found: Hole, damaged: Hole, found_without: Hole | None) -> Score:
    """Return the score of a hole (H, W); shares of nothing are 1."""
    side = 2 * NEAR_PX + 1
    around = cv2.dilate(damaged.astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool)

    def share(part: Hole, whole: Hole) -> float:
        return float(part[whole].mean()) if whole.any() else 1.0

    return Score(
        precision=share(damaged, found),
        near=share(around, found),
        recall=share(found, damaged),
        false_alarm=None if found_without is None else float(found_without.mean()),
    )


def measured(
    what: str,
    photos: Iterable[tuple[str, Photo]],
    *,
    sensitivity: float,
    seed: int,
    inpainter: Inpainter | None = None,
) -> Iterator[Finding]:
    """Damage every photo, look for the damage, and yield what was found of it.

    What is shared by a batch is drawn into all photos of a size; sizes of fewer than 6 photos are left out.

    Args:
        what: A key of `DAMAGES`, which is what is looked for as well.
        photos: With names; the damage depends on the name and the seed alone, shared damage on the size and the seed.
        sensitivity: Of the finder.
        seed: Of the damage.
        inpainter: Fills what was found, and what was drawn.

    Raises:
        InputError: No size has enough photos.
    """
    damage = DAMAGES[what]
    for batch in _batches(photos, together=damage.shared):
        cases = [_case(what, damage, name, photo, seed) for name, photo in batch]
        truths = [case.damaged for case in cases]
        found = damage.look([case.worse for case in cases], truths, sensitivity)
        clean = [photo_of_array(case.image) for case in cases]
        without = [None] * len(cases) if damage.boxed else damage.look(clean, truths, sensitivity)
        for case, hole, alarm in zip(cases, found, without, strict=True):
            fills = {} if inpainter is None else _fills(case, hole, inpainter)
            yield Finding(
                name=case.name,
                score=score(hole, case.damaged, alarm),
                fill=_fill_score(case, *fills.values()) if fills else None,
                shown={"damaged": case.worse.pixels, "found": _shown(case, hole), **fills},
            )


def means(scores: Sequence[Score] | Sequence[FillScore]) -> dict[str, float | None]:
    """Return the mean of every figure, by its name; None where there is none."""
    figures = [asdict(each) for each in scores]
    return {
        key: None if first is None else statistics.fmean(each[key] for each in figures)
        for key, first in figures[0].items()
    }


def _batches(photos: Iterable[tuple[str, Photo]], *, together: bool) -> Iterator[list[tuple[str, Photo]]]:
    """Yield photos that are looked at together: one by one, or all of a size; of the sizes, those with enough."""
    if not together:
        yield from ([photo] for photo in photos)
        return
    sizes: dict[tuple[int, int], list[tuple[str, Photo]]] = {}
    for name, photo in photos:
        sizes.setdefault((photo.height, photo.width), []).append((name, photo))
    # Where no size has enough photos the finder says how many it needs.
    least = min(LEAST_PHOTOS, max(map(len, sizes.values()), default=0))
    for (height, width), batch in sizes.items():
        if len(batch) >= least:
            yield batch
        else:
            _log.warning("%d x %d pixels: photos are left out, only %d there", width, height, len(batch))


def _case(what: str, damage: Damage, name: str, photo: Photo, seed: int) -> _Case:
    image = to_uint8(photo.pixels)
    drawn_for = what if damage.shared else f"{what} {Path(name).stem}"
    colors, opacity = damage.draw(np.random.default_rng([seed, crc32(drawn_for.encode())]), image)
    mixed = np.rint(image * (1 - opacity[..., None]) + colors * opacity[..., None]).astype(np.uint8)
    damaged = np.abs(mixed.astype(np.int16) - image).max(axis=2) > CHANGED
    if damage.solid:
        damaged |= opacity > 0.5
    return _Case(name=name, image=image, worse=photo_of_array(mixed), damaged=damaged)


def _shown(case: _Case, found: Hole) -> Rgb:
    """Return the damaged photo with what was found in red and what was missed in green."""
    shown = hole_over(case.worse, found)
    shown[case.damaged & ~found] = (0, 255, 0)
    return shown


def _fills(case: _Case, found: Hole, inpainter: Inpainter) -> dict[str, Rgb]:
    """Return the photo filled by the true and by the found hole, by heading; without a hole it is the damaged one."""
    holes = {"filled, true": case.damaged, "filled, found": found}
    return {
        name: to_uint8(fill_photo(case.worse, hole, inpainter).pixels) if hole.any() else case.worse.pixels
        for name, hole in holes.items()
    }


def _fill_score(case: _Case, true: Rgb, found: Rgb) -> FillScore:
    hole = torch.from_numpy(case.damaged)[None, None].float()

    def over(image: Rgb, mask: torch.Tensor | None) -> float:
        return psnr(_tensor(image), _tensor(case.image), mask).item()

    images = {"damaged": case.worse.pixels, "true": true, "found": found}
    everywhere = {f"whole_{name}": over(image, None) for name, image in images.items()}
    return FillScore(**{f"hole_{name}": over(image, hole) for name, image in images.items()}, **everywhere)


def _tensor(image: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].float() / 255
