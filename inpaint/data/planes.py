"""The planes of a sample besides image and mask, made as the model declares them and the user configures them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inpaint import seeds
from inpaint.errors import ConfigError, unknown
from inpaint.images.planes import PlaneArray, PlaneMaker, SampleParts, maker_class
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

    @property
    def need_style(self) -> bool:
        """Whether a plane is made from the pictures of styles."""
        return any(maker.needs_style for maker in self.makers.values())

    def make(self, parts: SampleParts, *, seed: int, number: int, fixed: bool) -> dict[str, PlaneArray]:
        """Return the planes of sample `number` by name.

        Args:
            parts: What they are made of.
            seed: Of random choices.
            number: Of the sample.
            fixed: Whether it is a sample of a validation set, where most makers choose nothing at random.
        """
        found = {}
        for name, maker in self.makers.items():
            purpose = maker.val_purpose if fixed else maker.purpose
            rng = None if purpose is None else seeds.generator(seed, purpose, number)
            found[name] = maker.make_of(parts, rng)
        return found
