"""How a method paints frames that know of each other: by a temporal loss where it optimizes, else by blending."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.style.base import Scene
from inpaint.style.film.guides import Guide
from inpaint.style.film.options import FilmOptions
from inpaint.style.film.run import Blended, FramePainter, FrameToPaint
from inpaint.style.gatys.canvas import Canvas, resized, tensor_of
from inpaint.style.gatys.method import Gatys
from inpaint.style.gatys.options import GatysOptions
from inpaint.style.gatys.presets import content_factor
from inpaint.style.gatys.terms import Weighted
from inpaint.types import Stylizer

TEMPORAL_TO_CONTENT = 200.0 * 255.0**2  # the authors' weights, 1000 : 5, whose colors go to 255
CONTENT_CHANNELS, CONTENT_STRIDE = 512, 8  # of relu4_2, the layer of the authors' content
LEAST_TRUST = 0.1  # mean over a frame, below which it shows another scene
LATER_SHARE = 0.5  # of the iterations of the first size, for a frame that begins with what a pass has made of it


def frame_painter(stylizer: Stylizer, options: FilmOptions) -> FramePainter:
    """Return what paints the frames of a film by a method.

    A film is held together inside the optimization where there is one of our own form. All other methods, and the
    presets that follow other programs exactly, are blended.
    """
    if isinstance(stylizer, Gatys) and stylizer.options.exact is None:
        return HeldGatys(stylizer, options.temporal)
    return Blended(stylizer, options.blend)


class HeldGatys:
    """Optimization of each frame with a temporal loss, from the frame before as the flow moves it.

    Ruder, Dosovitskiy and Brox, "Artistic Style Transfer for Videos" (GCPR 2016). There disoccluded places, too, begin
    with what was there before, and a thousand iterations change that; ours are few, and what has gone would stay as a
    trail. So every size begins with the frame before where it is trusted, and elsewhere with what the smaller size has
    made of the frame itself. A later pass begins with the pass before, at the last size alone. After a cut a film
    begins anew.

    Args:
        method: Whose options hold.
        weight: Of the temporal loss beside the content's; 1: the authors' ratio. 0: frames know nothing of each other.
    """

    def __init__(self, method: Gatys, weight: float) -> None:
        self.first = method
        self.weight = weight
        options = method.options
        last = options.planned(1, options.optimizer)[0]
        update = {"min_px": 2**20, "iterations": max(round(LATER_SHARE * last), 1)}
        self.next = _HeldFrame(options, method.device)
        self.again = _HeldFrame(options.model_copy(update=update), method.device)

    def paint(self, frame: FrameToPaint) -> NDArray[np.float32]:
        """See `FramePainter`."""
        cut = float(np.sum([guide.trust for guide in frame.held], axis=0).mean()) < LEAST_TRUST
        if frame.own is None and (cut or not self.weight):
            return frame.painted_by(self.first)
        held = self.next if frame.own is None else self.again
        held.network = self.first.network
        held.own, held.guides, held.weight = frame.own, frame.held, self.weight
        return frame.painted_by(held)


class _HeldFrame(Gatys):
    """The method on a frame of which others are known."""

    def __init__(self, options: GatysOptions, device: torch.device) -> None:
        super().__init__(options, device=device, more=self._temporal)
        self.own: NDArray[np.float32] | None = None
        self.guides: Sequence[Guide] = ()
        self.weight = 0.0

    def _start(self, scene: Scene, canvas: Canvas) -> Tensor:
        return super()._start(scene, canvas) if self.own is None else _fitted(self.own, canvas)

    def _begun(self, image: Tensor, canvas: Canvas) -> Tensor:
        pulls = [held.trust * (held.target - image) for held in self._held(canvas)]
        return torch.stack([image, *pulls]).sum(0).clamp(0, 1)

    def _temporal(self, canvas: Canvas) -> list[Weighted]:
        places = (canvas.content.shape[-2] // CONTENT_STRIDE) * (canvas.content.shape[-1] // CONTENT_STRIDE)
        values = CONTENT_CHANNELS * max(places, 1)  # sums grow with them in some normalizations, means do not
        factor = content_factor(self.options.normalization, CONTENT_CHANNELS, max(places, 1)) * values
        weight = self.weight * TEMPORAL_TO_CONTENT * self.options.content_weight * factor
        return [
            Weighted(name=f"temporal_{number}", weight=weight, color=held)
            for number, held in enumerate(self._held(canvas), start=1)
        ]

    def _held(self, canvas: Canvas) -> list[_Held]:
        return [_Held(_fitted(each.image, canvas), _fitted(each.trust[..., None], canvas)) for each in self.guides]


class _Held:
    """Mean of trust times the squared difference to what an earlier frame has become."""

    def __init__(self, target: Tensor, trust: Tensor) -> None:
        self.target = target
        self.trust = trust

    def __call__(self, colors: Tensor) -> Tensor:
        """Compare colors (1, 3, H, W) in [0, 1]."""
        return (self.trust * (colors - self.target).square()).mean()


def _fitted(image: NDArray[Any], canvas: Canvas) -> Tensor:
    """Return an image (H, W, C) at the size that is worked on, (1, C, h, w)."""
    size = (canvas.content.shape[-2], canvas.content.shape[-1])
    return resized(tensor_of(image.astype(np.float32)).to(canvas.content), size)
