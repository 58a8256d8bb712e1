"""Which of several models is better on given photos and masks."""

from inpaint.evaluation.run import Evaluation, Failure, evaluate
from inpaint.evaluation.settings import identity, label_models
from inpaint.evaluation.summary import Entry, Estimate, summarize

__all__ = ["Entry", "Estimate", "Evaluation", "Failure", "evaluate", "identity", "label_models", "summarize"]
