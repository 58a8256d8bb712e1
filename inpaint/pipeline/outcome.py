"""What became of one photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from inpaint.pipeline.matching import Job


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a job.

    reason: why it failed, in one line that names the photo. strategy: how it was filled, in one line.
    """

    job: Job
    status: Literal["filled", "marked", "without a hole", "skipped", "failed"]
    reason: str = ""
    strategy: str = ""
