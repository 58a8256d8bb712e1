"""Which of several models is better on given photographs and masks."""

from inpaint.evaluation.run import Evaluation, Failure, evaluate
from inpaint.evaluation.summary import Entry, Estimate, summarize

__all__ = ["Entry", "Estimate", "Evaluation", "Failure", "evaluate", "summarize"]
