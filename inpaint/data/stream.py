"""Samples by number: the training stream, which never ends, and the fixed validation set."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from inpaint import seeds
from inpaint.data.config import DataConfig
from inpaint.data.order import EpochOrder
from inpaint.data.paired import PairedMasks, around_hole, center_on_hole
from inpaint.data.pixels import CenterView, ImageArray, RandomView
from inpaint.data.planes import SamplePlanes
from inpaint.data.sources import PhotoSource
from inpaint.data.styles import Styles
from inpaint.errors import DataError, InputError
from inpaint.images.planes import PlaneArray, SampleParts, StyleSample
from inpaint.images.regions import Region
from inpaint.masks import Folder, HoleMask, Mask, Paired, parse_mask, with_both
from inpaint.types import Plane

logger = logging.getLogger("inpaint.data")

_GIVE_UP = 100  # photos in a row that cannot be decoded


@dataclass(frozen=True)
class Decoded:
    """A photo (H, W, 3) as it lies on disk, with its companion and its own mask (H, W), 1 = hole, where it has them.

    index: of the photo in its source.
    """

    image: ImageArray
    companion: ImageArray | None = None
    hole: HoleMask | None = None
    index: int = -1

    def within(self, region: Region) -> Decoded:
        """Return a part of it."""
        companion = None if self.companion is None else self.companion[region.slices]
        hole = None if self.hole is None else self.hole[region.slices]
        return Decoded(self.image[region.slices], companion, hole, self.index)

    def viewed(self, view: Callable[[ImageArray, ImageArray | None], tuple[ImageArray, ImageArray | None]]) -> Decoded:
        """Return what a view makes of it, of all alike."""
        if self.hole is None:
            return Decoded(*view(self.image, self.companion), index=self.index)
        planes = [self.hole * np.uint8(255), *([] if self.companion is None else [self.companion])]
        image, cut = view(self.image, np.dstack(planes) if len(planes) > 1 else planes[0])
        assert cut is not None
        hole = cut if cut.ndim == 2 else cut[..., 0]
        return Decoded(image, None if cut.ndim == 2 else cut[..., 1], (hole >= 128).astype(np.uint8), self.index)


class Reader:
    """Decodes photos, and goes on to the next one where that fails.

    Photos that passed the header check and cannot be decoded are named once, whichever worker process meets them first,
    and counted; the count is shared by all processes of one loader. So are files of mask folders.
    """

    def __init__(self, source: PhotoSource, mask: Mask, *, with_companion: bool) -> None:
        self.source = source
        self.with_companion = with_companion
        self.paired = PairedMasks(mask, source) if isinstance(mask, Paired) else None
        self.bad = _shared_zeros(len(source))
        self.folders = [part for part in mask.parts() if isinstance(part, Folder)]
        for folder in self.folders:
            folder.replace_damaged(_shared_zeros)

    def first(self, candidates: Iterator[int], rng: np.random.Generator) -> Decoded:
        """Decode the first candidate that can be, with its companion where one is needed and its mask where it has one.

        Args:
            candidates: Photos by number, in the order in which they are tried.
            rng: Chooses among several masks of a photo.

        Raises:
            DataError: A hundred failures in a row, or no candidate is left.
        """

        def read(index: int) -> Decoded:
            image = self.source.read(index)
            companion = self._companion(index, image) if self.with_companion else None
            hole = None if self.paired is None else self.paired.read(index, image.shape[:2], rng)
            return Decoded(image, companion, hole, index)

        return self._first(candidates, read)

    def another(self, candidates: Iterator[int]) -> Decoded:
        """Decode the first candidate that can be, the photo alone. Raises DataError as `first`."""
        return self._first(candidates, lambda index: Decoded(self.source.read(index), index=index))

    def _first(self, candidates: Iterator[int], read: Callable[[int], Decoded]) -> Decoded:
        failed = ""
        for index in islice(candidates, _GIVE_UP):
            try:
                return read(index)
            except InputError as error:
                failed = failed or f"{self.source.name(index)}: {error}"
                if not self.bad[index]:
                    self.bad[index] = 1
                    logger.warning("replaced by the next photo: %s: %s", self.source.name(index), error)
        raise DataError(f"none of the photos tried can be decoded; the first was {failed}")

    def replaced(self) -> int:
        """Return how many photos could not be decoded so far."""
        return int(self.bad.count_nonzero())

    def replaced_masks(self) -> set[str]:
        """Return the files of mask folders that could not be read so far."""
        return {file for folder in self.folders for file in folder.damaged}

    def _companion(self, index: int, image: ImageArray) -> ImageArray:
        companion = self.source.read_companion(index)
        if companion.shape != image.shape[:2]:
            (height, width), (want_height, want_width) = companion.shape, image.shape[:2]
            raise InputError(f"its companion is {width}x{height} pixels, the photo {want_width}x{want_height}")
        return companion


class SampleStream(Dataset[dict[str, Any]]):
    """Endless training samples; sample n depends on (seed, n) alone.

    stream[n] is {"image": (3, S, S) float32 RGB in [0, 1], "mask": (1, S, S) float32, 1 = hole, "number": n} and every
    one of `planes` by its name, (C, S, S) float32. A photo that cannot be decoded is replaced by the next one of the
    epoch; crop, flip and mask stay those of n.
    """

    def __init__(
        self,
        source: PhotoSource,
        indices: NDArray[np.int64],
        config: DataConfig,
        *,
        seed: int,
        planes: Sequence[Plane] = (),
    ) -> None:
        groups = source.groups
        self.source = source
        self.indices = indices
        self.seed = seed
        self.planes = SamplePlanes(planes, config.planes)
        self.order = EpochOrder(
            len(indices), seed=seed, groups=None if groups is None else groups[indices], window=config.window
        )
        self.view = RandomView(config.size, crop=config.crop, flip=config.flip, color_jitter=config.color_jitter)
        self.mask: Mask = parse_mask(config.masks)
        self.reader = Reader(source, self.mask, with_companion=self.planes.need_companion)
        self.styles = Styles.of(config, seed=seed) if self.planes.need_style else None

    def __getitem__(self, number: int) -> dict[str, Any]:
        seed, rng = self.seed, seeds.generator(self.seed, seeds.MASK, number)
        decoded = self.reader.first(self._candidates(number), rng)
        if decoded.hole is not None:
            # A crop that misses the hole would teach nothing.
            decoded = decoded.within(around_hole(decoded.hole, self.view.side(*decoded.image.shape[:2]), rng))
        cut = decoded.viewed(partial(self.view, rng=seeds.generator(seed, seeds.PIXELS, number)))
        return _sample(
            cut,
            self.mask,
            rng,
            partial(self.planes.make, seed=seed, number=number, fixed=False),
            another=partial(self._another, number, cut.index),
            style=None if self.styles is None else partial(self.styles.training, number),
            number=number,
        )

    def _another(self, number: int, index: int) -> ImageArray:
        """Return a second photo for sample `number`, cut as the first, photo `index`, is."""
        rng = seeds.generator(self.seed, seeds.ANOTHER, number)
        return self.reader.another(_others(self.indices, index, rng)).viewed(partial(self.view, rng=rng)).image

    def _candidates(self, number: int) -> Iterator[int]:
        """Yield the photo of sample `number`, then those that replace it, in the order of the epoch."""
        epoch, position = divmod(number, self.order.count)
        permutation = self.order.permutation(epoch)
        for step in range(len(permutation)):
            yield int(self.indices[permutation[(position + step) % len(permutation)]])


class FixedSamples(Dataset[dict[str, Any]]):
    """The validation set: sample i is photo i, resized and cut in the middle, with the mask of (seed, i).

    Items are as those of SampleStream; planes are made without random choices. A photo that cannot be decoded is
    replaced by the next. masks: of this set; None for those that the configuration gives all sets.
    """

    def __init__(
        self,
        source: PhotoSource,
        indices: NDArray[np.int64],
        config: DataConfig,
        *,
        masks: Any = None,
        planes: Sequence[Plane] = (),
    ) -> None:
        self.source = source
        self.indices = indices
        self.seed = config.val_seed
        self.planes = SamplePlanes(planes, config.planes)
        self.view = CenterView(config.size)
        self.mask: Mask = parse_mask(config.usual_val_masks if masks is None else masks)
        self.reader = Reader(source, self.mask, with_companion=self.planes.need_companion)
        self.styles = Styles.of(config, seed=self.seed, validation=True) if self.planes.need_style else None

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, number: int) -> dict[str, Any]:
        if not 0 <= number < len(self):
            raise IndexError(f"validation sample {number} of {len(self)}")
        rng = seeds.generator(self.seed, seeds.VAL_MASK, number)
        decoded = self.reader.first(self._candidates(number), rng)
        cut = decoded.viewed(self.view)
        if decoded.hole is not None and cut.hole is not None and not cut.hole.any():
            cut = decoded.within(center_on_hole(decoded.hole)).viewed(self.view)
        return _sample(
            cut,
            self.mask,
            rng,
            partial(self.planes.make, seed=self.seed, number=number, fixed=True),
            another=partial(self._another, number, cut.index),
            style=None if self.styles is None else partial(self.styles.fixed, number),
            number=number,
        )

    def _another(self, number: int, index: int) -> ImageArray:
        """Return a second photo for sample `number`, cut as the first, photo `index`, is."""
        rng = seeds.generator(self.seed, seeds.VAL_ANOTHER, number)
        return self.reader.another(_others(self.indices, index, rng)).viewed(self.view).image

    def _candidates(self, number: int) -> Iterator[int]:
        for step in range(len(self)):
            yield int(self.indices[(number + step) % len(self)])


def _shared_zeros(count: int) -> torch.Tensor:
    """Return zeros that all processes of a loader share."""
    zeros = torch.zeros(count, dtype=torch.uint8)
    zeros.share_memory_()  # type: ignore[no-untyped-call]
    return zeros


def _others(indices: NDArray[np.int64], index: int, rng: np.random.Generator) -> Iterator[int]:
    """Yield photos from one at random on, those other than `index` first."""
    start = int(rng.integers(len(indices)))
    turned = np.roll(indices, -start).tolist()
    yield from (each for each in turned if each != index)
    yield index


def _sample(
    cut: Decoded,
    drawn: Mask,
    rng: np.random.Generator,
    make: Callable[[SampleParts], Mapping[str, PlaneArray]],
    *,
    another: Callable[[], ImageArray],
    style: Callable[[], StyleSample] | None,
    number: int,
) -> dict[str, Any]:
    """Return sample `number` as tensors on our scale: what was cut, its own mask or one that is drawn, and planes."""
    image = cut.image
    if cut.hole is None:
        mask, lettering = drawn.draw_lettered(rng, *image.shape[:2])
    else:
        mask, lettering = with_both(cut.hole, rng), None
    planes = make(SampleParts(image, mask, cut.companion, lettering, another, style))
    sample: dict[str, Any] = {
        "image": torch.from_numpy(np.divide(image.transpose(2, 0, 1), np.float32(255), order="C", dtype=np.float32)),
        "mask": torch.from_numpy(mask[None].astype(np.float32)),  # (1, S, S)
        "number": number,
    }
    for name, plane in planes.items():
        channels = plane[None] if plane.ndim == 2 else plane.transpose(2, 0, 1)
        sample[name] = torch.from_numpy(np.ascontiguousarray(channels, dtype=np.float32))  # (C, S, S)
    return sample
