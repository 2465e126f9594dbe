"""Intervals around proportions: how much a number of test images can say."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Interval(NamedTuple):
    """A confidence interval of a proportion.

    Attributes:
        low: 0..1.
        high: 0..1, not below `low`.
    """

    low: float
    high: float


def wilson(hits: int, trials: int, confidence: float = 0.95) -> Interval:
    """Returns Wilson's score interval of the proportion `hits / trials`.

    It stays inside 0..1 and keeps its width where every image, or none, is right. Source:
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    Args:
        hits: 0..trials.
        trials: 1 or more.
        confidence: Above 0 and below 1.
    """
    z = statistics.NormalDist().inv_cdf(0.5 + confidence / 2)
    share = hits / trials
    scale = 1 + z**2 / trials
    centre = (share + z**2 / (2 * trials)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    # Rounding must not push the interval off the proportion that it is about.
    return Interval(max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))


def mean_wilson(hits: Sequence[int], trials: Sequence[int], confidence: float = 0.95) -> Interval:
    """Returns an interval of the mean of independent proportions, such as recalls.

    Each proportion's Wilson interval is combined by the squares of its arms ("method of
    variance estimates recovery"). Source: G. Y. Zou and A. Donner, "Construction of confidence
    limits about effect measures: a general approach", Statistics in Medicine 27, 2008.

    Args:
        hits: For each proportion, 0..trials.
        trials: For each proportion, 1 or more.
        confidence: Above 0 and below 1.
    """
    shares = [hit / trial for hit, trial in zip(hits, trials, strict=True)]
    arms = [wilson(hit, trial, confidence) for hit, trial in zip(hits, trials, strict=True)]
    mean = statistics.fmean(shares)
    below = math.hypot(*(share - arm.low for share, arm in zip(shares, arms, strict=True)))
    above = math.hypot(*(arm.high - share for share, arm in zip(shares, arms, strict=True)))
    return Interval(max(0.0, mean - below / len(shares)), min(1.0, mean + above / len(shares)))
