"""The published settings by name, as in the notebooks of github.com/DmitryUlyanov/deep-image-prior (042e0d4).

Where the paper's supplement and the notebooks differ, the notebooks made the figures. Four fields are ours: `useful`,
`fast_noise`, `quicker` and `published_px`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from pydantic import Field

from inpaint.dip.options import DipOptions, SkipOptions
from inpaint.errors import UsageError, unknown
from inpaint.options import Options

InputKind: TypeAlias = Literal["noise", "meshgrid", "flash"]
Task: TypeAlias = Literal["inpaint", "restore", "denoise", "super-resolve", "flash"]

TASKS: tuple[Task, ...] = ("inpaint", "restore", "denoise", "super-resolve", "flash")
FILL_TASKS: tuple[Task, ...] = ("inpaint", "restore")
"""Tasks with a mask: known pixels stay as they are. restore is for scattered pixels."""


class Preset(Options):
    """What one kind of damage is repaired with.

    Args:
        task: What it is for.
        network: The published one.
        input: What the network paints from; noise is uniform in [0, 0.1), meshgrid the two coordinates in [0, 1], flash
            the other photo.
        iterations: Of the published run.
        useful: The fewest that are worth running, measured on images of 256 x 256. Larger ones take more in proportion,
            and a budget takes a narrower network or, for wide holes, a smaller image before it takes fewer.
        lr: Learning rate.
        noise: Deviation of what is added to the input in every iteration.
        fast_noise: The deviation with which a run gets as far in fewer iterations, taken where nobody asked for the
            published setting; None where that is best.
        wide_holes: Made for wide holes, for which a start at half the size loses nothing.
        quicker: The fill without learning that is no worse on average at budgets up to the default; None where none is
            known.
        published_px: Pixels of the published image, where smaller ones are fitted in fewer iterations and only get
            worse with more, see `planning.course`; None where noise on the input keeps that from happening.
    """

    task: Task
    network: SkipOptions
    input: InputKind = "noise"
    iterations: int = Field(gt=0)
    useful: int = Field(gt=0)
    lr: float = Field(0.01, gt=0)
    noise: float = Field(0.0, ge=0)
    fast_noise: float | None = Field(None, ge=0)
    wide_holes: bool = False
    quicker: Literal["patch", "biharmonic"] | None = None
    published_px: int | None = None

    def narrowed(self, width: int) -> Preset:
        """Return the preset with at most `width` channels anywhere, and skip branches of at most 4 if it narrows."""
        network = self.network
        if width >= max(network.down):
            return self
        down = tuple(min(channels, width) for channels in network.down)
        up = None if network.up is None else tuple(min(channels, width) for channels in network.up)
        skip = tuple(min(channels, 4) for channels in network.per_scale(network.skip))
        return self.model_copy(update={"network": network.model_copy(update={"down": down, "up": up, "skip": skip})})


_TOWER = (16, 32, 64, 128, 128, 128)

PRESETS: Mapping[str, Preset] = {
    "vase": Preset(
        task="inpaint",
        network=SkipOptions(in_channels=2, skip=0, upsample="nearest"),
        input="meshgrid",
        iterations=5001,
        useful=1000,
        noise=0.03,
        wide_holes=True,
        quicker="patch",
    ),
    "text": Preset(
        task="inpaint",
        network=SkipOptions(skip=128, upsample="nearest"),
        iterations=6001,
        useful=600,
        noise=0.03,
        fast_noise=0.01,
        quicker="biharmonic",
    ),
    "library": Preset(
        task="inpaint",
        network=SkipOptions(in_channels=1, down=_TOWER, skip=0, kernel_down=5, upsample="nearest", pointwise=False),
        iterations=3001,
        useful=600,
        wide_holes=True,
        quicker="patch",
        published_px=704 * 448,
    ),
    "denoise": Preset(
        task="denoise",
        network=SkipOptions(),
        iterations=3000,
        useful=1000,
        noise=1 / 30,
    ),
    "jpeg": Preset(
        task="denoise",
        network=SkipOptions(in_channels=3, down=(8, 16, 32, 64, 128), skip=(0, 0, 0, 4, 4)),
        iterations=2400,
        useful=1000,
        noise=1 / 30,
    ),
    "super-resolve": Preset(
        task="super-resolve",
        network=SkipOptions(),
        iterations=2000,
        useful=800,
        noise=0.03,
    ),
    "missing-half": Preset(
        task="restore",
        network=SkipOptions(),
        iterations=11000,
        useful=1200,
        lr=0.001,
        noise=0.03,
    ),
    "missing-most": Preset(
        task="restore",
        network=SkipOptions(down=(16, 32, 64, 128, 128), skip=0, downsample="avg"),
        iterations=1000,
        useful=500,
    ),
    "flash": Preset(
        task="flash",
        network=SkipOptions(in_channels=3, upsample=("nearest", "nearest", "bilinear", "bilinear", "bilinear")),
        input="flash",
        iterations=601,
        useful=400,
        lr=0.1,
    ),
}


def preset(name: str) -> Preset:
    """Return the preset of that name; raises UsageError for another."""
    if name not in PRESETS:
        raise UsageError(unknown("preset", name, PRESETS))
    return PRESETS[name]


def published_iterations(name: str, *, factor: int = 4) -> int:
    """Return how long the notebook of a preset runs; super-resolution eightfold takes twice as long."""
    count = preset(name).iterations
    return 2 * count if name == "super-resolve" and factor >= 8 else count


def published_noise(name: str, *, factor: int = 4) -> float:
    """Return the deviation of the noise on the input; super-resolution eightfold takes 0.05."""
    return 0.05 if name == "super-resolve" and factor >= 8 else preset(name).noise


def check_task(task: Task, *, mask: bool, flash: bool, options: DipOptions) -> None:
    """Raise UsageError unless what is given (mask, flash) and the options fit the task."""
    if not isinstance(task, str) or task not in TASKS:
        raise UsageError(unknown("task", str(task), TASKS))
    if task in FILL_TASKS and not mask:
        raise UsageError(f"the task {task} needs a mask: which pixels are missing (white)")
    if task not in FILL_TASKS and mask:
        raise UsageError(f"the task {task} takes no mask; its whole image is painted anew")
    if task == "flash" and not flash:
        raise UsageError("the task flash needs a flash image: the same scene taken with flash")
    if task != "flash" and flash:
        raise UsageError(f"the task {task} takes no flash image")
    if options.preset is not None:
        alike = FILL_TASKS if task in FILL_TASKS else (task,)
        valid = [name for name, entry in PRESETS.items() if entry.task in alike]
        if options.preset not in valid:
            own = PRESETS[options.preset].task
            raise UsageError(f"the preset '{options.preset}' is for {own}; for {task}: {', '.join(valid)}")
    if options.network == "decoder" and task == "flash":
        raise UsageError("the decoder paints from noise; the task flash needs the network skip")
