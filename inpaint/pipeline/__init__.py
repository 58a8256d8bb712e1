"""Any photo through any fill: from files, folders, Pillow images or arrays, and back at the same size and depth."""

from inpaint.pipeline.api import fill
from inpaint.pipeline.blend_api import blend
from inpaint.pipeline.holes import Marks, marks_of
from inpaint.pipeline.journal import RunJournal
from inpaint.pipeline.matching import Job, plan_jobs
from inpaint.pipeline.outcome import Outcome
from inpaint.pipeline.photo import SMALLEST_PX, check_guidance, fill_photo, fill_photo_often
from inpaint.pipeline.running import JobOptions, check_at_once, run_jobs
from inpaint.pipeline.samples import Sample, check_samples
from inpaint.pipeline.style_api import stylize

__all__ = [
    "SMALLEST_PX",
    "Job",
    "JobOptions",
    "Marks",
    "Outcome",
    "RunJournal",
    "Sample",
    "blend",
    "check_at_once",
    "check_guidance",
    "check_samples",
    "fill",
    "fill_photo",
    "fill_photo_often",
    "marks_of",
    "plan_jobs",
    "run_jobs",
    "stylize",
]
