"""Which of several models is better on given photos and masks. Nothing is imported before it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inpaint.evaluation.comparing import Comparison, compare
    from inpaint.evaluation.differences import Difference
    from inpaint.evaluation.models import expanded, label_models
    from inpaint.evaluation.outputs import Evaluation, write_outputs
    from inpaint.evaluation.protocols import Protocol, protocol_names, together
    from inpaint.evaluation.record import Failure, Record, Row, SetRow
    from inpaint.evaluation.run import evaluate
    from inpaint.evaluation.summary import Entry, Summary, summarize
    from inpaint.registry.loadable import Loadable, identity

__all__ = [
    "Comparison",
    "Difference",
    "Entry",
    "Evaluation",
    "Failure",
    "Loadable",
    "Protocol",
    "Record",
    "Row",
    "SetRow",
    "Summary",
    "compare",
    "evaluate",
    "expanded",
    "identity",
    "label_models",
    "protocol_names",
    "summarize",
    "together",
    "write_outputs",
]

_LATE = {
    **dict.fromkeys(("Comparison", "compare"), "inpaint.evaluation.comparing"),
    "Difference": "inpaint.evaluation.differences",
    **dict.fromkeys(("Loadable", "identity"), "inpaint.registry.loadable"),
    **dict.fromkeys(("expanded", "label_models"), "inpaint.evaluation.models"),
    **dict.fromkeys(("Evaluation", "write_outputs"), "inpaint.evaluation.outputs"),
    **dict.fromkeys(("Protocol", "protocol_names", "together"), "inpaint.evaluation.protocols"),
    **dict.fromkeys(("Failure", "Record", "Row", "SetRow"), "inpaint.evaluation.record"),
    "evaluate": "inpaint.evaluation.run",
    **dict.fromkeys(("Entry", "Summary", "summarize"), "inpaint.evaluation.summary"),
}


def __getattr__(name: str) -> object:
    if name in _LATE:
        return getattr(import_module(_LATE[name]), name)
    raise AttributeError(f"module 'inpaint.evaluation' has no attribute '{name}'")
