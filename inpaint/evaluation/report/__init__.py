"""The page to look at: one HTML file with the summary, plots, curves and pictures of an evaluation."""

from inpaint.evaluation.report.content import Column, Entry, Example, Fact, Report
from inpaint.evaluation.report.writing import write_report

__all__ = ["Column", "Entry", "Example", "Fact", "Report", "write_report"]
