"""Every number that we quote, on rows that the model never saw."""

from narrows.evaluation.scorecard import Report, evaluate

__all__ = ["Report", "evaluate"]
