"""Samples by number: the training stream, which never ends, and the fixed validation set."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from inpaint import seeds
from inpaint.data.config import DataConfig
from inpaint.data.order import EpochOrder
from inpaint.data.pixels import CenterView, ImageArray, RandomView
from inpaint.data.planes import SamplePlanes
from inpaint.data.sources import PhotoSource
from inpaint.errors import DataError, InputError
from inpaint.images.planes import PlaneArray
from inpaint.masks import Mask, parse_mask
from inpaint.types import Plane

logger = logging.getLogger("inpaint.data")

_GIVE_UP = 100  # photos in a row that cannot be decoded


class Reader:
    """Decodes photos, and goes on to the next one where that fails.

    Photos that passed the header check and cannot be decoded are named once, whichever worker process meets them first,
    and counted; the count is shared by all processes of one loader.
    """

    def __init__(self, source: PhotoSource, *, with_companion: bool) -> None:
        self.source = source
        self.with_companion = with_companion
        self.bad = torch.zeros(len(source), dtype=torch.uint8)
        self.bad.share_memory_()  # type: ignore[no-untyped-call]

    def first(self, candidates: Iterator[int]) -> tuple[ImageArray, ImageArray | None]:
        """Decode the first candidate that can be: image (H, W, 3), and its companion (H, W) where one is needed.

        Raises:
            DataError: A hundred failures in a row, or no candidate is left.
        """
        failed = ""
        for index in islice(candidates, _GIVE_UP):
            try:
                image = self.source.read(index)
                return image, self._companion(index, image) if self.with_companion else None
            except InputError as error:
                failed = failed or f"{self.source.name(index)}: {error}"
                if not self.bad[index]:
                    self.bad[index] = 1
                    logger.warning("replaced by the next photo: %s: %s", self.source.name(index), error)
        raise DataError(f"none of the photos tried can be decoded; the first was {failed}")

    def replaced(self) -> int:
        """Return how many photos could not be decoded so far."""
        return int(self.bad.count_nonzero())

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
        self.reader = Reader(source, with_companion=self.planes.need_companion)

    def __getitem__(self, number: int) -> dict[str, Any]:
        seed = self.seed
        decoded, beside = self.reader.first(self._candidates(number))
        image, companion = self.view(decoded, beside, seeds.generator(seed, seeds.PIXELS, number))
        mask = self.mask.draw(seeds.generator(seed, seeds.MASK, number), *image.shape[:2])
        return _sample(image, mask, self.planes.make(image, mask, companion, seed=seed, number=number), number)

    def _candidates(self, number: int) -> Iterator[int]:
        """Yield the photo of sample `number`, then those that replace it, in the order of the epoch."""
        epoch, position = divmod(number, self.order.count)
        permutation = self.order.permutation(epoch)
        for step in range(len(permutation)):
            yield int(self.indices[permutation[(position + step) % len(permutation)]])


class FixedSamples(Dataset[dict[str, Any]]):
    """The validation set: sample i is photo i, resized and cut in the middle, with the mask of (seed, i).

    Items are as those of SampleStream; planes are made without random choices. A photo that cannot be decoded is
    replaced by the next.
    """

    def __init__(
        self, source: PhotoSource, indices: NDArray[np.int64], config: DataConfig, *, planes: Sequence[Plane] = ()
    ) -> None:
        self.source = source
        self.indices = indices
        self.seed = config.val_seed
        self.planes = SamplePlanes(planes, config.planes)
        self.view = CenterView(config.size)
        self.mask: Mask = parse_mask(config.masks if config.val_masks is None else config.val_masks)
        self.reader = Reader(source, with_companion=self.planes.need_companion)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, number: int) -> dict[str, Any]:
        if not 0 <= number < len(self):
            raise IndexError(f"validation sample {number} of {len(self)}")
        image, companion = self.view(*self.reader.first(self._candidates(number)))
        mask = self.mask.draw(seeds.generator(self.seed, seeds.VAL_MASK, number), *image.shape[:2])
        return _sample(image, mask, self.planes.make(image, mask, companion, seed=None, number=number), number)

    def _candidates(self, number: int) -> Iterator[int]:
        for step in range(len(self)):
            yield int(self.indices[(number + step) % len(self)])


def _sample(image: ImageArray, mask: ImageArray, planes: Mapping[str, PlaneArray], number: int) -> dict[str, Any]:
    """Return tensors on our scale from bytes."""
    sample: dict[str, Any] = {
        "image": torch.from_numpy(np.divide(image.transpose(2, 0, 1), np.float32(255), order="C", dtype=np.float32)),
        "mask": torch.from_numpy(mask[None].astype(np.float32)),  # (1, S, S)
        "number": number,
    }
    for name, plane in planes.items():
        channels = plane[None] if plane.ndim == 2 else plane.transpose(2, 0, 1)
        sample[name] = torch.from_numpy(np.ascontiguousarray(channels, dtype=np.float32))  # (C, S, S)
    return sample
