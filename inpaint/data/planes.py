"""The planes of a sample besides image and mask, made as the model declares them and the user configures them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint import seeds
from inpaint.errors import ConfigError, unknown
from inpaint.images.planes import PlaneArray, PlaneMaker, maker_class
from inpaint.options import validated
from inpaint.types import Plane


class SamplePlanes:
    """Makes every plane of a sample.

    Args:
        planes: What the model reads in training; each must name its maker.
        options: The user's options by plane, above those that the model declares.

    Raises:
        ConfigError: Options of a plane that the model does not read, or wrong ones.
        MissingDependencyError: A plane needs a package that is not installed.
    """

    def __init__(self, planes: Sequence[Plane], options: Mapping[str, Mapping[str, Any]]) -> None:
        names = [plane.name for plane in planes]
        for name in options:
            if name not in names:
                valid = unknown("plane", name, names) if names else "the model reads no further planes"
                raise ConfigError(f"data.planes.{name}: {valid}")
        self.makers: dict[str, PlaneMaker] = {
            plane.name: validated(
                maker_class(plane), {**plane.options, **options.get(plane.name, {})}, key=f"data.planes.{plane.name}"
            )
            for plane in planes
        }
        for maker in self.makers.values():
            maker.check()

    @property
    def need_companion(self) -> bool:
        """Whether a plane is made from the file beside the photo."""
        return any(maker.needs_companion for maker in self.makers.values())

    def make(
        self,
        image: NDArray[np.uint8],
        mask: NDArray[np.uint8],
        companion: NDArray[np.uint8] | None,
        *,
        seed: int | None,
        number: int,
    ) -> dict[str, PlaneArray]:
        """Return the planes of sample `number` by name.

        Args:
            image: (H, W, 3), cropped and flipped.
            mask: (H, W), 1 = hole.
            companion: (H, W) of the file beside the photo, or None.
            seed: Of random choices; None for validation, which makes none.
            number: Of the sample.
        """
        return {
            name: maker.make(
                image,
                mask,
                companion=companion if maker.needs_companion else None,
                rng=None if seed is None else seeds.generator(seed, maker.purpose, number),
            )
            for name, maker in self.makers.items()
        }
