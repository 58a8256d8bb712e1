"""An `Inpainter` around an `Inpainter`, which is put to work by a strategy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import InpaintError, UsageError
from inpaint.fills.arrays import Array, as_array
from inpaint.fills.base import BaseFill, Painted
from inpaint.fills.request import ImageSeed, Request
from inpaint.strategies.filling import Painting, fill_plan
from inpaint.strategies.finding import SoftMap, find_contaminated
from inpaint.strategies.options import StrategyOptions
from inpaint.strategies.panorama import Panorama
from inpaint.strategies.parts import context_px
from inpaint.strategies.planning import ORIGINAL_SHARE, Plan, gigabytes, planned
from inpaint.strategies.scaling import Cut, HoleArray, Pixels
from inpaint.system.environment import available_memory_bytes, is_out_of_memory
from inpaint.types import Inpainter, Progress, ProgressCallback, Seed

MEMORY_SHARE = 0.5  # of what is free, that filling may take where nothing is said
UNKNOWN_BYTES = 2 * 2**30  # what it may take where the system does not say what is free


class StrategicFill(BaseFill):
    """Fills as another fill does, cut out, reduced or in tiles as a strategy plans it.

    Whole arrays are filled image by image. A photo that is never in memory as floating point is filled by `fill_photo`.

    Args:
        inner: What paints.
        options: See `StrategyOptions`.
        device: Where it computes, by name: its free memory counts; None where nobody says what is free there.
    """

    own = staticmethod(as_array)
    options: StrategyOptions
    steps = 1000

    def __init__(self, inner: Inpainter, options: StrategyOptions | None = None, *, device: str | None = "cpu") -> None:
        self.options, self.device = options or StrategyOptions(), device
        self.inner = refined(inner, self.options) if self.options.refine else inner
        self.name, self.capabilities = inner.name, inner.capabilities

    @classmethod
    def around(cls, inpainter: Inpainter) -> StrategicFill:
        """Return the fill itself where a strategy was chosen already, else with the usual one."""
        return inpainter if isinstance(inpainter, cls) else cls(inpainter)

    def details(self) -> Mapping[str, object]:
        """Return what paints."""
        return {"inner": self.inner}

    def budget_bytes(self) -> float:
        """Return how much memory filling may take."""
        if self.options.memory_bytes is not None:
            return self.options.memory_bytes
        free = free_memory_bytes(self.device)
        return UNKNOWN_BYTES if free is None else MEMORY_SHARE * free

    def plan(self, hole: HoleArray) -> Plan:
        """Return how a photo with this hole (H, W), not empty, is filled. Raises InpaintError as `planned`."""
        return planned(hole, self.capabilities, self.options, budget_bytes=self.budget_bytes())

    def fill_photo(
        self,
        cut: Cut,
        hole: HoleArray,
        *,
        guidance: Mapping[str, NDArray[Any]] | None = None,
        samples: int = 1,
        seed: Seed = 0,
        progress: ProgressCallback | None = None,
    ) -> list[Painting]:
        """Fill the hole of one photo and return `samples` fills; see `fill_plan` for the arguments.

        Raises:
            InpaintError: The fill fails, or memory runs out.
        """
        asked: dict[str, Any] = {"samples": samples, "seed": seed, "progress": progress}
        if not self.options.wrap:
            return self._filled(cut, hole, hole, guidance=guidance, **asked)
        around_px = context_px(hole, self.capabilities, margin_px=self.options.crop_margin)
        layout = Panorama.of(hole, around_px)
        paintings = self._filled(
            layout.cut(cut), layout.laid_out(hole), layout.to_fill(hole), guidance=layout.guidance(guidance), **asked
        )
        return [replace(painting, colors=layout.rolled_up(painting.colors, hole)) for painting in paintings]

    def _filled(self, cut: Cut, unknown: HoleArray, hole: HoleArray, **asked: Any) -> list[Painting]:
        """Fill the hole, a part of what is unknown, of a photo without ends that meet."""
        plan = self.plan(hole)
        try:
            return fill_plan(
                self.inner, cut, unknown, plan, overlap_px=self.options.tile_overlap, seam=self.options.seam, **asked
            )
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            height, width = hole.shape
            raise InpaintError(
                f"not enough memory to fill {width} x {height} pixels with {self.name}, about "
                f"{gigabytes(plan.needed_bytes)}; close other programs, or take the CPU (--device cpu)"
            ) from error

    def remark(self, hole: HoleArray) -> str:
        """Return what is to be said before a photo is filled: that `original` needs much; else nothing."""
        if self.options.strategy != "original":
            return ""
        needed, budget = self.plan(hole).needed_bytes, self.budget_bytes()
        if needed <= ORIGINAL_SHARE * budget:
            return ""
        return f"strategy original takes about {gigabytes(needed)} of the {gigabytes(budget)} that may be used"

    def missing_to_fill(self) -> str | None:
        """Return None: what paints says it itself."""
        return None

    def find_mask(self, image: Array) -> Array:
        """Return what a blind fill finds, image by image."""
        return np.stack([self.find_in(_cut_of(each.transpose(1, 2, 0)), each.shape[1:])[None] for each in image])

    def find_in(self, cut: Cut, size: tuple[int, int]) -> SoftMap:
        """Return how much a blind fill takes each pixel of one photo for contaminated, (H, W); see `finding`."""
        return find_contaminated(self.inner, cut, size)

    def paint_all(self, request: Request) -> Iterator[Painted]:
        """Fill image by image, with all samples of each; an image without a hole is its own answer."""
        for number, (image, hole, seed) in enumerate(zip(request.image, request.hole, request.seeds, strict=True)):
            if not hole.any():
                for _ in range(request.draws):
                    yield {"raw": image[None]}
                continue
            known = (image if self.capabilities.reads_hole else np.where(hole, 0, image)).transpose(
                1, 2, 0
            )  # (H, W, 3)
            planes = {name: plane[number].transpose(1, 2, 0) for name, plane in request.guidance.items()}
            paintings = self.fill_photo(
                _cut_of(known),
                hole[0],
                guidance=planes,
                samples=request.draws,
                seed=_seed_of(seed),
                progress=_reporter(request) if request.clock.listened else None,
            )
            for sample, painting in enumerate(paintings):
                unit = number * request.draws + sample
                request.warnings[unit] = painting.warnings
                request.strategies[unit] = painting.strategy
                raw = np.where(hole, painting.colors.transpose(2, 0, 1), image).astype(image.dtype)
                score = {} if painting.score is None else {"score": np.array([painting.score], image.dtype)}
                yield {"raw": raw[None], **score}


def refined(inner: Inpainter, options: StrategyOptions) -> Inpainter:
    """Return a fill with refined features. Raises UsageError for one that offers none."""
    if not inner.capabilities.refinable:
        raise UsageError(f"refine: {inner.name} has no features that could be refined; leave it out")
    from inpaint.strategies.refinement import RefinedFill  # torch, for networks alone

    return RefinedFill(inner, options)


def free_memory_bytes(device: str | None) -> int | None:
    """Return how much memory is free where a fill computes: a GPU's own, else the machine's; None if unknown."""
    if device is None:
        return None
    if not device.startswith("cuda"):
        return available_memory_bytes()
    import torch

    free, _ = torch.cuda.mem_get_info(torch.device(device))
    # What torch keeps for later tensors is free as well.
    return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))


def _seed_of(seed: ImageSeed) -> Seed:
    """Return the seed of an image as a batch of it alone has it: so it is filled as by the fill itself."""
    if len(seed.words) == 2 and seed.words[1] == 0:
        return seed.words[0]
    return [seed.integer()]


def _reporter(request: Request) -> ProgressCallback:
    """Return what a photo's steps are told to: the clock of the whole batch."""

    def report(step: Progress) -> None:
        request.clock.report(request.draws * step.done / step.total, step.preview)

    return report


def _cut_of(image: Pixels) -> Cut:
    """Return what cuts rectangles out of an array (H, W, 3)."""
    return lambda region: image[region.slices]
