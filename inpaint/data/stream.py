"""Samples by number: the training stream, which never ends, and the fixed validation set."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from inpaint.data.config import DataConfig
from inpaint.data.order import PassOrder
from inpaint.data.pixels import CenterView, Picture, RandomView
from inpaint.data.randomness import EDGES, MASK, PIXELS, SKETCH, VAL_MASK, generator
from inpaint.data.sketches import canny_sketch, file_sketch
from inpaint.data.sources import PhotoSource
from inpaint.errors import DataError, InputError, UsageError, unknown
from inpaint.images.edges import CannyOptions, canny, luma
from inpaint.masks import Mask, parse_mask

logger = logging.getLogger("inpaint.data")

PLANES = frozenset({"sketch", "edges_true", "edges_known"})
_GIVE_UP = 100  # photographs in a row that cannot be decoded


class Reader:
    """Decodes photographs, and goes on to the next one where that fails.

    Photographs that passed the header check and cannot be decoded are named once, whichever worker process meets them
    first, and counted; the count is shared by all processes of one loader.
    """

    def __init__(self, source: PhotoSource, *, with_sketch: bool) -> None:
        self.source = source
        self.with_sketch = with_sketch
        self.bad = torch.zeros(len(source), dtype=torch.uint8)
        self.bad.share_memory_()  # type: ignore[no-untyped-call]

    def first(self, candidates: Iterator[int]) -> tuple[Picture, Picture | None]:
        """Decode the first candidate that can be: photo (H, W, 3), and its edge map (H, W) when sketches are files.

        Raises DataError after a hundred failures in a row, or when no candidate is left.
        """
        failed = ""
        for index in islice(candidates, _GIVE_UP):
            try:
                photo = self.source.read(index)
                return photo, self._edges(index, photo) if self.with_sketch else None
            except InputError as error:
                failed = failed or f"{self.source.name(index)}: {error}"
                if not self.bad[index]:
                    self.bad[index] = 1
                    logger.warning("replaced by the next photograph: %s: %s", self.source.name(index), error)
        raise DataError(f"none of the photographs tried can be decoded; the first was {failed}")

    def replaced(self) -> int:
        """Return how many photographs could not be decoded so far."""
        return int(self.bad.count_nonzero())

    def _edges(self, index: int, photo: Picture) -> Picture:
        edges = self.source.read_sketch(index)
        if edges.shape != photo.shape[:2]:
            (height, width), (want_height, want_width) = edges.shape, photo.shape[:2]
            raise InputError(f"its sketch is {width}x{height} pixels, the photograph {want_width}x{want_height}")
        return edges


class SampleStream(Dataset[dict[str, Any]]):
    """Endless training samples; sample n depends on (seed, n) alone.

    stream[n] is {"image": (3, S, S) float32 RGB in [0, 1], "mask": (1, S, S) float32, 1 = hole, "number": n} and those
    of `planes`, each (1, S, S) float32, 1 = line: "sketch", only inside the hole; "edges_true", Canny's edges of the
    whole picture; "edges_known", those of the known pixels alone, whatever the hole holds. A photograph that cannot be
    decoded is replaced by the next one of the pass; crop, flip and mask stay those of n.
    """

    def __init__(
        self,
        source: PhotoSource,
        indices: NDArray[np.int64],
        config: DataConfig,
        *,
        seed: int,
        planes: frozenset[str] = frozenset(),
        canny: CannyOptions | None = None,
    ) -> None:
        groups = source.groups
        self.source = source
        self.indices = indices
        self.config = config
        self.seed = seed
        self.planes = checked_planes(planes)
        self.canny = canny or CannyOptions()
        self.order = PassOrder(
            len(indices), seed=seed, groups=None if groups is None else groups[indices], window=config.window
        )
        self.view = RandomView(config.size, crop=config.crop, flip=config.flip, color_jitter=config.color_jitter)
        self.mask: Mask = parse_mask(config.masks)
        self.reader = Reader(source, with_sketch="sketch" in planes and config.sketch == "file")

    def __getitem__(self, number: int) -> dict[str, Any]:
        photo, edges = self.view(*self.reader.first(self._candidates(number)), generator(PIXELS, self.seed, number))
        mask = self.mask.draw(generator(MASK, self.seed, number), *photo.shape[:2])
        lines = dict[str, Picture]()
        if "sketch" in self.planes:
            sigma_px = generator(SKETCH, self.seed, number).uniform(*self.config.sketch_sigma)
            lines["sketch"] = _sketch(photo, edges, mask, sigma_px=sigma_px, threshold=self.config.sketch_threshold)
        sigma_px = self.canny.draw_px(generator(EDGES, self.seed, number))
        return _sample(photo, mask, {**lines, **_edges(photo, mask, self.planes, sigma_px=sigma_px)}, number)

    @property
    def photographs(self) -> int:
        """Return the number of photographs, which is the number of samples in a pass."""
        return len(self.indices)

    def _candidates(self, number: int) -> Iterator[int]:
        """Yield the photograph of sample `number`, then those that replace it, in the order of the pass."""
        turn, position = self.order.locate(number)
        permutation = self.order.permutation(turn)
        for step in range(len(permutation)):
            yield int(self.indices[permutation[(position + step) % len(permutation)]])


class FixedSamples(Dataset[dict[str, Any]]):
    """The validation set: sample i is photo i, resized and cut in the middle, with the mask of (seed, i).

    Items are as those of SampleStream; sketches are smoothed by the middle of the range of sigma, edges by their fixed
    sigma. A photograph that cannot be decoded is replaced by the next.
    """

    def __init__(
        self,
        source: PhotoSource,
        indices: NDArray[np.int64],
        config: DataConfig,
        *,
        planes: frozenset[str] = frozenset(),
        canny: CannyOptions | None = None,
    ) -> None:
        self.source = source
        self.indices = indices
        self.config = config
        self.planes = checked_planes(planes)
        self.canny = canny or CannyOptions()
        self.view = CenterView(config.size)
        self.mask: Mask = parse_mask(config.masks if config.val_masks is None else config.val_masks)
        self.reader = Reader(source, with_sketch="sketch" in planes and config.sketch == "file")

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, number: int) -> dict[str, Any]:
        if not 0 <= number < len(self):
            raise IndexError(f"validation sample {number} of {len(self)}")
        photo, edges = self.view(*self.reader.first(self._candidates(number)))
        mask = self.mask.draw(generator(VAL_MASK, self.config.val_seed, number), *photo.shape[:2])
        lines = dict[str, Picture]()
        if "sketch" in self.planes:
            middle_px = sum(self.config.sketch_sigma) / 2
            lines["sketch"] = _sketch(photo, edges, mask, sigma_px=middle_px, threshold=self.config.sketch_threshold)
        known = _edges(photo, mask, self.planes, sigma_px=self.canny.sigma_px)
        return _sample(photo, mask, {**lines, **known}, number)

    def _candidates(self, number: int) -> Iterator[int]:
        for step in range(len(self)):
            yield int(self.indices[(number + step) % len(self)])


def checked_planes(planes: frozenset[str]) -> frozenset[str]:
    """Return `planes`, or raise UsageError for one that the data cannot make."""
    for plane in sorted(planes - PLANES):
        raise UsageError(unknown("plane", plane, PLANES))
    return planes


def _sketch(photo: Picture, edges: Picture | None, mask: Picture, *, sigma_px: float, threshold: float) -> Picture:
    """Return (H, W), 1 = line, from the edge map of a file or, without one, from the photograph itself."""
    lines = canny_sketch(photo, sigma_px) if edges is None else file_sketch(edges, threshold)
    return lines * mask


def _edges(photo: Picture, mask: Picture, planes: frozenset[str], *, sigma_px: float) -> dict[str, Picture]:
    """Return those edge maps (H, W) that `planes` has.

    A mirrored picture has the mirrored edges, to the pixel: they may as well be found after the flip as before it.
    """
    if planes.isdisjoint({"edges_true", "edges_known"}):
        return {}
    gray, maps = luma(photo / 255), dict[str, Picture]()
    if "edges_true" in planes:
        maps["edges_true"] = canny(gray, sigma_px).astype(np.uint8)
    if "edges_known" in planes:
        maps["edges_known"] = canny(gray, sigma_px, known=mask == 0).astype(np.uint8)
    return maps


def _sample(photo: Picture, mask: Picture, lines: Mapping[str, Picture], number: int) -> dict[str, Any]:
    """Return tensors on our scale from uint8 planes."""
    planes: dict[str, Any] = {
        "image": torch.from_numpy(np.divide(photo.transpose(2, 0, 1), np.float32(255), order="C", dtype=np.float32)),
        "mask": torch.from_numpy(mask[None].astype(np.float32)),  # (1, S, S)
        "number": number,
    }
    for name, plane in lines.items():
        planes[name] = torch.from_numpy(plane[None].astype(np.float32))  # (1, S, S)
    return planes
