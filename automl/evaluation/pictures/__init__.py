"""Pictures of an evaluation and of a search, drawn by matplotlib without its global state.

Each function returns a `Picture`: a matplotlib figure that also writes itself as SVG or PNG.
The colours are Okabe and Ito's, which people with any kind of colour vision tell apart.
"""

from automl.evaluation.pictures.performance import (
    confusion_matrix,
    pr_curves,
    reliability_diagram,
    roc_curves,
)
from automl.evaluation.pictures.progress import (
    best_so_far,
    learning_curves,
    score_by_cost,
    score_by_seconds,
)
from automl.evaluation.pictures.style import Picture

__all__ = [
    "Picture",
    "best_so_far",
    "confusion_matrix",
    "learning_curves",
    "pr_curves",
    "reliability_diagram",
    "roc_curves",
    "score_by_cost",
    "score_by_seconds",
]
