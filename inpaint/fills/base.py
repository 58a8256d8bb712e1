"""What every fill does, once: check, seed, count progress, stop, composite.

A fill derives from `ArrayFill` or `TensorFill`, beside this, and writes only its method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import inpaint.arguments as arguments
from inpaint.errors import MaskError, UsageError
from inpaint.fills import arrays
from inpaint.fills.arrays import Array, as_array, as_tensor, channels_first, channels_last, copied, where
from inpaint.fills.checks import check_devices, check_fill, check_image, check_types
from inpaint.fills.request import Clock, ImageSeed, Request
from inpaint.options import Options
from inpaint.types import FOUND, Capabilities, Fill, Guidance, ProgressCallback, Seed

if TYPE_CHECKING:
    from torch import Tensor

Change: TypeAlias = Callable[[Array], Array]
Painted: TypeAlias = dict[str, Array]
"""Maps of one or several fills, batch first: "raw" (n, 3, H, W), perhaps "score" (n,), and intermediates."""

THRESHOLD = 0.5
"""What lies above this in the map of a blind fill is its hole."""


class BaseFill(ABC):
    """Checks the request, lets the method paint unit by unit, and puts the answers together.

    A unit is one sample of one image; units come in the order image 0 with all its samples, image 1, ...
    """

    name: str
    capabilities: Capabilities
    options: Options = Options()  # what the caller chose
    steps = 1  # of progress per unit

    def __repr__(self) -> str:
        told = {**self.details(), **self.options.model_dump(exclude_defaults=True)}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in told.items())})"

    def details(self) -> Mapping[str, object]:
        """Return what its `repr` tells besides the options that are not the usual ones."""
        return {}

    @staticmethod
    @abstractmethod
    def own(x: Array) -> Array:
        """Return an array or a tensor as that of the two which the method computes with."""

    @abstractmethod
    def paint_all(self, request: Request) -> Iterator[Painted]:
        """Yield the maps of all units in their order, of one or several at a time."""

    def missing_to_fill(self) -> str | None:
        """Return in a sentence why it cannot fill; None when it can."""
        return None

    def find_mask(self, image: Array) -> Array:
        """Return how much a blind model takes each pixel of images for contaminated, (B, 1, H, W) from 0 to 1.

        Args:
            image: (B, 3, H, W), an array or a tensor as `own` makes them.

        Raises:
            MaskError: It is not blind.
        """
        raise MaskError(f"{self.name} needs a mask: it does not find holes itself")

    def find_to_fill(self, image: Array) -> tuple[Array, object]:
        """Return what `find_mask` does, and what a fill of the same images by that mask goes on from; None: nothing."""
        return self.find_mask(image), None

    def find_mask_arrays(self, image: NDArray[Any]) -> NDArray[Any]:
        """Do so for images (B, H, W, 3): (B, H, W, 1) from 0 to 1, as `Inpainter.find_mask_arrays` says."""
        check_types("array", image, None)
        own = self._to_find(self.own(channels_first(image)))
        found: NDArray[Any] = channels_last(as_array(self.result_type(self.find_mask(own))))
        return found

    def _to_find(self, image: Array) -> Array:
        """Check images that a mask is to be found in, and return them in the type of the results."""
        if not self.capabilities.blind:
            raise MaskError(f"{self.name} needs a mask: it does not find holes itself")
        self._check_complete()
        check_image(image, capabilities=self.capabilities, name=self.name)
        return self.result_type(image)

    def result_type(self, x: Array) -> Array:
        """Return x in the type of the results: float32, unless a subclass computes in float64."""
        return arrays.single(x)

    def check(self, image: Array, mask: Array, guidance: Mapping[str, Array] | None = None) -> None:
        """Check the images of a fill, see `check_fill`. Raises UsageError when it cannot fill at all."""
        self._check_complete()
        check_fill(image, mask, guidance=guidance, capabilities=self.capabilities, name=self.name)

    def _check_complete(self) -> None:
        missing = self.missing_to_fill()
        if missing is not None:
            raise UsageError(f"{self.name} cannot fill: {missing}")

    def fill(
        self,
        image: Tensor,
        mask: Tensor | None,
        *,
        guidance: Guidance | None = None,
        samples: int = 1,
        seed: Seed = 0,
        progress: ProgressCallback | None = None,
    ) -> list[Fill]:
        """Fill a batch as `Inpainter.fill` says; results lie on the image's device, gradients do not pass."""
        check_types("tensor", image, mask, guidance, progress=progress)
        check_devices(image, mask, guidance)
        asked = {"samples": samples, "seed": seed, "progress": progress}
        return self._converted(self.own, lambda x: as_tensor(x).to(image.device), image, mask, guidance, **asked)

    def fill_arrays(
        self,
        image: NDArray[Any],
        mask: NDArray[Any] | None,
        *,
        guidance: Mapping[str, NDArray[Any]] | None = None,
        samples: int = 1,
        seed: Seed = 0,
        progress: ProgressCallback | None = None,
    ) -> list[Fill[NDArray[Any]]]:
        """Fill arrays (B, H, W, C) as `Inpainter.fill` says."""
        check_types("array", image, mask, guidance, progress=progress)
        asked = {"samples": samples, "seed": seed, "progress": progress}
        return self._converted(
            lambda x: self.own(channels_first(x)), lambda x: channels_last(as_array(x)), image, mask, guidance, **asked
        )

    def _converted(
        self, come: Change, go: Change, image: Array, mask: Array, guidance: Mapping[str, Array] | None, **asked: Any
    ) -> list[Fill[Any]]:
        """Answer what `come` makes of the arrays, and return what `go` makes of the answers."""
        planes = {name: come(plane) for name, plane in (guidance or {}).items()}
        fills = self.answer(come(image), None if mask is None else come(mask), guidance=planes, **asked)
        return [mapped(fill, go) for fill in fills]

    def answer(
        self,
        image: Array,
        mask: Array | None,
        *,
        guidance: Mapping[str, Array] | None,
        samples: int,
        seed: Seed,
        progress: ProgressCallback | None,
    ) -> list[Fill[Any]]:
        """Fill a batch of arrays (B, C, H, W) of either kind, see `Inpainter.fill`.

        When the caller asks to stop, images not reached get the mean color of what is known and the score -inf, and
        there are no intermediates.
        """
        soft, encoded = (None, None) if mask is not None else self.find_to_fill(self._to_find(image))
        soft = None if soft is None else self.result_type(soft)
        hard = mask if soft is None else self.result_type(soft > THRESHOLD)
        self.check(image, hard, guidance)
        samples, seeds = arguments.integer("samples", samples, least=1), ImageSeed.of_each(seed, len(image))
        draws = samples if self.capabilities.stochastic else 1
        request = Request(
            image=self.result_type(image),
            mask=hard if soft is None else soft,
            hole=hard == 1,
            guidance=guidance or {},
            seeds=seeds,
            draws=draws,
            clock=Clock(len(image) * draws, self.steps, progress),
            encoded=encoded,
        )
        found = {} if soft is None else {FOUND: soft}
        fills = [
            replace(
                self.composite(request.image, request.hole, {**maps, **found}),
                warnings=request.warnings_of(sample),
                strategy=request.strategy_of(sample),
            )
            for sample, maps in enumerate(_by_sample(self._parts(request), draws))
        ]
        # Each fill in memory of its own: the caller may paint into one of them.
        return [*fills, *(mapped(fills[0], copied) for _ in range(samples - draws))]

    def composite(self, image: Array, hole: Array, maps: Painted) -> Fill[Any]:
        """Return the fill of what was painted: `raw` in the hole, the image itself elsewhere."""
        raw = maps["raw"]
        return Fill(
            completed=arrays.composited(image, raw, hole),
            raw=raw,
            mask=self.result_type(hole),
            aux={name: plane for name, plane in maps.items() if name not in ("raw", "score")},
            score=maps.get("score"),
        )

    def _parts(self, request: Request) -> list[Painted]:
        parts: list[Painted] = []
        clock, units = request.clock, len(request.image) * request.draws
        for part in self.paint_all(request):
            parts.append(part)
            clock.finish(len(part["raw"]))
            if clock.stopped:
                break
        if clock.units_done < units:
            parts = [{name: part[name] for name in part if name in ("raw", "score")} for part in parts]
            parts.append(_unreached(request, clock.units_done, scored="score" in parts[0]))
        return parts


class TensorFill(BaseFill):
    """Base of fills that compute with torch; results lie on the image's device."""

    own = staticmethod(as_tensor)


def _unreached(request: Request, first: int, *, scored: bool) -> Painted:
    """Return what stands for the units from `first` on."""
    image = request.image
    owners = [unit // request.draws for unit in range(first, len(image) * request.draws)]
    plain = arrays.mean_known(image[owners], request.hole[owners])  # (n, 3, 1, 1)
    raw = where(request.hole[owners] | True, plain, image[owners])  # (n, 3, H, W)
    return {"raw": raw, **({"score": 0 * plain[:, 0, 0, 0] - np.inf} if scored else {})}


def _by_sample(parts: list[Painted], draws: int) -> Iterator[Painted]:
    """Yield the maps of each sample of all images, batch first; parts are given up as they are used."""
    names = list(parts[0])
    if draws == 1:
        yield {name: arrays.concatenate([part[name] for part in parts]) for name in names}
        return
    rows = [{name: part[name][row : row + 1] for name in names} for part in parts for row in range(len(part["raw"]))]
    parts.clear()
    for sample in range(draws):
        mine = rows[sample::draws]
        rows[sample::draws] = [{}] * len(mine)  # every image lies in memory once
        yield mine[0] if len(mine) == 1 else {name: arrays.concatenate([row[name] for row in mine]) for name in names}


def mapped(fill: Fill[Any], change: Callable[[Any], Any]) -> Fill[Any]:
    """Return the fill with every array changed by a function."""
    return Fill(
        completed=change(fill.completed),
        raw=change(fill.raw),
        mask=change(fill.mask),
        aux={name: change(plane) for name, plane in fill.aux.items()},
        score=None if fill.score is None else change(fill.score),
        warnings=fill.warnings,
        strategy=fill.strategy,
    )
