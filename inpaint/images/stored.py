"""Kinds of samples that are translated to RGB for a fill and written again as they were: known ones bit for bit."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from inpaint.images.formats import Part
from inpaint.images.photo import Pixels, Stored, to_uint8, white_of

Where = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Inks(Stored):
    """Cyan, magenta, yellow and black, (H, W, 4) uint8 or uint16, 0 = no ink, with the profile that says what they are.

    Args:
        profile: The ICC profile.
    """

    part: ClassVar[Part] = Part.CMYK
    name: ClassVar[str] = "CMYK (written as RGB)"

    profile: bytes

    def with_samples(self, where: Where, pixels: Pixels, alpha: Pixels | None) -> Stored | None:
        """Return them with the inks of these colors, by the profile."""
        inks = inks_of(to_uint8(pixels)[None], self.profile)
        if inks is None:
            return None
        values = self.values.copy()
        values[where] = inks[0].astype(values.dtype) * (257 if values.dtype == np.uint16 else 1)
        return replace(self, values=values)


def colors_of(inks: NDArray[np.uint8], profile: bytes) -> NDArray[np.uint8] | None:
    """Return inks (H, W, 4) as sRGB (H, W, 3); None where the profile cannot be used."""
    return _converted(inks, "CMYK", _opened(profile), _SRGB, "RGB")


def inks_of(colors: NDArray[np.uint8], profile: bytes) -> NDArray[np.uint8] | None:
    """Return sRGB (H, W, 3) as inks (H, W, 4); None where the profile knows no way back."""
    return _converted(colors, "RGB", _SRGB, _opened(profile), "CMYK")


_SRGB: Any = ImageCms.createProfile("sRGB")


def _opened(profile: bytes) -> Any:
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except (ImageCms.PyCMSError, OSError):
        return None


def _converted(values: NDArray[np.uint8], mode: str, source: Any, target: Any, output: str) -> NDArray[np.uint8] | None:
    if source is None or target is None:
        return None
    try:
        image = Image.frombuffer(mode, values.shape[1::-1], np.ascontiguousarray(values).tobytes(), "raw", mode, 0, 1)
        managed = ImageCms.profileToProfile(image, source, target, outputMode=output)
    except (ImageCms.PyCMSError, OSError):
        return None
    assert managed is not None  # it is only when done in place
    return np.asarray(managed)


@dataclass(frozen=True, kw_only=True, eq=False)
class Palette(Stored):
    """Indices (H, W) uint8 into a table of colors.

    Args:
        table: (N, 3) uint8, at most 256.
        opacity: (N,) uint8 or None.
    """

    part: ClassVar[Part] = Part.PALETTE
    name: ClassVar[str] = "a palette of these colors (written as RGB)"

    table: NDArray[np.uint8]
    opacity: NDArray[np.uint8] | None = None

    def with_samples(self, where: Where, pixels: Pixels, alpha: Pixels | None) -> Stored | None:
        """Return them with the indices of these colors; None when the table has no room for new ones.

        New colors come to the end of the table, then in the place of colors that no pixel has.
        """
        if self.opacity is None:
            known, asked = self.table, pixels
        else:
            assert alpha is not None  # where there is a table of it
            known, asked = np.column_stack([self.table, self.opacity]), np.column_stack([pixels, alpha])
        colors, back = np.unique(asked, axis=0, return_inverse=True)
        index = {tuple(color): number for number, color in reversed(list(enumerate(known.tolist())))}
        missing = [tuple(color) for color in colors.tolist() if tuple(color) not in index]
        used = {*np.unique(self.values[~where]).tolist(), *(index.get(tuple(color)) for color in colors.tolist())}
        room = [*range(len(known), 256), *(number for number in range(len(known)) if number not in used)]
        if len(missing) > len(room):
            return None
        index |= dict(zip(missing, room, strict=False))
        grown = np.zeros((max([len(known), *(index[color] + 1 for color in missing)]), known.shape[1]), np.uint8)
        grown[: len(known)] = known
        for color in missing:
            grown[index[color]] = color
        numbers = np.array([index[tuple(color)] for color in colors.tolist()], np.uint8)
        values = self.values.copy()
        values[where] = numbers[back.reshape(-1)]
        opacity = None if self.opacity is None else grown[:, 3]
        return replace(self, values=values, table=np.ascontiguousarray(grown[:, :3]), opacity=opacity)


@dataclass(frozen=True, kw_only=True, eq=False)
class Bilevel(Stored):
    """Black and white, (H, W) bool, True = white."""

    part: ClassVar[Part] = Part.BILEVEL
    name: ClassVar[str] = "1 bit (written as 8)"

    def with_samples(self, where: Where, pixels: Pixels, alpha: Pixels | None) -> Stored | None:
        """Return them with white from half of the range on."""
        values = self.values.copy()
        values[where] = pixels[:, 0] > white_of(pixels.dtype) // 2
        return replace(self, values=values)


@dataclass(frozen=True, kw_only=True, eq=False)
class Premultiplied(Stored):
    """Colors times alpha, (H, W, 1) gray or (H, W, 3), as associated alpha has it; alpha itself is the photo's."""

    part: ClassVar[Part] = Part.PREMULTIPLIED
    name: ClassVar[str] = "premultiplied alpha"

    def with_samples(self, where: Where, pixels: Pixels, alpha: Pixels | None) -> Stored | None:
        """Return them with these colors times alpha."""
        assert alpha is not None  # premultiplied by it
        values, white = self.values.copy(), white_of(pixels.dtype)
        products = pixels[:, : values.shape[2]].astype(np.float64) * alpha[:, None] / white
        values[where] = np.rint(products).astype(values.dtype)
        return replace(self, values=values)


def divided(values: Pixels, alpha: Pixels) -> Pixels:
    """Return premultiplied values (H, W, C) as colors; 0 where alpha (H, W) is."""
    white = white_of(alpha.dtype)
    straight = values.astype(np.float64) * white / np.maximum(alpha, 1)[..., None]
    colors: Pixels = np.rint(np.minimum(straight, white)).astype(values.dtype)
    return np.where(alpha[..., None] > 0, colors, np.zeros_like(colors))


@dataclass(frozen=True, kw_only=True, eq=False)
class Wide(Stored):
    """Samples of more than 16 bits, (H, W, 1) gray or (H, W, 3), perhaps with alpha as one more channel.

    Args:
        white: The value that became white; what lies above is cut in the translation, not in the samples.
        linear: Whether they are proportional to light (floats) or to a display's levels (integers).
    """

    part: ClassVar[Part] = Part.FLOAT
    name: ClassVar[str] = "floating point or 32 bit (written as 16)"

    white: float
    linear: bool

    def with_samples(self, where: Where, pixels: Pixels, alpha: Pixels | None) -> Stored | None:
        """Return them with these colors on their own scale."""
        colors = self.values.shape[2] - (alpha is not None)
        levels = pixels[:, :colors].astype(np.float64) / white_of(pixels.dtype)
        samples = (light_of(levels) if self.linear else levels) * self.white
        if alpha is not None:
            opacity = alpha.astype(np.float64) / white_of(pixels.dtype)
            samples = np.column_stack([samples, opacity * (1.0 if self.linear else self.white)])
        values = self.values.copy()
        values[where] = samples if values.dtype.kind == "f" else np.rint(samples)
        return replace(self, values=values)


def light_of(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the light of levels in [0, 1], by the curve of sRGB (IEC 61966-2-1)."""
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


def levels_of(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the levels of light in [0, 1], the inverse of `light_of`."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055)
