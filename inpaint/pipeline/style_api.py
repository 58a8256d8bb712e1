"""The one call for notebooks that paints a photo in the style of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import inpaint.arguments as arguments
from inpaint.fills.checks import checked_seed
from inpaint.images.reading import MAX_PIXELS
from inpaint.pipeline.api import ImageT, loaded, target_of, write_and_return
from inpaint.pipeline.sources import PathLike, Source, photo_of
from inpaint.pipeline.style_sources import LabelSource, asked_styles
from inpaint.pipeline.styling import stylize_photo
from inpaint.registry.stylizers import load_stylizer
from inpaint.types import ProgressCallback, Stylizer


def stylize(
    content: PathLike | ImageT,
    styles: Source | Sequence[Source] = (),
    *,
    model: PathLike | Stylizer = "gatys",
    style_weights: Sequence[float] | None = None,
    content_masks: Source | Sequence[Source | None] | None = None,
    style_masks: Source | Sequence[Source | None] | None = None,
    content_labels: LabelSource | None = None,
    style_labels: LabelSource | None = None,
    size: int | None = None,
    output: PathLike | None = None,
    seed: int = 0,
    budget_s: float | None = None,
    device: str = "auto",
    quality: int | None = None,
    first_page: bool = False,
    max_pixels: int = MAX_PIXELS,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> ImageT:
    """Paint a photo in the style of others and return that, of the photo's size and kind.

    Kinds and depths are as in `inpaint.fill`.

    Args:
        content: The photo: a path, a Pillow image, or an array.
        styles: Pictures of the same kinds, one or several; or names of styles that the model has learned.
        model: A name of `inpaint.style.table`, the folder of a trained style network, or a model that is loaded.
        style_weights: Of the styles, in their order. None: all alike.
        content_masks: White = where each style goes; None, or None for a style: everywhere. Pixels where no style goes
            stay as they are, bit for bit.
        style_masks: White = what is looked at of each style.
        content_labels: Picture of the photo's regions, a file or (H, W) integers or (H, W, 3) colors, for one style in
            place of masks: each is painted like the region of its label in the style.
        style_labels: Likewise of the style.
        size: Longer side to work at; the result is enlarged. None: the photo's.
        output: Also write the result there, at full depth, with the photo's profile and metadata.
        seed: For methods that draw at random.
        budget_s: Seconds, for methods that take long.
        device: For methods that compute with torch.
        quality: As in `inpaint.fill`.
        first_page: Leave further pages out.
        max_pixels: Refuse files that claim more.
        progress: Told every step of methods that take long; may raise `StopFill` for what there is.
        options: Of the model, such as strength=0.7 or colors="keep".

    Raises:
        InpaintError: With one line that says what to do: UsageError, InputError or MaskError.

    Example:
        >>> import numpy as np
        >>> gray, red = np.full((8, 8, 3), 128, np.uint8), np.full((4, 4, 3), (200, 10, 10), np.uint8)
        >>> stylize(gray, red, model="colors")[0, 0].tolist()
        [200, 10, 10]
    """
    output = target_of("output", output)
    seed, max_pixels = checked_seed(seed), arguments.integer("max_pixels", max_pixels, least=1)
    first_page = arguments.truth("first_page", first_page)
    size = None if size is None else arguments.integer("size", size, least=16)
    quality = None if quality is None else arguments.integer("quality", quality, least=1, most=100)
    arguments.function("progress", progress)
    asked = asked_styles(
        styles, style_weights, content_masks, style_masks, content_labels=content_labels, style_labels=style_labels
    )
    stylizer = loaded("model", model, load_stylizer, does="stylize", device=device, options=options)
    photo = photo_of(content, max_pixels, what="content", first_page=first_page or output is None)
    found = stylize_photo(
        photo,
        asked.sources(photo, stylizer, max_pixels=max_pixels),
        stylizer,
        size_px=size,
        seed=seed,
        budget_s=budget_s,
        callback=None if progress is None else lambda step, make: progress(step),
    )
    return write_and_return(content, found.photo, output, quality=quality)
