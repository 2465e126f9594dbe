"""What all pictures have in common: colours, fonts, and how they are written."""

from __future__ import annotations

import contextlib
import functools
import io
import warnings
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec

import matplotlib
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

P = ParamSpec("P")

INK = "#1f2430"
MUTED = "#646b79"
RULE = "#d9dde4"
BLUE = "#0072b2"
VERMILLION = "#d55e00"
GREEN = "#009e73"
ORANGE = "#e69f00"
SKY = "#56b4e9"
PINK = "#cc79a7"
GREY = "#9aa1ad"
"""Okabe and Ito's palette, with greys for what is not data."""

SERIES = (BLUE, VERMILLION, GREEN, ORANGE, PINK, SKY)
"""In the order in which lines and groups take them."""

THEMED = ("INK", "MUTED", "RULE", "BLUE", "VERMILLION", "GREEN", "ORANGE", "SKY", "PINK", "GREY")
"""The names above, which a page may replace by colours of its own."""

_FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Hiragino Sans",
    "PingFang SC",
    "Arial Unicode MS",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
    "Noto Emoji",
)

_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9,
    "axes.linewidth": 1.0,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.facecolor": "white",
    "font.size": 9,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "savefig.bbox": None,
    "savefig.transparent": False,
    "svg.fonttype": "none",
    # Element ids that do not change between two writings of the same picture.
    "svg.hashsalt": "automl",
    "text.color": INK,
    # A label may hold a dollar sign, which would begin a formula.
    "text.parse_math": False,
    "xtick.color": RULE,
    "xtick.labelcolor": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.color": RULE,
    "ytick.labelcolor": MUTED,
    "ytick.labelsize": 8.5,
}


class Picture(Figure):
    """A matplotlib figure that is drawn in the project's style wherever it is drawn."""

    def svg(self, background: bool = True) -> str:
        """Returns the picture as SVG; its text stays text.

        Args:
            background: Whether it is white behind; else transparent.
        """
        buffer = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        with _styled():
            self.savefig(
                buffer,
                format="svg",
                metadata=nothing,
                facecolor="white" if background else "none",
            )
        return buffer.getvalue()

    def png(self, dpi: int = 144) -> bytes:
        """Returns the picture as PNG with a white background."""
        buffer = io.BytesIO()
        with _styled():
            self.savefig(buffer, format="png", dpi=dpi, facecolor="white")
        return buffer.getvalue()

    def draw(self, renderer: Any) -> None:
        """Draws the picture; text that no font covers is drawn as boxes, silently."""
        with _styled():
            super().draw(renderer)

    def get_tightbbox(self, *args: Any, **kwargs: Any) -> Any:
        """Returns the box around everything drawn, in inches."""
        with _styled():
            return super().get_tightbbox(*args, **kwargs)

    def _repr_svg_(self) -> str:
        return self.svg()


def picture(draw: Callable[P, Picture]) -> Callable[P, Picture]:
    """Makes a function that draws do so in the project's style."""

    @functools.wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Picture:
        with _styled():
            return draw(*args, **kwargs)

    return styled


def canvas(width: float, height: float, columns: int = 1) -> tuple[Picture, list[Axes]]:
    """Returns an empty picture of `width` by `height` inches, and its axes side by side."""
    figure = Picture(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def square(axes: Axes, x: str, y: str) -> None:
    """Sets up axes for two shares, both from 0 to 1."""
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=x, ylabel=y, aspect="equal")
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])


def empty(axes: Axes, reason: str) -> None:
    """Says in the middle of the axes why there is nothing to see."""
    axes.text(
        0.5, 0.5, reason, transform=axes.transAxes, ha="center", va="center", color=MUTED, wrap=True
    )


@contextlib.contextmanager
def _styled() -> Iterator[None]:
    with matplotlib.rc_context({**_STYLE, "font.family": _fonts()}), warnings.catch_warnings():
        # SVG keeps the text, which the reader's own fonts show; a PNG has boxes.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
        warnings.filterwarnings("ignore", "Matplotlib currently does not support", UserWarning)
        yield


@functools.cache
def _fonts() -> tuple[str, ...]:
    """Returns the fonts that are installed, so that matplotlib does not report the others."""
    installed = set(font_manager.get_font_names())
    return tuple(name for name in _FONTS if name in installed)
