"""What a network offers to be used with, measured and trained, with defaults: everything that may be overridden."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeAlias

from torch import Tensor, nn

from inpaint.losses.base import Discriminator
from inpaint.nn.plain import use_plain_forms
from inpaint.options import ModelConfig
from inpaint.types import Capabilities, OneLine
from inpaint.weights.graphs import NOISE, GraphInput

Encoded: TypeAlias = tuple[Tensor, ...]
"""What a blind network knows of a batch when it has found the mask, and needs for painting; may be empty."""

Rear: TypeAlias = Callable[[Sequence[Tensor]], Tensor]
"""The second half of a network, from its features to what it paints."""


class ModelNetwork(nn.Module):
    """Base of the networks of all models, those that fill and those that stylize; its children are the roles.

    trained_px: side of the crops that its weights were trained on, where the file of its weights says so.
    """

    def __init__(self, config: ModelConfig, *, seed: int = 0) -> None:
        """Set up the base; a model's network then draws its weights from `drawing_from(seed)`."""
        super().__init__()
        self.config: Any = config
        self.trained_px: int | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What it can do: its configuration says it, and its weights at what size."""
        found: Capabilities = self.config.capabilities()
        return found if self.trained_px is None else replace(found, trained_px=self.trained_px)

    @property
    def minimum_px(self) -> int:
        """Smallest side that it accepts."""
        return 1

    def missing_to_fill(self) -> str | None:
        """Return in a sentence why it cannot fill, as long as a part is still to be trained; None when it can."""
        return None

    def adapted(self, role: str, state: dict[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the weights of a network of another configuration as this one may start from them.

        Args:
            role: Of the network.
            state: Its weights, by their names in it.
            config: What the file says of the model that they were trained in, in plain containers.
        """
        return state

    def prepare_for_export(self) -> None:
        """Choose the arithmetic that is the same for every size; the network paints the same up to rounding."""
        use_plain_forms(self)

    @classmethod
    @abstractmethod
    def measured_inputs(cls, config: Any, image: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Return what `forward` takes, for measuring how fast it is: of random images and a hole in their middle."""

    def parts(self, image: Tensor, mask: Tensor) -> dict[str, Callable[[], object]]:
        """Return tasks that run a part of the network each, with their inputs prepared, for measuring."""
        return {}

    @classmethod
    def discriminators(cls, config: Any, *, seed: int = 0) -> dict[str, Discriminator]:
        """Build the networks that only training and ranking need, by role.

        seed: Of the training; weights are drawn from a number behind those that the generators draw from.
        """
        return {}


class InpaintNetwork(ModelNetwork):
    """Base of the networks that fill holes; its children are the roles (generator, ...).

    discriminator_names: short names of discriminators' roles.
    """

    discriminator_names: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def measured_inputs(cls, config: Any, image: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Return image and mask."""
        return image, mask

    @abstractmethod
    def forward(self, image: Tensor, mask: Tensor, **planes: Tensor) -> dict[str, Tensor]:
        """Paint a batch.

        Args:
            image: (B, 3, H, W) in [0, 1], not read in the hole; sides are multiples of `capabilities.multiple_px` and
                at least `minimum_px`. A network that `reads_hole` reads all of it.
            mask: (B, 1, H, W), 1 = hole; for a blind network anything from 0 to 1, such as what `find_mask` returns.
            planes: Those that were given of the capabilities' planes, and those of `derive`.

        Returns:
            "raw" (B, 3, H, W) on our scale, not clamped, and named intermediates.
        """

    def find_mask(self, image: Tensor) -> Tensor:
        """Return how much each pixel of a batch is contaminated, (B, 1, H, W) from 0 to 1.

        For networks whose capabilities say `blind`. Gradients pass.

        Args:
            image: As `forward` takes it.
        """
        raise NotImplementedError(f"{type(self).__name__} finds no masks")

    def find_and_encode(self, image: Tensor) -> tuple[Tensor, Encoded]:
        """Return what `find_mask` does, and what the same pass leaves behind for `paint_encoded` to go on from."""
        return self.find_mask(image), ()

    def paint_encoded(self, image: Tensor, mask: Tensor, encoded: Encoded, **planes: Tensor) -> dict[str, Tensor]:
        """Return what `forward` does, from what `find_and_encode` left behind of the same image."""
        return self(image, mask, **planes)  # type: ignore[no-any-return]

    def configure(self, options: Any) -> None:
        """Take over the configuration's `FillOptions` from a caller of `inpaint.load`."""

    def derive(self, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Return planes (B, C, H, W) to read beside the image, passed to `forward` by name.

        They are computed from the image as it came, before it is padded and brought into the network's type.
        """
        return {}

    def split(self, image: Tensor, mask: Tensor, **planes: Tensor) -> tuple[tuple[Tensor, ...], Rear]:
        """Return features of a batch half way, and what paints from them: (B, 3, H, W) on our scale, not clamped.

        For networks whose capabilities say `refinable`; from the features as returned it paints what `forward` does.
        The arguments are those of `forward`.
        """
        raise NotImplementedError(f"{type(self).__name__} offers no features")

    @property
    def program_multiple_px(self) -> int:
        """Multiple of the sides that a program of torch.export takes.

        Such a program knows sizes by formulas; steps that bring any size to a multiple are different ones there.
        """
        return self.capabilities.multiple_px

    def graph_inputs(self) -> tuple[GraphInput, ...]:
        """Return what an exported graph reads beside image and mask, in this order: its planes, and those of `derive`.

        A graph has no optional inputs: a plane that need not be given says by a value that nothing is asked for.
        """
        return tuple(GraphInput(name=plane.name, channels=plane.channels) for plane in self.capabilities.planes)

    def paint_graph(self, image: Tensor, mask: Tensor, **inputs: Tensor) -> Tensor:
        """Paint a batch as an exported graph does.

        Args:
            image: As `forward` takes it.
            mask: As `forward` takes it.
            inputs: All of `graph_inputs`, by name.

        Returns:
            What `forward` calls "raw".
        """
        return self(image, mask, **inputs)["raw"]  # type: ignore[no-any-return]


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Encoding(OneLine):
    """What an encoder found in a batch: a normal distribution of latents, and what else decoding needs.

    Args:
        mu: (B, C, h, w), mean.
        sigma: (B, C, h, w), standard deviation.
        context: By name, batch first.
    """

    mu: Tensor
    sigma: Tensor
    context: Mapping[str, Tensor]

    def rows(self, numbers: Tensor) -> Encoding:
        """Return the encodings of these images of the batch, in this order; an image may come several times."""
        return Encoding(
            mu=self.mu[numbers],
            sigma=self.sigma[numbers],
            context={name: plane[numbers] for name, plane in self.context.items()},
        )


class SamplingNetwork(InpaintNetwork):
    """Base of the networks that draw at random: encode once, decode every sample."""

    def paint_graph(self, image: Tensor, mask: Tensor, **inputs: Tensor) -> Tensor:
        """Paint from latents drawn with the graph's input "noise", standard normal numbers of their shape."""
        planes = {name: plane for name, plane in inputs.items() if name != NOISE}
        encoding = self.encode(image, mask, **planes)
        return self.decode(encoding, encoding.mu + encoding.sigma * inputs[NOISE])["raw"]

    @abstractmethod
    def encode(self, image: Tensor, mask: Tensor, **planes: Tensor) -> Encoding:
        """Read a batch: image (B, 3, H, W) in [0, 1], mask (B, 1, H, W), and those planes that were given."""

    @abstractmethod
    def decode(self, encoding: Encoding, z: Tensor) -> dict[str, Tensor]:
        """Paint from latents z (B, C, h, w): a mapping with "raw" (B, 3, H, W) on our scale, not clamped."""
