"""EdgeConnect: one network completes the edges of the hole, another paints it along the edges.

Nazeri et al., "EdgeConnect: Generative Image Inpainting with Adversarial Edge Learning", 2019 (arXiv 1901.00212),
section 3 and appendix A; details as in the authors' program. Where both differ the program is followed: the
discriminator of the second stage sees colors alone, and the second generator is told nothing of the hole but white.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint.errors import InputError, UsageError
from inpaint.images.photo import BT709
from inpaint.losses.base import Discriminator, DiscriminatorOutput
from inpaint.models.base import InpaintNetwork, Rear
from inpaint.models.edgeconnect.config import Config, FillOptions
from inpaint.nn.inference import Prepared
from inpaint.nn.instance import instance_norm, norm_relu
from inpaint.nn.random import drawing_from
from inpaint.nn.spectral import normalized_in_full_precision, spectrally_normalized
from inpaint.weights.graphs import GraphInput

DEVIATION = 0.02  # of all initial weights


class ResidualBlock(nn.Module):
    """x + two reflecting 3x3 convolutions, the first of them dilated, each normalized; nothing after the sum."""

    def __init__(self, channels: int, *, bias: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=2, dilation=2, padding_mode="reflect", bias=bias)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to the same shape."""
        branch = instance_norm(self.conv2(norm_relu(self.conv1(x))))
        return branch + x if torch.is_grad_enabled() else branch.add_(x)


class Generator(Prepared):
    """Both generators: down to a quarter, residual blocks, up again; returns what the last convolution gives.

    spectral: every convolution but the last has spectral norm; the residual ones then have no bias.
    """

    def __init__(self, inputs: int, outputs: int, config: Config, *, spectral: bool) -> None:
        super().__init__()
        full, half, quarter = config.width, 2 * config.width, 4 * config.width
        self.conv1 = nn.Conv2d(inputs, full, 7, padding=3, padding_mode="reflect")
        self.conv2 = nn.Conv2d(full, half, 4, stride=2, padding=1)
        self.conv3 = nn.Conv2d(half, quarter, 4, stride=2, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(quarter, bias=not spectral) for _ in range(config.blocks))
        self.deconv1 = nn.ConvTranspose2d(quarter, half, 4, stride=2, padding=1)
        self.deconv2 = nn.ConvTranspose2d(half, full, 4, stride=2, padding=1)
        self.head = nn.Conv2d(full, outputs, 7, padding=3, padding_mode="reflect")
        initialize_(self)
        self.normalized = [layer for layer in convolutions(self) if layer is not self.head] if spectral else []
        for layer in self.normalized:
            spectrally_normalized(layer)

    def forward(self, planes: Tensor) -> Tensor:
        """Map planes (B, inputs, H, W) to (B, outputs, H, W); sides must be multiples of 4, at least 12."""
        return self.rear(self.front(planes))

    def front(self, planes: Tensor) -> Tensor:
        """Return what lies before the residual blocks, (B, 4 width, H/4, W/4)."""
        with normalized_in_full_precision(self.normalized):
            x = norm_relu(self.conv1(planes.to(self.conv1.weight.dtype)))  # (B, w, H, W)
            x = norm_relu(self.conv2(x))  # (B, 2w, H/2, W/2)
            return norm_relu(self.conv3(x))  # (B, 4w, H/4, W/4)

    def rear(self, x: Tensor) -> Tensor:
        """Return what `forward` does, from what `front` returns."""
        with normalized_in_full_precision(self.normalized):
            for block in self.blocks:
                x = block(x)
            x = norm_relu(self.deconv1(x))  # (B, 2w, H/2, W/2)
            x = norm_relu(self.deconv2(x))  # (B, w, H, W)
            painted: Tensor = self.head(x)
            return painted

    def prepare_for_inference(self) -> None:
        """Drop the biases in front of a normalization, which takes them out again."""
        self.normalized = []  # spectral norms are gone by now
        for layer in convolutions(self):
            if layer is not self.head:
                layer.bias = None


class PatchDiscriminator(Discriminator):
    """70x70 PatchGAN: five convolutions of 4x4 with spectral norm, without biases; a logit for every patch.

    inputs: what it reads in this order, channels of all together.
    """

    def __init__(self, channels: int, config: Config, *, inputs: tuple[str, ...] = Discriminator.inputs) -> None:
        super().__init__()
        self.inputs = inputs
        width = config.discriminator.width
        sides = (channels, width, 2 * width, 4 * width, 8 * width, 1)
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 4, stride=2 if number < 3 else 1, padding=1, bias=False)
            for number, (before, after) in enumerate(itertools.pairwise(sides))
        )
        initialize_(self)
        for layer in self.layers:
            spectrally_normalized(layer)

    def forward(self, *planes: Tensor) -> DiscriminatorOutput:
        """Return logits, one for every patch, (B, 1, H/8 - 2, W/8 - 2), and the outputs of all five layers.

        planes: the gray image (B, 1, H, W) and its edges (B, 1, H, W) for the edge discriminator, the image
        (B, 3, H, W) for the other; or all of them as one tensor.
        The authors' program calls the sigmoid of the logits the output. The last feature is the logits.
        """
        x = torch.cat(planes, dim=1) if len(planes) > 1 else planes[0]
        if min(x.shape[-2:]) < 24:
            raise InputError(
                f"EdgeConnect's discriminators need sides of at least 24 pixels, got {x.shape[-2]}x{x.shape[-1]}"
            )
        features = []
        with normalized_in_full_precision(self.layers):
            for number, layer in enumerate(self.layers, 1):
                x = layer(x)
                if number < len(self.layers):
                    x = F.leaky_relu(x, 0.2)
                features.append(x)
        return DiscriminatorOutput(logits=x, features=tuple(features))


class Network(InpaintNetwork):
    """EdgeConnect on images in [0, 1]; its children are the generators that exist in the configured stage."""

    discriminator_names: ClassVar = {"edge": "edge_discriminator", "inpaint": "inpaint_discriminator"}

    def __init__(self, config: Config, *, seed: int = 0) -> None:
        super().__init__(config)
        self.composite_edges, self.sigma_px = config.composite_edges, config.sigma_px
        self.edge_generator: Generator | None = None
        self.inpaint_generator: Generator | None = None
        # Each network has its own seed, so that it starts alike in every stage.
        if "edge_generator" in config.generators:
            with drawing_from(seed):
                self.edge_generator = Generator(3, 1, config, spectral=True)
        if "inpaint_generator" in config.generators:
            with drawing_from(seed + 1):
                self.inpaint_generator = Generator(4 + int(config.mask_channel), 3, config, spectral=False)

    @property
    def minimum_px(self) -> int:
        """Smallest side: reflecting two places at a quarter of the size needs three of them."""
        return 12

    def configure(self, options: FillOptions) -> None:
        """Choose how fills are made."""
        if options.composite_edges is not None:
            self.composite_edges = options.composite_edges
        if options.sigma_px is not None:
            self.sigma_px = options.sigma_px

    def missing_to_fill(self) -> str | None:
        """Return why it cannot fill, if it cannot."""
        if self.inpaint_generator is not None:
            return None
        return (
            "these weights hold the stage 'edge' alone, and the stage 'inpaint' is missing; train it along these edges "
            "with model.stage=edge_inpaint init.edge=THIS_RUN, or by itself with model.stage=inpaint"
        )

    @classmethod
    def discriminators(cls, config: Config, *, seed: int = 0) -> dict[str, Discriminator]:
        """Build both PatchGANs."""
        with drawing_from(seed + 2):
            return {
                "edge_discriminator": PatchDiscriminator(2, config, inputs=("gray", Discriminator.IMAGE)),
                "inpaint_discriminator": PatchDiscriminator(3, config),
            }

    def derive(self, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Return what is computed from the image before it is padded and rounded: "gray" and "canny", (B, 1, H, W).

        image: (B, 3, H, W) in [0, 1], not read in the hole. Both are 0 in the hole.
        """
        hole = (mask > 0.5).cpu()
        known = image.detach().cpu().double().masked_fill(hole, 0.0)  # not every device knows float64
        config = self.config.model_copy(update={"sigma_px": self.sigma_px})
        pairs = zip(known.permute(0, 2, 3, 1).numpy(), hole[:, 0].numpy(), strict=True)
        found = [config.derive(one, empty) for one, empty in pairs]
        return {
            name: torch.from_numpy(np.stack([each[name] for each in found])[:, None]).to(image.device, image.dtype)
            for name in found[0]
        }

    def graph_inputs(self) -> tuple[GraphInput, ...]:
        """Return what `derive` makes: Canny's edges are no arithmetic that a graph could do."""
        names = ["canny"] if self.edge_generator is None else ["gray", "canny"]
        return tuple(GraphInput(name=name, channels=1) for name in names)

    def edges(self, gray: Tensor, canny: Tensor, mask: Tensor) -> Tensor:
        """Complete edges: the edge generator's map (B, 1, H, W) in [0, 1], in the hole and elsewhere.

        gray: (B, 1, H, W) in [0, 1]; canny: (B, 1, H, W), 1 = edge. Neither is read in the hole.
        """
        assert self.edge_generator is not None
        logits: Tensor = self.edge_generator(edge_planes(gray, canny, mask))
        return _exact(logits).sigmoid()

    def paint(self, image: Tensor, edges: Tensor, mask: Tensor) -> Tensor:
        """Paint along edges: (B, 3, H, W) in [0, 1].

        image: (B, 3, H, W) in [0, 1], not read in the hole. edges: (B, 1, H, W), 0 to 1, read everywhere.
        """
        assert self.inpaint_generator is not None
        painted: Tensor = self.inpaint_generator(self._inpaint_planes(image, edges, mask))
        return (_exact(painted).tanh() + 1) / 2

    def forward(  # type: ignore[override]
        self,
        image: Tensor,
        mask: Tensor,
        *,
        edges: Tensor | None = None,
        gray: Tensor | None = None,
        canny: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Fill the holes: {"raw" (B, 3, H, W) in [0, 1], "edges" (B, 1, H, W), the edges that "raw" was painted along}.

        image: (B, 3, H, W) in [0, 1], not read in the hole. mask: (B, 1, H, W), 1 = hole. edges: (B, 1, H, W), 1 =
        edge, which replace those of the first stage in the hole. gray, canny: from `derive`; computed when not given.
        H and W must be multiples of 4 and at least 12; raises InputError otherwise.

        Without an edge generator (stage inpaint) and without `edges` the hole is painted without any.
        """
        missing = self.missing_to_fill()
        if missing is not None:
            raise UsageError(f"EdgeConnect cannot fill: {missing}")
        self._check_sides(image)
        if canny is None or (gray is None and self.edge_generator is not None):
            derived = self.derive(image, mask)
            gray, canny = derived["gray"], derived["canny"]
        used = self._completed_edges(gray, canny, mask, edges)
        return {"raw": self.paint(image, used, mask).to(image.dtype), "edges": used.to(image.dtype)}

    def split(self, image: Tensor, mask: Tensor, **planes: Tensor) -> tuple[tuple[Tensor, ...], Rear]:
        """Return what lies before the second stage's residual blocks, and what follows."""
        assert self.inpaint_generator is not None
        self._check_sides(image)
        derived = planes if "canny" in planes else self.derive(image, mask)
        used = self._completed_edges(derived["gray"], derived["canny"], mask, planes.get("edges"))
        generator = self.inpaint_generator
        features = generator.front(self._inpaint_planes(image, used, mask))

        def paint(features: Sequence[Tensor]) -> Tensor:
            return ((_exact(generator.rear(features[0])).tanh() + 1) / 2).to(image.dtype)

        return (features,), paint

    def _completed_edges(self, gray: Tensor | None, canny: Tensor, mask: Tensor, given: Tensor | None) -> Tensor:
        hole = mask > 0.5
        if self.edge_generator is None:
            return canny.masked_fill(hole, 0.0) if given is None else torch.where(hole, given, canny)
        if given is not None and self.composite_edges:
            return torch.where(hole, given, canny)
        assert gray is not None
        completed = self.edges(gray, canny, mask)
        if given is not None:
            return torch.where(hole, given, completed)
        return torch.where(hole, completed, canny) if self.composite_edges else completed

    def _inpaint_planes(self, image: Tensor, edges: Tensor, mask: Tensor) -> Tensor:
        planes = [image.masked_fill(mask > 0.5, 1.0), edges, *([mask] if self.config.mask_channel else [])]
        return torch.cat(planes, dim=1)  # (B, 4 or 5, H, W)

    def parts(self, image: Tensor, mask: Tensor) -> dict[str, Callable[[], object]]:
        """Return each stage as a task with its inputs prepared, for measuring; and both in a row."""
        derived = self.derive(image, mask)
        gray, canny = derived["gray"], derived["canny"]
        tasks: dict[str, Callable[[], object]] = {}
        if self.edge_generator is not None:
            tasks["edge"] = lambda: self.edges(gray, canny, mask)
        if self.inpaint_generator is not None:
            tasks["inpaint"] = lambda: self.paint(image, canny, mask)
        if len(tasks) == 2:
            tasks["stages"] = lambda: self.paint(image, self._completed_edges(gray, canny, mask, None), mask)
        return tasks

    def _check_sides(self, image: Tensor) -> None:
        height, width = image.shape[-2:]
        if height % 4 or width % 4 or min(height, width) < self.minimum_px:
            raise InputError(
                f"EdgeConnect needs sides that are multiples of 4 and at least {self.minimum_px}, got {height}x{width}"
            )


def _exact(x: Tensor) -> Tensor:
    """Return half precision in float32: the last steps of an image decide how fine its tones are."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def gray_of(image: Tensor) -> Tensor:
    """Return the gray image (B, 1, H, W) of colors (B, 3, H, W)."""
    weights = torch.tensor(BT709, dtype=image.dtype, device=image.device).view(1, 3, 1, 1)
    return (image * weights).sum(dim=1, keepdim=True)


def edge_planes(gray: Tensor, canny: Tensor, mask: Tensor) -> Tensor:
    """Return what the edge generator reads (B, 3, H, W): gray with a white hole, edges without the hole, the mask."""
    hole = mask > 0.5
    return torch.cat((gray.masked_fill(hole, 1.0), canny.masked_fill(hole, 0.0), mask), dim=1)


def convolutions(module: nn.Module) -> list[nn.Conv2d | nn.ConvTranspose2d]:
    """Return all convolutions below a module, in the order of the signal."""
    return [layer for layer in module.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]


def initialize_(module: nn.Module) -> None:
    """Draw every weight from a normal distribution of deviation 0.02 and set biases to 0, before normalizing them."""
    for layer in convolutions(module):
        nn.init.normal_(layer.weight, 0.0, DEVIATION)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
