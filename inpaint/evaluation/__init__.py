"""Which of several models is better on given photos and masks. Nothing is imported before it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inpaint.evaluation.run import Evaluation, Failure, evaluate
    from inpaint.evaluation.settings import identity, label_models
    from inpaint.evaluation.summary import Entry, Estimate, summarize

__all__ = ["Entry", "Estimate", "Evaluation", "Failure", "evaluate", "identity", "label_models", "summarize"]

_LATE = {
    **dict.fromkeys(("Evaluation", "Failure", "evaluate"), "inpaint.evaluation.run"),
    **dict.fromkeys(("identity", "label_models"), "inpaint.evaluation.settings"),
    **dict.fromkeys(("Entry", "Estimate", "summarize"), "inpaint.evaluation.summary"),
}


def __getattr__(name: str) -> object:
    if name in _LATE:
        return getattr(import_module(_LATE[name]), name)
    raise AttributeError(f"module 'inpaint.evaluation' has no attribute '{name}'")
