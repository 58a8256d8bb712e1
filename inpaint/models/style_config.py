"""What the configurations of models that stylize share, and what a caller may choose for them; cheap to import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from inpaint.errors import ConfigError, some
from inpaint.options import ModelConfig
from inpaint.style.options import StyleOptions
from inpaint.types import Capabilities


class LearnedStyleOptions(StyleOptions):
    """Of networks that have learned their styles: no picture comes in whose size or colors could be changed.

    Args:
        strength: From 0, the content as it is, to 1, the style in full: content and result are mixed.
    """

    colors: Literal["style", "keep", "luminance"] = "style"
    scale: None = None


class StyleModelConfig(ModelConfig):
    """Base of the configurations of models that paint whole images in a style.

    LEARNS: how many styles it learns: 0 for models that take any with every content, None for any number.
    StyleOptions: what a caller of `inpaint stylize` may choose for the network.
    """

    LEARNS: ClassVar[int | None] = 0
    StyleOptions: ClassVar[type[StyleOptions]] = StyleOptions

    # Names of the styles that are learned, in the order of the network's own; those of the files of data.styles where
    # nothing is said.
    styles: tuple[str, ...] = ()

    def capabilities(self) -> Capabilities:
        """Return what the network can do."""
        return Capabilities(trained=True, stylizes=True, styles=self.learned)

    @property
    def learned(self) -> tuple[str, ...] | None:
        """The names of the learned styles; None where styles are given."""
        return None if self.LEARNS == 0 else self.styles or ("style",)

    def with_styles(self, names: Sequence[str]) -> Self:
        """Return the configuration of a network that learns the styles of these names, too, behind those it has.

        Raises:
            ConfigError: They are more than it learns.
        """
        if self.LEARNS == 0:
            return self
        styles = (*self.styles, *(name for name in names if name not in self.styles))
        if self.LEARNS is not None and len(styles) > self.LEARNS:
            raise ConfigError(
                f"data.styles: this model learns {self.LEARNS} style, and there are {len(styles)}: {some(styles)}"
            )
        return self.model_copy(update={"styles": styles})
