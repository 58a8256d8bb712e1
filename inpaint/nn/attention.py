"""Contextual attention (Yu et al. 2018, section 4; as in the public code of "Free-Form Image Inpainting", 2019).

Features F (B, C, 2h, 2w) attend to themselves on the grid (h, w) of every second position, N = h * w. The layer
compares 3 x 3 patches of the grid by cosine (only the key normalized), optionally fuses scores of neighbouring pairs,
takes the softmax over the known keys, and pastes 4 x 4 patches of F with these weights.

No patch is ever built. A patch score is a sum of pixel scores G[p, r] = <f_p, f_r> over common shifts of key and query,
and a paste is, for each of the four phases of the 2 x 2 output cell, one product of F's phase with a sum of shifted
weights: N^2 C + 4 N^2 C instead of 9 N^2 C + 16 N^2 C multiplications, in exact arithmetic the same numbers.

Score and weight maps have the shape (B, h, w, h, w): key row, key column, query row, query column.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FeatureSampling: TypeAlias = Literal["floor", "aligned"]
MaskSampling: TypeAlias = Literal["floor8", "aligned8", "aligned4_2"]

KEY_EPS = 1e-4  # smallest norm of a key (clamp), or what is added to each of its squares (inside)
SOFTMAX_SCALE = 10.0


def aligned_index(size: int, out: int, *, device: torch.device | None = None) -> Tensor:
    """Return `out` indices into a side of `size`, first on first and last on last, halves rounded up (TensorFlow)."""
    if out == 1:
        return torch.zeros(1, dtype=torch.long, device=device)
    step = torch.arange(out, device=device)
    return (2 * step * (size - 1) + out - 1) // (2 * (out - 1))


def _aligned(x: Tensor, factor: int) -> Tensor:
    rows = aligned_index(x.shape[-2], x.shape[-2] // factor, device=x.device)
    columns = aligned_index(x.shape[-1], x.shape[-1] // factor, device=x.device)
    return x.index_select(-2, rows).index_select(-1, columns)


def sample_features(x: Tensor, *, mode: FeatureSampling) -> Tensor:
    """Take every second position of x (B, C, 2h, 2w): from 0 on, or nearest with aligned corners. (B, C, h, w)."""
    return x[..., ::2, ::2] if mode == "floor" else _aligned(x, 2)


def sample_mask(mask: Tensor, *, mode: MaskSampling) -> Tensor:
    """Take the mask (B, 1, 8h, 8w) to the attention's grid (B, 1, h, w), without averaging.

    floor8: every eighth pixel from 0 on. aligned8: nearest with aligned corners in one step. aligned4_2: the same in
    two steps, by 4 and by 2, which picks other pixels than one step.
    """
    if mode == "floor8":
        return mask[..., ::8, ::8]
    return _aligned(mask, 8) if mode == "aligned8" else _aligned(_aligned(mask, 4), 2)


def known_keys(mask: Tensor) -> Tensor:
    """Return True where the 3 x 3 window of the mask (B, 1, h, w) holds no hole; beyond the border counts as known."""
    return F.max_pool2d(mask, 3, stride=1, padding=1) == 0


def _span(size: int, offset: int) -> tuple[slice, slice]:
    """Return (to, from) such that x[to] and x[from] are `offset` apart and both inside a side of `size`."""
    if offset >= 0:
        return slice(0, max(size - offset, 0)), slice(min(offset, size), size)
    return slice(min(-offset, size), size), slice(0, max(size + offset, 0))


def _shift_add(x: Tensor, axes: tuple[int, int], offsets: tuple[int, ...]) -> Tensor:
    """Return sum over o in {0, *offsets} of x moved by o along both axes together; what leaves either side is 0."""
    out = x.clone(memory_format=torch.contiguous_format)
    first, second = axes
    for offset in offsets:
        (to_a, from_a), (to_b, from_b) = _span(x.shape[first], offset), _span(x.shape[second], offset)
        to, source = [slice(None)] * x.ndim, [slice(None)] * x.ndim
        to[first], source[first], to[second], source[second] = to_a, from_a, to_b, from_b
        out[tuple(to)] += x[tuple(source)]
    return out


def _fuse_columns(x: Tensor) -> Tensor:
    """Return x[p-1, r-1] + x[p, r] + x[p+1, r+1] with p, r counted column by column, for x (B, h, w, h, w).

    The next position is one row below, or from the last row the first row of the next column: four slices per
    direction, since key and query wrap independently.
    """
    h, w = x.shape[1:3]
    inside = ((slice(0, h - 1), slice(0, w)), (slice(1, h), slice(0, w)))
    wrapped = ((slice(h - 1, h), slice(0, w - 1)), (slice(0, 1), slice(1, w)))
    out = x.clone(memory_format=torch.contiguous_format)
    batch = slice(None)
    for key, key_next in (inside, wrapped):
        for query, query_next in (inside, wrapped):
            here, after = (batch, *key, *query), (batch, *key_next, *query_next)
            out[here] += x[after]
            out[after] += x[here]
    return out


class _ShiftAdd(torch.autograd.Function):
    """`_shift_add` keeps nothing for its gradient: its transpose is itself with the offsets negated."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, axes: tuple[int, int], offsets: tuple[int, ...]) -> Tensor:
        ctx.axes, ctx.offsets = axes, offsets
        return _shift_add(x, axes, offsets)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return _ShiftAdd.apply(grads[0], ctx.axes, tuple(-o for o in ctx.offsets)), None, None


class _FuseColumns(torch.autograd.Function):
    """`_fuse_columns` is its own transpose."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _fuse_columns(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        result: Tensor = _FuseColumns.apply(grads[0])
        return result


def shift_add(x: Tensor, axes: tuple[int, int], offsets: tuple[int, ...]) -> Tensor:
    """Sum x and x moved by each offset along both axes together: out[p, r] = x[p, r] + sum_o x[p + o, r + o]."""
    result: Tensor = _ShiftAdd.apply(x, axes, offsets)
    return result


def fuse(scores: Tensor) -> Tensor:
    """Add to every score those of the pairs one position before and after it, row by row, then column by column.

    The public code convolves the N x N map with the 3 x 3 identity, so that a row's end continues in the next row's
    beginning; followed. scores: (B, h, w, h, w).
    """
    batch, h, w = scores.shape[:3]
    rows = shift_add(scores.reshape(batch, h * w, h * w), (1, 2), (-1, 1))
    result: Tensor = _FuseColumns.apply(rows.view(batch, h, w, h, w))
    return result


def patch_scores(features: Tensor, *, inside: bool = False) -> Tensor:
    """Return <k_p / |k_p|, q_r> for the 3 x 3 patches of features (B, C, h, w), zero padded: (B, h, w, h, w).

    |k_p| is clamped at 1e-4; with `inside`, 1e-4 is added to each of the 9 C squares instead. The sum of squares is
    clamped before the root: the root of an all-zero patch, common behind a ReLU, has no finite derivative.
    """
    batch, channels, h, w = features.shape
    pixels = features.flatten(2)  # (B, C, N)
    gram = (pixels.transpose(1, 2) @ pixels).view(batch, h, w, h, w)
    scores = shift_add(shift_add(gram, (1, 3), (-1, 1)), (2, 4), (-1, 1))
    squares = F.avg_pool2d(features.square().sum(1, keepdim=True), 3, stride=1, padding=1, divisor_override=1)
    squares = squares + 9 * channels * KEY_EPS if inside else squares.clamp_min(KEY_EPS**2)
    return scores / squares.sqrt().view(batch, h, w, 1, 1)


def attention_weights(scores: Tensor, known: Tensor, *, drop_masked: bool = False) -> Tensor:
    """Softmax of 10 * scores over the keys, 0 for keys that are not known.

    scores: (B, h, w, h, w); known: (B, 1, h, w) bool. As in the public code, unknown keys take part in the softmax with
    score 0 and lose their weight afterwards; with `drop_masked` they take no part. Without any known key all weights
    are 0 either way.
    """
    batch, h, w = scores.shape[:3]
    valid = known.reshape(batch, h * w, 1)
    logits = SOFTMAX_SCALE * scores.reshape(batch, h * w, h * w)
    # A large finite number instead of -inf: where no key is known the softmax stays finite, and its gradient too.
    logits = logits.masked_fill(~valid, torch.finfo(logits.dtype).min if drop_masked else 0.0)
    return logits.softmax(dim=1).masked_fill(~valid, 0.0).view(batch, h, w, h, w)


def overlap_count(h: int, w: int, *, like: Tensor) -> Tensor:
    """Return how many pasted patches cover each place of the map (2h, 2w): 4, at edges 2, in corners 1."""
    rows, columns = like.new_full((2 * h, 1), 2.0), like.new_full((1, 2 * w), 2.0)
    rows[0] = rows[-1] = 1.0
    columns[:, 0] = columns[:, -1] = 1.0
    return rows * columns


def paste(features: Tensor, weights: Tensor) -> Tensor:
    """Sum the 4 x 4 patches of features (B, C, 2h, 2w), stride 2, padding 1, by weights (B, h, w, h, w).

    Equals the transposed convolution of the weights with the patches, not yet divided by the overlap.
    """
    batch, channels, height, width = features.shape
    h, w = height // 2, width // 2
    cells = features.view(batch, channels, h, 2, w, 2)
    out = []
    for a, row_offset in enumerate((-1, 1)):
        # Places of phase a in a cell lie in this cell's own patch and in that of the neighbour on their side.
        rows = shift_add(weights, (1, 3), (row_offset,))
        for b, column_offset in enumerate((-1, 1)):
            both = shift_add(rows, (2, 4), (column_offset,)).view(batch, h * w, h * w)
            out.append(cells[:, :, :, a, :, b].reshape(batch, channels, h * w) @ both)  # (B, C, N)
    phases = torch.stack(out, dim=2).view(batch, channels, 2, 2, h, w)
    return phases.permute(0, 1, 4, 2, 5, 3).reshape(batch, channels, height, width)


class ContextualAttention(nn.Module):
    """Rebuilds features from known places that look alike. No parameters; options name what public programs differ in.

    fuse: add the scores of neighbouring pairs before the softmax. masked: `zero` keeps unknown keys in the softmax with
    score 0 (official), `inf` leaves them out. norm_eps: `clamp` the key norm at 1e-4 (official), or add 1e-4 `inside`
    to every square. overlap: divide the paste by 4 (official, darkens the border) or by the true `count`.
    """

    def __init__(
        self,
        *,
        fuse: bool = True,
        masked: Literal["zero", "inf"] = "zero",
        norm_eps: Literal["clamp", "inside"] = "clamp",
        overlap: Literal[4, "count"] = 4,
        sampling: FeatureSampling = "aligned",
        mask_sampling: MaskSampling = "aligned4_2",
    ) -> None:
        super().__init__()
        self.fuse = fuse
        self.masked = masked
        self.norm_eps = norm_eps
        self.overlap = overlap
        self.sampling: FeatureSampling = sampling
        self.mask_sampling: MaskSampling = mask_sampling

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Attend from every place of features (B, C, 2h, 2w) to the known ones; mask (B, 1, 8h, 8w), 1 = hole.

        Computes in float32 (float64 for float64 features) also under autocast, since scores reach several hundred;
        returns the dtype of the features.
        """
        batch, _, height, width = features.shape
        if height % 2 or width % 2 or tuple(mask.shape) != (batch, 1, 4 * height, 4 * width):
            raise ValueError(
                f"attention needs even sides and a mask of four times the size, got features {tuple(features.shape)} "
                f"and mask {tuple(mask.shape)}"
            )
        dtype = features.dtype
        with torch.autocast(features.device.type, enabled=False):
            exact = features.to(torch.float64 if dtype == torch.float64 else torch.float32)
            known = known_keys(sample_mask(mask.to(exact.dtype), mode=self.mask_sampling))
            scores = patch_scores(sample_features(exact, mode=self.sampling), inside=self.norm_eps == "inside")
            if self.fuse:
                scores = fuse(scores)
            weights = attention_weights(scores, known, drop_masked=self.masked == "inf")
            pasted = paste(exact, weights)
            if self.overlap == "count":
                pasted = pasted / overlap_count(height // 2, width // 2, like=pasted)
            else:
                pasted = pasted / 4
        return pasted.to(dtype)

    def extra_repr(self) -> str:
        """Show the options."""
        return (
            f"fuse={self.fuse}, masked={self.masked}, norm_eps={self.norm_eps}, overlap={self.overlap}, "
            f"sampling={self.sampling}, mask_sampling={self.mask_sampling}"
        )
