"""A report of made-up numbers and pictures of a few pixels, whose right order and contents are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from inpaint.evaluation.report import Column, Entry, Example, Fact, Report
from inpaint.evaluation.report.content import ALL, MASKED, ORIGINAL
from inpaint.weights.curves import Curve, Run

MODELS = ("mean", "telea", "my <b>run</b>")
MASKS = ("thick", "text")
BUCKETS = ("0-10 %", "10-20 %", "20-30 %")
MEASURES = (
    Column(name="psnr_hole", title="PSNR dB", better="higher", decimals=2),
    Column(name="l1_hole", title="L1 %", better="lower", decimals=2, scale=100.0),
    Column(name="fid", title="FID", better="lower", decimals=1, per="set"),
)
COLORS = {MASKED: (128, 128, 128), "mean": (200, 40, 40), "telea": (40, 200, 40), ORIGINAL: (40, 40, 200)}
MEANS = {"mean": 15.0, "telea": 21.5, "my <b>run</b>": 21.0}
ODD_NAME = 'x"</script><script>window.broken = 1</script> \udcff.jpg'


def made_report(folder: Path, *, photos: int = 12, pictures: bool = True, side: int = 24) -> Report:
    """Return a report of `photos` photos with two masks each; the pictures lie in `folder`/pictures.

    Photo i is called 000i.jpg, the last one ODD_NAME. PSNR of `telea` falls from photo to photo, that of `mean` rises;
    the mask "text" has the same values plus 0.5.
    """
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    files = {}
    for name, color in COLORS.items():
        files[name] = folder / "pictures" / f"{name} 1.png"
        Image.fromarray(np.full((side, side, 3), color, np.uint8)).save(files[name])
    files["my <b>run</b>"] = folder / "pictures" / "gone.png"  # never written
    examples = [
        Example(
            image=ODD_NAME if index == photos - 1 else f"{index:04d}.jpg",
            mask=mask,
            ratio=(index % 3) / 10 + 0.05,
            bucket=BUCKETS[index % 3],
            values={model: values(model, index, shift) for model in MODELS},
            pictures=files if pictures else {},
        )
        for index in range(photos)
        for mask, shift in zip(MASKS, (0.0, 0.5), strict=True)
    ]
    entries = [
        Entry(mask=mask, bucket=bucket, model=model, measure=measure, n=9, filled=9, mean=m, low=m * 0.9, high=m * 1.1)
        for mask in MASKS
        for bucket in (ALL, *BUCKETS)
        for model, mean in MEANS.items()
        for measure, m in (("psnr_hole", mean), ("l1_hole", mean / 1000))
    ]
    entries += [
        Entry(mask=mask, bucket=ALL, model=model, measure="fid", n=9, filled=9, mean=mean)
        for mask in MASKS
        for model, mean in MEANS.items()
    ]
    steps = np.arange(1.0, 1201.0)
    run = Run("my-run", {"val/psnr_hole": Curve(steps, 20 - 5 / steps), "train/loss_g": Curve(steps, 1 / steps)})
    return Report(
        title="Three models & <two> masks",
        measures=MEASURES,
        masks=MASKS,
        models=MODELS,
        entries=tuple(entries),
        buckets=BUCKETS,
        examples=tuple(examples),
        runs=(run,),
        facts=(Fact("Manifest", "0123456789abcdef", code=True),),
        command="inpaint evaluate --model mean",
    )


def values(model: str, index: int, shift: float) -> dict[str, float]:
    """Return what the measures say of a fill; `my <b>run</b>` has not filled photo 3."""
    if model == "my <b>run</b>" and index == 3:
        return {}
    psnr = {"mean": 10 + index / 50, "telea": 30 - index / 20}.get(model, 20.0) + shift
    return {"psnr_hole": psnr, "l1_hole": 1 / psnr}
