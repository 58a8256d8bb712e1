"""A frame as the authors' program optimizes it: content, style, total variation, and temporal losses on the colors.

manuelruder/artistic-videos: the arithmetic of jcjohnson/neural-style, whose colors are multiplied by 256, and one
temporal loss for each earlier frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from inpaint.nn.vgg_layers import Layers
from inpaint.optimize.layer_terms import Content, MappedStyle, Smoothness, masked_gram
from inpaint.optimize.layered import PIXELS, LayeredObjective, Weighted
from inpaint.style.film.temporal import Temporal

CONTENT = "relu4_2"
STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
WEIGHTS: Mapping[str, float] = {"content": 5.0, "style": 100.0, "smoothness": 1e-3, "temporal": 1e3}


def frame_objective(
    layers: Layers,
    content: Tensor,
    style: Tensor,
    earlier: Sequence[tuple[Tensor, Tensor]],
    *,
    start: Tensor,
) -> LayeredObjective:
    """Return what the program minimizes for one frame.

    Args:
        layers: A network whose space is 256 times [0, 1].
        content: (1, 3, H, W), the frame, in the space.
        style: (1, 3, h, w), likewise.
        earlier: Warped results (1, 3, H, W) in the space, each with its weights (H, W) in [0, 1]; the nearest first.
        start: (1, 3, H, W): noise for the first frame, else the warped result before.
    """
    with torch.no_grad():
        wanted = layers.features(content, (CONTENT,))[CONTENT][0]
        styles = layers.features(style, STYLE)
        own = layers.features(content, STYLE)
    losses = [Weighted("content", CONTENT, Content(wanted, None, wanted[0].numel()), WEIGHTS["content"])]
    for layer in STYLE:
        target = masked_gram(styles[layer][0], torch.ones_like(styles[layer][0, 0]))
        term = MappedStyle(target, torch.ones_like(own[layer][0, 0]))
        losses.append(Weighted(f"style_{layer}", layer, term, WEIGHTS["style"]))
    losses.append(Weighted("smoothness", PIXELS, Smoothness(last=False), WEIGHTS["smoothness"], told=0))
    for number, (target, weights) in enumerate(earlier):
        term_ = Temporal(target[0], weights, through=False)
        losses.append(Weighted(f"temporal_{number}", PIXELS, term_, WEIGHTS["temporal"]))
    return LayeredObjective(layers, losses, start, torch.ones_like(content[0, 0]), exact=True)
