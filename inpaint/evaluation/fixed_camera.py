"""Removal against the truth: frames of a tripod's film, what moves as their holes, and the empty scene behind it."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint import arguments
from inpaint.errors import InputError, MaskError
from inpaint.evaluation.film import STEADY_PX, Mask, moving, scene_of, shift_px, universal_threshold
from inpaint.evaluation.protocols import fill_seed
from inpaint.evaluation.subjects import Rgb, Subject
from inpaint.images.films import Film
from inpaint.images.listing import find_photos
from inpaint.images.masks import dilate_hole, read_mask
from inpaint.images.photo import photo_of_array
from inpaint.images.writing import write_photo
from inpaint.masks import HoleMask

logger = logging.getLogger("inpaint.evaluation")

NAME, VERSION = "fixed_camera", 1
MOVING, SHADOWED, GIVEN = "moving", "moving_shadows", "given"
"""What the masks are called: found, found with shadows, read from files."""
FRAMES, MEDIAN_FRAMES = 40, 100
FEWEST_MEDIAN_FRAMES = 9  # with fewer, a pixel that is taken twice is not told from one that is free
SMALLEST_PX = 64
DILATE_SHARE = 0.01  # of the shorter side: edges are soft, and what compresses smears them over some pixels
MOST_MOVED = 0.25  # of the frames, shifted: a camera on a tripod is pushed now and then
LEAST_KNOWN = 0.5  # of the scene
MOST_NOISE = 0.05 * 255  # standard deviation: fills are no worse than such a truth
MOST_HOLE = 0.7  # of a frame: what covers more is a change of light or somebody before the lens
SCENE_NAME, UNKNOWN_NAME = "scene.png", "scene_unknown.png"


@dataclass(frozen=True)
class _Frame:
    """A frame with its hole, packed: as PNG, since subjects travel to every process."""

    number: int
    image: bytes
    hole: bytes

    @classmethod
    def of(cls, number: int, image: Rgb, hole: Mask) -> _Frame:
        _, packed = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        return cls(number, packed.tobytes(), np.packbits(hole).tobytes())

    @property
    def name(self) -> str:
        return f"frame-{self.number:06d}"

    def read(self) -> Rgb:
        decoded = cv2.imdecode(np.frombuffer(self.image, np.uint8), cv2.IMREAD_COLOR_RGB)
        return np.asarray(decoded, np.uint8)

    def holes(self, height: int, width: int) -> HoleMask:
        bits = np.unpackbits(np.frombuffer(self.hole, np.uint8), count=height * width)
        return bits.reshape(height, width)


class FixedCamera:
    """Single frames of a film from which what moves is removed; see `evaluation.subjects.Subjects`.

    The truth of a frame is the empty scene in its hole and the frame itself elsewhere, so that, as for photos, nothing
    but the hole differs from what a model completes. Where the scene is not known (`Scene.known`), nothing is compared.

    Args:
        film: A file that OpenCV reads.
        frames: How many frames, at even distances. Those in which nothing moves are left out.
        median_frames: Over how many the median is.
        threshold: Standard deviations of the noise from which on a pixel differs; None: see `evaluation.film`.
        smallest_px: Things of fewer pixels are left alone.
        dilate_px: By how much holes grow; None: 1 % of the shorter side.
        shadows: Whether holes take shadows, too.
        masks: A folder of masks called by the number of their frame (`frame-000120.png`) in place of what is found; the
            frames are those that have one.
        seed: With which stochastic models fill.

    Raises:
        InputError: The film cannot be read, has too few frames, is not of a fixed camera, or nothing moves in it.
        MaskError: A mask is none, or does not fit.
    """

    skipped = 0

    def __init__(
        self,
        film: str | Path,
        *,
        frames: int = FRAMES,
        median_frames: int = MEDIAN_FRAMES,
        threshold: float | None = None,
        smallest_px: int = SMALLEST_PX,
        dilate_px: int | None = None,
        shadows: bool = False,
        masks: str | Path | None = None,
        seed: int = 0,
    ) -> None:
        frames = arguments.integer("frames", frames, least=1)
        median_frames = arguments.integer("median_frames", median_frames, least=FEWEST_MEDIAN_FRAMES)
        smallest_px = arguments.integer("smallest_px", smallest_px, least=1)
        self.film = Film.open(film)
        if self.film.count < FEWEST_MEDIAN_FRAMES:
            raise InputError(f"'{film}' has {self.film.count} frames; at least {FEWEST_MEDIAN_FRAMES} make a scene")
        shorter = min(self.film.height, self.film.width)
        dilate = round(DILATE_SHARE * shorter) if dilate_px is None else arguments.integer("dilate_px", dilate_px)
        given = None if masks is None else _masks_by_number(Path(masks), self.film)
        chosen = self.film.evenly(frames) if given is None else _evenly(sorted(given), frames)
        over = self.film.evenly(median_frames)
        self.scene = scene_of(self.film, over, threshold=threshold)
        self._check_known()
        self._label = GIVEN if given is not None else SHADOWED if shadows else MOVING
        limit = universal_threshold(3 * self.film.height * self.film.width) if threshold is None else threshold
        found = {"threshold": round(limit, 4), "smallest_px": smallest_px, "shadows": shadows}
        self._about: dict[str, Any] = {"dilate_px": dilate, **({} if given is not None else found)}
        self._seed = seed
        self._frames: list[_Frame] = []
        shifts: dict[int, float] = {}
        empty, full = [], []
        for number, image in zip(chosen, self.film.frames(chosen), strict=True):
            shifts[number] = shift_px(image, self.scene)
            if shifts[number] > STEADY_PX:
                continue
            if given is None:
                hole = moving(
                    image, self.scene, threshold=limit, smallest_px=smallest_px, shadows=shadows, dilate_px=dilate
                )
            else:
                hole = dilate_hole(_mask_of(given[number], self.film), dilate)
            if not hole.any():
                empty.append(number)
            elif hole.mean() > MOST_HOLE:
                full.append(number)
            else:
                self._frames.append(_Frame.of(number, image, hole))
        self._check_steady(shifts)
        self.left_out = len(chosen) - len(self._frames)
        if not self._frames:
            raise InputError(
                f"nothing moves in '{film}': {len(empty)} of {len(chosen)} frames show the scene alone, {len(full)} "
                f"differ from it nearly everywhere; lower --threshold or name --masks"
            )
        if self.left_out:
            moved = len(chosen) - len(self._frames) - len(empty) - len(full)
            logger.warning(
                "%s: %d of %d frames are left out: nothing moves in %d, the camera in %d, nearly all differs in %d",
                film,
                self.left_out,
                len(chosen),
                len(empty),
                moved,
                len(full),
            )

    @property
    def labels(self) -> Sequence[str]:
        """See `Subjects`."""
        return (self._label,)

    def __len__(self) -> int:
        return len(self._frames)

    def name(self, index: int) -> str:
        """Return "frame-" and the frame's number."""
        return self._frames[index].name

    def read(self, index: int) -> Subject:
        """Return a frame and its truth."""
        frame = self._frames[index].read()
        hole = self.mask(self._label, index, *frame.shape[:2]).astype(bool)
        return Subject(frame, np.where(hole[..., None], self.scene.empty, frame), known=self.scene.known)

    def mask(self, label: str, index: int, height: int, width: int) -> HoleMask:
        """Return the hole of a frame, (H, W) uint8."""
        return self._frames[index].holes(height, width)

    def seen(self, label: str, index: int, subject: Subject, mask: HoleMask) -> Subject:
        """See `Subjects`."""
        return subject

    def fill_seed(self, index: int) -> int:
        """See `Subjects`."""
        return fill_seed(self._seed, self.name(index))

    def described(self) -> dict[str, Any]:
        """Return what decides the pictures, as a manifest holds it."""
        return {
            "name": NAME,
            "version": VERSION,
            "size": None,
            "seed": self._seed,
            "film": {"frames": self.film.count, "median_frames": self.scene.frames},
            "masks": {self._label: self._about},
        }

    def summary(self) -> str:
        """Return in one line what was found: the scene, its noise floor, what is not known of it, the holes."""
        holes = [self._frames[i].holes(self.film.height, self.film.width).mean() for i in range(len(self))]
        unknown = 100 * (1 - self.scene.known.mean())
        return (
            f"scene: median of {self.scene.frames} of {self.film.count} frames; still pixels of single frames lie "
            f"{self.scene.floor:.1f} levels of 255 from it ({self.scene.floor_db:.1f} dB); {unknown:.1f} % of it is "
            f"not known; {len(self)} frames, holes {100 * float(np.mean(holes)):.1f} % on average"
        )

    def write_scene(self, folder: Path) -> None:
        """Write the empty scene, and what is not known of it in white, as PNG."""
        write_photo(photo_of_array(self.scene.empty), folder / SCENE_NAME)
        unknown = np.where(self.scene.known, np.uint8(0), np.uint8(255))
        write_photo(photo_of_array(unknown), folder / UNKNOWN_NAME)

    def _check_known(self) -> None:
        if self.scene.noise > MOST_NOISE:
            raise InputError(
                f"'{self.film.path}' is not of a fixed camera, or too noisy: pixels differ from their median by "
                f"{self.scene.noise:.0f} of 255 levels (standard deviation); at most {MOST_NOISE:.0f} is a truth"
            )
        share = float(self.scene.known.mean())
        if share < LEAST_KNOWN:
            raise InputError(
                f"'{self.film.path}' is not of a fixed camera, or its light changes: {100 * (1 - share):.0f} % of the "
                f"pixels differ from their median in more than a third of the frames"
            )

    def _check_steady(self, shifts: dict[int, float]) -> None:
        moved = [shift for shift in shifts.values() if shift > STEADY_PX]
        if len(moved) > MOST_MOVED * len(shifts):
            raise InputError(
                f"'{self.film.path}' is not of a fixed camera: {len(moved)} of {len(shifts)} frames are shifted "
                f"against the median, by {float(np.median(moved)):.1f} pixels in the middle; film from a tripod"
            )


def _evenly(numbers: Sequence[int], wanted: int) -> list[int]:
    wanted = min(wanted, len(numbers))
    return [numbers[(2 * k + 1) * len(numbers) // (2 * wanted)] for k in range(wanted)]


def _masks_by_number(folder: Path, film: Film) -> dict[int, Path]:
    """Return the masks of a folder by the last number in their names, which is that of the frame."""
    found: dict[int, Path] = {}
    for path in find_photos(folder).paths():
        digits = re.findall(r"\d+", path.stem)
        if not digits or int(digits[-1]) >= film.count:
            raise MaskError(f"'{path}' does not name its frame: call it frame-000120.png, up to {film.count - 1}")
        if int(digits[-1]) in found:
            raise MaskError(f"'{path}' and '{found[int(digits[-1])]}' are of the same frame")
        found[int(digits[-1])] = path
    if not found:
        raise MaskError(f"'{folder}' holds no masks")
    return found


def _mask_of(path: Path, film: Film) -> Mask:
    mask: NDArray[np.bool_] = read_mask(path)
    if mask.shape != (film.height, film.width):
        raise MaskError(f"'{path}' has {mask.shape[1]}x{mask.shape[0]} pixels, the film {film.width}x{film.height}")
    return mask
