"""The report: one HTML file with everything in it, to read, print, send and keep."""

from automl.evaluation.report.page import write_report

__all__ = ["write_report"]
