"""Contextual attention (Yu et al. 2018, section 4; as in the public code of "Free-Form Image Inpainting", 2019).

Features F (B, C, 2h, 2w) attend to themselves on the grid (h, w) of every second position, N = h * w. The layer
compares 3 x 3 patches of the grid by cosine (only the key normalized), optionally fuses scores of neighboring pairs,
takes the softmax over the known keys, and pastes 4 x 4 patches of F with these weights.

No patch is ever built. A patch score is a sum of pixel scores G[r, p] = <f_r, f_p> over common shifts of query and key,
and a paste is, for each of the four phases of the 2 x 2 output cell, one product of F's phase with a sum of shifted
weights: N^2 C + 4 N^2 C instead of 9 N^2 C + 16 N^2 C multiplications, in exact arithmetic the same numbers.

Maps of query r and key p lie in memory with the keys of one query side by side. A common shift of both by s is then a
shift of the whole memory by s * (row length + 1), one long addition, as long as what must count as 0 beyond the border
is stored as 0. So grids are stored with a margin: a row above and below, and one column, which serves both sides. We
call them margined; they have h + 2 rows of w + 1 places. Features are 0 in the margin, so scores are as well.

The whole N x N map exists only where it fits: queries are taken in blocks of rows. Scores of a block need a few more
rows of queries around it, which are computed again; a paste reaches into the rows around, where blocks add up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from inpaint.nn.attention_plain import attended
from inpaint.nn.plain import HasPlainForm, box_sums

FeatureSampling: TypeAlias = Literal["floor", "aligned"]
MaskSampling: TypeAlias = Literal["floor8", "aligned8", "aligned4_2"]

KEY_EPS = 1e-4  # smallest norm of a key (clamp), or what is added to each of its squares (inside)
SOFTMAX_SCALE = 10.0

# Sizes of one map of a block, of which some six exist at a time.
CACHE_BYTES = 16 * 2**20  # on a CPU without gradients: maps that stay in its cache are several times faster
MAP_BYTES = 512 * 2**20  # elsewhere: as large as memory comfortably allows, since halos are computed again
HALO_ROWS = 8  # blocks below this many rows spend most of their time on halos; made smaller only to save memory


def aligned_index(size: int, out: int, *, device: torch.device | None = None) -> Tensor:
    """Return `out` indices into a side of `size`, first on first and last on last, halves rounded up (TensorFlow).

    Example:
        >>> aligned_index(8, 4).tolist()
        [0, 2, 5, 7]
    """
    step = torch.arange(out, device=device)
    last = step[-1:]
    return (2 * step * (size - 1) + last) // (2 * last).clamp_min(1)


def _aligned(x: Tensor, factor: int) -> Tensor:
    rows = aligned_index(x.shape[-2], x.shape[-2] // factor, device=x.device)
    columns = aligned_index(x.shape[-1], x.shape[-1] // factor, device=x.device)
    return x.index_select(-2, rows).index_select(-1, columns)


def sample_features(x: Tensor, *, mode: FeatureSampling) -> Tensor:
    """Take every second position of a map.

    Args:
        x: (B, C, 2h, 2w).
        mode: floor: from 0 on. aligned: nearest with aligned corners.

    Returns:
        (B, C, h, w).
    """
    return x[..., ::2, ::2] if mode == "floor" else _aligned(x, 2)


def sample_mask(mask: Tensor, *, mode: MaskSampling) -> Tensor:
    """Take a mask to the attention's grid, without averaging.

    Args:
        mask: (B, 1, 8h, 8w), 1 = hole.
        mode: floor8: every eighth pixel from 0 on. aligned8: nearest with aligned corners in one step. aligned4_2: the
            same in two steps, by 4 and by 2, which picks other pixels than one step.

    Returns:
        (B, 1, h, w).
    """
    if mode == "floor8":
        return mask[..., ::8, ::8]
    return _aligned(mask, 8) if mode == "aligned8" else _aligned(_aligned(mask, 4), 2)


def known_keys(mask: Tensor) -> Tensor:
    """Return True where the 3 x 3 window of the mask (B, 1, h, w) holds no hole; beyond the border counts as known."""
    return F.max_pool2d(mask, 3, stride=1, padding=1) == 0


def _shifted_sum(x: Tensor, steps: tuple[int, ...], start: int, stop: int, out: Tensor | None = None) -> Tensor:
    """Return out[:, i - start] = x[:, i] + sum over steps of x[:, i + step], start <= i < stop; x (B, L), 0 beyond."""
    length = x.shape[1]
    if out is None:
        out, rest = x[:, start:stop].clone(), list(steps)
    else:
        # The first sum is written at once. (torch.compile cannot follow; it is given no memory to write to.)
        first, *rest = steps
        low = min(max(start, -first), stop)
        high = max(min(stop, length - first), low)  # the first term exists from low to high
        torch.add(x[:, low:high], x[:, low + first : high + first], out=out[:, low - start : high - start])
        out[:, : low - start] = x[:, start:low]
        out[:, high - start :] = x[:, high:stop]
    for step in rest:
        low, high = max(start, -step), min(stop, length - step)
        if low < high:
            out[:, low - start : high - start] += x[:, low + step : high + step]
    return out


class _ShiftedSum(torch.autograd.Function):
    """`_shifted_sum` is linear: its gradient needs nothing of the input, which need not be kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, steps: tuple[int, ...], start: int, stop: int) -> Tensor:
        ctx.steps, ctx.start, ctx.length = steps, start, x.shape[1]
        return _shifted_sum(x, steps, start, stop)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        (grad,), length, start = grads, ctx.length, ctx.start
        out = F.pad(grad, (start, length - start - grad.shape[1]))
        for step in ctx.steps:
            low, high = max(start, -step), min(start + grad.shape[1], length - step)
            if low < high:
                out[:, low + step : high + step] += grad[:, low - start : high - start]
        return out, None, None, None


def shifted_sum(
    x: Tensor, steps: tuple[int, ...], start: int = 0, stop: int | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Add to x itself moved by every step: out[:, i] = x[:, i] + sum of x[:, i + step], beyond the ends 0.

    Args:
        x: (B, L).
        steps: How far it is moved, in places, to either side.
        start: The first place that is wanted.
        stop: The place behind the last; None: L.
        out: Memory for the result, which then carries no gradient; None: new memory.

    Returns:
        (B, stop - start).

    Example:
        >>> shifted_sum(torch.tensor([[1.0, 2.0, 4.0]]), (1,)).tolist()
        [[3.0, 6.0, 4.0]]
    """
    stop = x.shape[1] if stop is None else stop
    if out is None:
        result: Tensor = _ShiftedSum.apply(x, steps, start, stop)
        return result
    return _shifted_sum(x, steps, start, stop, out)


class _Buffers:
    """Memory for maps, used again and again: fresh memory of this size comes page by page from the system, which takes
    longer than the arithmetic. With gradients there is none, since every map must survive.
    """

    def __init__(self, like: Tensor, *, reuse: bool) -> None:
        self._like, self.reuse = like, reuse
        self._slots: dict[int, Tensor] = {}

    def take(self, slot: int, *shape: int) -> Tensor | None:
        """Return slot `slot` in that shape with any content, or None where new memory must be used."""
        if not self.reuse:
            return None
        size = math.prod(shape)
        if slot not in self._slots or self._slots[slot].numel() < size:
            self._slots[slot] = self._like.new_empty(size)
        return self._slots[slot][:size].view(shape)


def _product(x: Tensor, y: Tensor, buffers: _Buffers | None = None, slot: int = 0) -> Tensor:
    """Return the products of rows, x @ y.mT: (B, M, N) for x (B, M, K) and y (B, N, K); in the slot, if it is given.

    On a CPU a 1 x 1 convolution does the same faster than the library for matrices, by 1.2 in attention at 512 px.
    """
    reuse = buffers is None or buffers.reuse
    if reuse and x.shape[0] == 1 and x.is_cpu and x.dtype == torch.float32 and not x.requires_grad:
        return F.conv2d(x.mT.unsqueeze(2), y[0][..., None, None]).squeeze(2).mT
    out = None if buffers is None else buffers.take(slot, x.shape[0], x.shape[1], y.shape[1])
    return torch.matmul(x, y.mT, out=out)


def _product_in_margin(x: Tensor, y: Tensor, margin: tuple[int, ...], out: Tensor | None) -> Tensor:
    """Return x * y with zeros around, as many as F.pad would be told; in `out`, if given."""
    if out is None:
        return F.pad(x * y, margin)
    inner = out
    for dim, (before, after) in enumerate(zip(margin[::2], margin[1::2], strict=True)):
        axis, size = -1 - dim, out.shape[-1 - dim]
        out.narrow(axis, 0, before).zero_()
        out.narrow(axis, size - after, after).zero_()
        inner = inner.narrow(axis, before, size - before - after)
    torch.mul(x, y, out=inner)
    return out


def _margined(x: Tensor) -> Tensor:
    """Put a margin of zeros around x (B, h, w, C): (B, (h + 2) * (w + 1), C), see the head of this file."""
    return F.pad(x, (0, 0, 0, 1, 1, 1)).flatten(1, 2)


@dataclass(frozen=True, eq=False)
class _Attended:
    """What all blocks of queries share.

    places (B, M, C): the grid's features with margin, M = (h + 2) * (w + 1). scale (B, h, w): 10 / norm of each key.
    known (B, 1, N), 1 or 0. penalty (B, 1, N) or None: added to the scores of keys that take no part in the softmax.
    phases: F at rows 2y + a and columns 2x + b, (B, M, C) each, as [a][b].
    """

    h: int
    w: int
    places: Tensor
    scale: Tensor
    known: Tensor
    penalty: Tensor | None
    phases: list[list[Tensor]]
    fuse: bool


def _patch_sums(shared: _Attended, buffers: _Buffers, top: int, bottom: int) -> Tensor:
    """Return <q_r, k_p> for the query rows top to bottom: (B, rows, w, h, w), a view of slot 0."""
    h, w, places = shared.h, shared.w, shared.places
    batch, count, _ = places.shape
    line = w + 1
    queries = places[:, top * line : (bottom + 2) * line]  # one row more on both sides
    size = queries.shape[1]
    gram = _product(queries, places, buffers, 0).view(batch, -1)
    along_x = shifted_sum(gram, (-count - 1, count + 1), out=buffers.take(1, batch, size * count))
    inner, step = line * count, line * (count + 1)
    start, stop = inner, size * count - inner
    both = shifted_sum(along_x, (-step, step), start, stop, out=buffers.take(0, batch, stop - start))
    return both.view(batch, bottom - top, line, h + 2, line)[:, :, :w, 1:-1, :w]


def _fused_along_rows(shared: _Attended, buffers: _Buffers, top: int, bottom: int) -> Tensor:
    """Add to each score those one query and key before and after, counted row by row, for query rows top to bottom.

    Returns (B, rows * w, w + N + w) in slot 0: the keys, and on both sides what lies w places further when keys are
    counted column by column: the last row continues in the first, one column to the right.
    """
    h, w, keys = shared.h, shared.w, shared.h * shared.w
    length = w + keys + w
    above, below = max(top - 1, 0), min(bottom + 1, h)
    sums = _patch_sums(shared, buffers, above, below)
    batch, rows = sums.shape[:2]
    if (scores := buffers.take(1, batch, rows, w, length)) is None:
        scores = F.pad((sums * shared.scale[:, None, None]).flatten(3), (w, w))
    else:
        scores[..., :w], scores[..., w + keys :] = 0, 0
        inner = scores[..., w:-w].view(batch, rows, w, h, w)
        torch.mul(sums, shared.scale[:, None, None], out=inner)
    start, size = (top - above) * w * length, (bottom - top) * w * length
    out = buffers.take(0, batch, size)
    fused = shifted_sum(scores.view(batch, -1), (-length - 1, length + 1), start, start + size, out=out)
    fused = fused.view(batch, -1, length)
    fused[..., 1:w] = fused[..., keys : keys + w - 1]
    fused[..., w + keys : -1] = fused[..., w + 1 : 2 * w]
    fused[..., 0], fused[..., -1] = 0, 0
    return fused


def _fused_scores(shared: _Attended, buffers: _Buffers, top: int, bottom: int) -> Tensor:
    """Add to every score those of the pairs one place before and after it, row by row, then column by column.

    The public code convolves the N x N map with the 3 x 3 identity, so that a row's end continues in the next row's
    beginning, and a column's end in the next column's; followed. Returns (B, rows * w, N), a view of slot 1.
    """
    h, w, keys = shared.h, shared.w, shared.h * shared.w
    length = w + keys + w
    above, below = max(top - 1, 0), min(bottom + 1, h)
    # Before the first row of queries comes the last one, one column to the left; after the last row the first one.
    before = _fused_along_rows(shared, buffers, h - 1, h)[:, :-1, :keys].clone() if top == 0 else None
    after = _fused_along_rows(shared, buffers, 0, 1)[:, 1:, 2 * w :].clone() if bottom == h else None
    rows = _fused_along_rows(shared, buffers, above, below)
    step = w * (length + 1)
    start, size = (top - above) * w * length, (bottom - top) * w * length
    out = buffers.take(1, rows.shape[0], size)
    fused = shifted_sum(rows.view(rows.shape[0], -1), (-step, step), start, start + size, out=out)
    fused = fused.view(rows.shape[0], -1, length)
    if before is not None:
        fused[:, 1:w, w:-w] += before
    if after is not None:
        fused[:, -w:-1, w:-w] += after
    return fused[..., w:-w]


def _block(shared: _Attended, buffers: _Buffers, top: int, bottom: int) -> Tensor:
    """Return what the patches of the query rows top to bottom paste: (2, B, rows + 1, w, 2, C).

    [a, ..., b, :] is phase (a, b) of the cells (row, column), for a = 0 of the rows top to bottom + 1 (excluded), for
    a = 1 of the rows top - 1 to bottom; of the outermost rows only this block's share.
    """
    h, w = shared.h, shared.w
    batch, count, channels = shared.places.shape
    rows, line = bottom - top, w + 1
    if shared.fuse:
        scores = _fused_scores(shared, buffers, top, bottom)
    else:
        sums, out = _patch_sums(shared, buffers, top, bottom), buffers.take(1, batch, rows, w, h, w)
        scores = torch.mul(sums, shared.scale[:, None, None], out=out).view(batch, rows * w, h * w)
    out = buffers.take(0, batch, rows * w, h * w)
    if shared.penalty is None:
        logits = torch.mul(scores, shared.known, out=out)
    else:
        logits = torch.add(scores, shared.penalty, out=out)
    weights = torch.softmax(logits, dim=2, out=buffers.take(1, batch, rows * w, h * w))
    weights = weights.view(batch, rows, w, h, w)
    out = buffers.take(0, batch, rows + 2, line, h + 2, line)
    known = shared.known.view(batch, 1, 1, h, w)
    margined = _product_in_margin(weights, known, (0, 1, 1, 1, 0, 1, 1, 1), out).view(batch, -1)
    row = line * count
    size = (rows + 1) * row
    pasted = []
    for a, side in enumerate((-1, 1)):
        # Places of phase a in a cell lie in this cell's own patch and in that of the neighbor on their side.
        start, step = row * (1 - a), side * line * (count + 1)
        vertical = shifted_sum(margined, (step,), start, start + size, out=buffers.take(1, batch, size))
        for b, other in enumerate((-1, 1)):
            both = shifted_sum(vertical, (other * (count + 1),), out=buffers.take(2, batch, size))
            phase = _product(both.view(batch, -1, count), shared.phases[a][b].mT)  # (B, (rows + 1) * line, C)
            pasted.append(phase.view(batch, rows + 1, line, channels)[:, :, :w])
    return torch.stack(pasted, dim=3).view(batch, rows + 1, w, 2, 2, channels).movedim(3, 0)


def block_rows(h: int, w: int, batch: int, *, itemsize: int, cached: bool) -> tuple[int, int]:
    """Return how many samples and how many rows of queries a block of attention has, by the memory of one map.

    Args:
        h: Rows of the grid.
        w: Columns of the grid.
        batch: Samples there are.
        itemsize: Bytes of a number.
        cached: Whether maps should fit into a CPU's cache.
    """
    row = h * w * w * itemsize  # one row of queries against all keys
    rows = (CACHE_BYTES if cached else MAP_BYTES) // row
    if rows >= h:
        return min(rows // h, batch), h
    return 1, min(max(rows, min(HALO_ROWS, MAP_BYTES // row), 1), h)


def overlap_count(h: int, w: int, *, like: Tensor) -> Tensor:
    """Return how many pasted patches cover each place of the map (2h, 2w): 4, at edges 2, in corners 1."""
    rows, columns = (torch.arange(2 * side, device=like.device) for side in (h, w))
    down, across = (2.0 - (place == 0).to(like) - (place == place[-1]).to(like) for place in (rows, columns))
    return down[:, None] * across


class ContextualAttention(HasPlainForm):
    """Rebuilds features from known places that are alike. No parameters; options name what public programs differ in.

    Args:
        fuse: Add the scores of neighboring pairs before the softmax.
        masked: `zero` keeps unknown keys in the softmax with score 0 (official), `inf` leaves them out.
        norm_eps: `clamp` the key norm at 1e-4 (official), or add 1e-4 `inside` to every square.
        overlap: Divide the paste by 4 (official, darkens the border) or by the true `count`.
        sampling: How features are taken to the grid, see `sample_features`.
        mask_sampling: How the mask is, see `sample_mask`.
        chunk: Rows of queries per block, None = chosen by the size; the result does not depend on it.
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
        chunk: int | None = None,
    ) -> None:
        super().__init__()
        if chunk is not None and chunk < 1:
            raise ValueError(f"chunk must be at least 1 or None, got {chunk}")
        self.fuse = fuse
        self.masked = masked
        self.norm_eps = norm_eps
        self.overlap = overlap
        self.sampling: FeatureSampling = sampling
        self.mask_sampling: MaskSampling = mask_sampling
        self.chunk = chunk

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Attend from every place to the known ones.

        Computes in float32 (float64 for float64 features) also under autocast, since scores reach several hundred.
        Where several blocks are needed and gradients are wanted, blocks are computed again in the backward pass.

        Args:
            features: (B, C, 2h, 2w).
            mask: (B, 1, 8h, 8w), 1 = hole.

        Returns:
            The features rebuilt, of the same shape and dtype, in channels_last layout.

        Raises:
            ValueError: The sizes do not fit.
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
            count = overlap_count(height // 2, width // 2, like=exact) if self.overlap == "count" else 4
            pasted = (self._attend_plainly if self.plain else self._attend)(exact, known) / count
        return pasted.to(dtype)

    def _attend(self, features: Tensor, known: Tensor) -> Tensor:
        """Return the sum of all pasted patches, (B, C, 2h, 2w), for known (B, 1, h, w) bool."""
        batch, channels, height, width = features.shape
        h, w = height // 2, width // 2
        differentiable = torch.is_grad_enabled() and features.requires_grad
        samples, rows = block_rows(
            h,
            w,
            batch,
            itemsize=features.element_size(),
            cached=features.device.type == "cpu" and not differentiable,
        )
        if self.chunk is not None:
            rows = min(self.chunk, h)
        buffers = _Buffers(features, reuse=not differentiable and not torch.compiler.is_compiling())
        out = features.new_zeros(batch, h, 2, w, 2, channels)
        for part in (slice(first, first + samples) for first in range(0, batch, samples)):
            shared = self._shared(features[part], known[part])
            for top in range(0, h, rows):
                bottom = min(top + rows, h)
                if differentiable and (rows < h or samples < batch):
                    # Computed again in the backward pass, so that only one block's maps exist.
                    block = (_block, shared, buffers, top, bottom)
                    pasted = checkpoint(*block, use_reentrant=False, preserve_rng_state=False)
                else:
                    pasted = _block(shared, buffers, top, bottom)
                upper, lower = pasted.unbind()  # (B, rows + 1, w, 2, C) each
                out[part, top : bottom + 1, 0] += upper[:, : h - top]
                out[part, max(top - 1, 0) : bottom, 1] += lower[:, 1 if top == 0 else 0 :]
        return out.view(batch, height, width, channels).permute(0, 3, 1, 2)

    def _attend_plainly(self, features: Tensor, known: Tensor) -> Tensor:
        """Do what `_attend` does in one piece."""
        grid = sample_features(features, mode=self.sampling)  # (B, C, h, w)
        return attended(
            features,
            grid,
            known.to(features.dtype),
            scale=self._scale(grid),
            fuse=self.fuse,
            masked=self.masked == "inf",
        )

    def _scale(self, grid: Tensor) -> Tensor:
        """Return what the scores of each key are multiplied by, (B, 1, h, w): 10 / its norm."""
        # The sum of squares is clamped before the root: the root of an all-zero patch, common behind a ReLU, has no
        # finite derivative.
        squares = box_sums(grid.square().sum(1, keepdim=True), 3, around=1, plain=self.plain)
        inside = self.norm_eps == "inside"
        squares = squares + 9 * grid.shape[1] * KEY_EPS if inside else squares.clamp_min(KEY_EPS**2)
        return SOFTMAX_SCALE / squares.sqrt()

    def _shared(self, features: Tensor, known: Tensor) -> _Attended:
        batch, channels, height, width = features.shape
        h, w = height // 2, width // 2
        grid = sample_features(features, mode=self.sampling)  # (B, C, h, w)
        cells = features.permute(0, 2, 3, 1).reshape(batch, h, 2, w, 2, channels)
        keys = known.reshape(batch, 1, h * w)
        penalty = features.new_zeros(keys.shape).masked_fill(~keys, torch.finfo(features.dtype).min)
        return _Attended(
            h=h,
            w=w,
            places=_margined(grid.permute(0, 2, 3, 1)),
            scale=self._scale(grid).view(batch, h, w),
            known=keys.to(features.dtype),
            penalty=penalty if self.masked == "inf" else None,
            phases=[[_margined(cells[:, :, a, :, b]) for b in (0, 1)] for a in (0, 1)],
            fuse=self.fuse,
        )

    def extra_repr(self) -> str:
        """Show the options."""
        return (
            f"fuse={self.fuse}, masked={self.masked}, norm_eps={self.norm_eps}, overlap={self.overlap}, "
            f"sampling={self.sampling}, mask_sampling={self.mask_sampling}, chunk={self.chunk}"
        )
