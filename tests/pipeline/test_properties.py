"""For any size, kind and lossless format: the size stays, and no known pixel changes by a bit."""

import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from inpaint.pipeline import JobOptions, plan_jobs, run_jobs

KINDS = {
    ".png": ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "RGB16", "RGBA16"),
    ".tif": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "RGB16", "RGBA16"),
    ".bmp": ("1", "L", "P", "RGB"),
    ".webp": ("RGB", "RGBA"),
}
CASES = [(suffix, kind) for suffix, kinds in KINDS.items() for kind in kinds]


def save(path, kind, height, width, rng):
    """Write an image of noise with libraries that are not ours."""
    if kind.endswith("16") and kind != "I;16":
        values = rng.integers(0, 65536, (height, width, len(kind) - 2)).astype(np.uint16)
        if path.suffix == ".png":
            cv2.imwrite(str(path), values)
        else:
            extra = ["unassalpha"] if "A" in kind else None
            tifffile.imwrite(path, values, photometric="rgb", extrasamples=extra)
    elif kind == "I;16":
        Image.fromarray(rng.integers(0, 65536, (height, width)).astype(np.uint16)).save(path)
    elif kind in ("P", "PA"):
        image = Image.fromarray(rng.integers(0, 256, (height, width, 3)).astype(np.uint8)).quantize(16)
        image.save(path, **({"transparency": bytes(range(0, 160, 10))} if kind == "PA" else {}))
    else:
        channels = len(kind) if kind != "1" else 1
        values = rng.integers(0, 256, (height, width, channels)).astype(np.uint8)
        image = Image.fromarray(values[..., 0] if channels == 1 else values, "CMYK" if kind == "CMYK" else None)
        image.convert(kind).save(path, **({"lossless": True, "exact": True} if path.suffix == ".webp" else {}))


def load(path, kind):
    """Read the pixels as decoded to gray, RGB or RGBA, again without us: (H, W, C)."""
    if kind.endswith("16") and kind != "I;16":
        values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.suffix == ".png" else tifffile.imread(path)
    else:
        with Image.open(path) as image:
            wanted = {"1": "L", "P": "RGB", "PA": "RGBA", "CMYK": "RGB"}.get(kind, kind)
            values = np.asarray(image.convert(wanted))
    return values.reshape(*values.shape[:2], -1)


@pytest.mark.parametrize(("suffix", "kind"), CASES)
@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(height=st.integers(8, 41), width=st.integers(8, 52), seed=st.integers(0, 2**32 - 1))
def test_size_stays_and_known_pixels_are_bit_identical(make_gray_inpainter, suffix, kind, height, width, seed):
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, result = folder / f"a{suffix}", folder / f"out{suffix}"
        save(source, kind, height, width, rng)
        hole = rng.random((height, width)) < 0.4
        hole[0, 0], hole[-1, -1] = True, False
        Image.fromarray(hole).save(folder / "m.png")
        (job,) = plan_jobs(source, folder / "m.png", result)
        (outcome,) = run_jobs([job], make_gray_inpainter(0.25), JobOptions(quality=100))
        assert outcome.status == "filled", outcome.reason
        before, after = load(source, kind), load(result, kind)
    assert after.shape == before.shape
    assert after.dtype == before.dtype
    assert np.array_equal(after[~hole], before[~hole])
    white = np.iinfo(before.dtype).max
    colors = slice(0, 1 if before.shape[2] < 3 else 3)
    # One bit has black and white only.
    assert (after[hole][:, colors] == (0 if kind == "1" else round(white / 4))).all()
    assert np.array_equal(after[..., colors.stop :], before[..., colors.stop :])
