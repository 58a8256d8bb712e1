"""How fast images are blended by Poisson's equation, beside OpenCV and SciPy, and how far the result is from exact.

All blend the same bytes into the same mask. OpenCV's `seamlessClone` solves another problem: on the box of the mask,
from gradients of a mask that it erodes. SciPy solves the same equations, assembled as its users do.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse  # type: ignore[import-untyped]
from scipy.sparse import linalg  # type: ignore[import-untyped]

from inpaint.benchmark.memory import own_process_peak
from inpaint.benchmark.timing import Timing, Work, take_turns
from inpaint.classical.poisson import blended
from inpaint.system.environment import variable_set

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What is measured: share of the frame that is blended; direct: megapixels up to which SciPy factorizes; limit:
    seconds after which its conjugate gradients are stopped; memory, error: whether these are measured.
    """

    rounds: int
    threads: int
    share: float = 0.5
    direct: float = 0.3
    limit: float = 600.0
    memory: bool = True
    error: bool = True


@dataclass(frozen=True)
class Figures:
    """Of one size. once_s: seconds of what runs once, None where it was stopped. error: of inpaint in the mask, in
    levels of 255 before rounding, against what.
    """

    megapixels: float
    height: int
    width: int
    unknowns: int
    timings: dict[str, Timing]
    once_s: dict[str, float | None]
    error: dict[str, Any] | None
    peak_bytes: dict[str, int]


@dataclass(frozen=True)
class Scene:
    """Two images (H, W, 3) and a mask (H, W), bytes; 1 = blended."""

    source: Bytes
    target: Bytes
    mask: Bytes

    @classmethod
    def drawn(cls, megapixels: float, share: float) -> Scene:
        """Return smooth images with some noise, 4 to 3, and a mask of one or several round parts inside the frame."""
        height, width = round((megapixels * 1e6 * 3 / 4) ** 0.5), round((megapixels * 1e6 * 4 / 3) ** 0.5)
        rng = np.random.default_rng(0)

        def smooth(channels: int) -> NDArray[np.float32]:
            coarse = rng.standard_normal((9, 12, channels)).astype(np.float32)
            return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))

        def image() -> Bytes:
            colors = 128 + 45 * smooth(3)
            colors += rng.integers(-12, 13, colors.shape, np.int8)
            return np.clip(colors, 0, 255).astype(np.uint8)

        source, target, heights = image(), image(), smooth(1)
        mask = (heights > np.quantile(heights[::8, ::8], 1 - share)).astype(np.uint8)
        mask[:2] = mask[-2:] = 0  # OpenCV leaves out what lies at the frame
        mask[:, :2] = mask[:, -2:] = 0
        return cls(source, target, mask)

    def by_inpaint(self) -> Bytes:
        """Blend by this package."""
        return blended(self.source, self.target, self.mask)

    def by_opencv(self) -> Bytes:
        """Blend by OpenCV, with the source where it is."""
        left, top, width, height = cv2.boundingRect(self.mask)
        center = left + width // 2, top + height // 2
        mask = np.repeat(255 * self.mask[..., None], 3, axis=2)  # of one channel it would be changed
        return np.asarray(cv2.seamlessClone(self.source, self.target, mask, center, cv2.NORMAL_CLONE), dtype=np.uint8)

    def system(self) -> tuple[Any, NDArray[np.float64]]:
        """Return the sparse matrix of the unknown pixels and the right sides (unknowns, 3), assembled by SciPy."""
        height, width = self.mask.shape

        def path(count: int) -> Any:
            steps = sparse.diags_array(
                [-np.ones(count - 1), np.ones(count - 1)], offsets=[0, 1], shape=(count - 1, count)
            )
            return steps.T @ steps

        laplacian = sparse.csr_array(
            sparse.kron(path(height), sparse.eye_array(width)) + sparse.kron(sparse.eye_array(height), path(width))
        )
        unknown = np.flatnonzero(self.mask)
        known = self.target.reshape(-1, 3) * (1.0 - self.mask.reshape(-1, 1))
        rows = laplacian[unknown]
        right = rows @ self.source.reshape(-1, 3).astype(np.float64) - rows @ known
        return sparse.csc_array(rows[:, unknown]), right

    def by_scipy_direct(self) -> NDArray[np.float64]:
        """Return the exact colors (unknowns, 3), by SciPy's direct solver."""
        return np.asarray(linalg.spsolve(*self.system()), dtype=np.float64)

    def scipy_cg_s(self, limit: float) -> float | None:
        """Return the seconds of SciPy's conjugate gradients, from the source's colors; None where it took longer."""
        started = time.perf_counter()

        def watch(_: object) -> None:
            if time.perf_counter() - started > limit:
                raise TimeoutError

        matrix, right = self.system()
        initial = self.source.reshape(-1, 3)[np.flatnonzero(self.mask)].astype(np.float64)
        try:
            for channel in range(3):
                linalg.cg(matrix, right[:, channel], initial[:, channel], rtol=1e-6, callback=watch)
        except TimeoutError:
            return None
        return time.perf_counter() - started

    def error(self, *, exact: bool) -> dict[str, Any]:
        """Return how far the result in float32 is from a direct solve, or from iterations in float64, in levels."""
        inside = self.mask == 1
        own = blended(self.source.astype(np.float32), self.target.astype(np.float32), self.mask)[inside]
        if exact:
            against, want = "scipy direct", self.by_scipy_direct()
        else:
            source, target = self.source.astype(np.float64), self.target.astype(np.float64)
            against, want = "float64", blended(source, target, self.mask, dtype=np.float64)[inside]
        far = np.abs(own - want)
        return {"against": against, "largest": float(far.max()), "mean": float(far.mean())}


def compare(sizes: Sequence[float], setting: Comparison) -> Iterator[Figures]:
    """Yield the figures of each size, in megapixels."""
    with _threads(setting.threads):
        fast_enough = True
        for megapixels in sizes:
            found = _compared(megapixels, setting, with_cg=fast_enough)
            fast_enough = found.once_s.get("scipy cg") is not None
            yield found


def _compared(megapixels: float, setting: Comparison, *, with_cg: bool) -> Figures:
    scene = Scene.drawn(megapixels, setting.share)
    exact = megapixels <= setting.direct
    tasks: dict[str, Work] = {"inpaint": scene.by_inpaint, "opencv": scene.by_opencv}
    if exact:
        tasks["scipy direct"] = scene.by_scipy_direct
    timings = take_turns(tasks, rounds=setting.rounds).timings()
    peaks = {}
    if setting.memory:
        wanted = {"megapixels": megapixels, **asdict(setting)}
        peaks = {
            name: own_process_peak(blend_once, {**wanted, "name": name}, what=f"{name} at {megapixels:g} megapixels")
            for name in ("inpaint", "opencv")
        }
    height, width = scene.mask.shape
    return Figures(
        megapixels,
        height,
        width,
        int(np.count_nonzero(scene.mask)),
        timings,
        {"scipy cg": scene.scipy_cg_s(setting.limit)} if with_cg else {},
        scene.error(exact=exact) if setting.error else None,
        peaks,
    )


def blend_once(setting: dict[str, Any]) -> None:
    """Blend in a process of its own, for its peak of memory."""
    scene = Scene.drawn(setting["megapixels"], setting["share"])
    with _threads(setting["threads"]):
        {"inpaint": scene.by_inpaint, "opencv": scene.by_opencv}[setting["name"]]()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(count)
    try:
        with variable_set("OMP_NUM_THREADS", str(count)):
            yield
    finally:
        cv2.setNumThreads(before)
