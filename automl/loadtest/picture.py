"""A load test as a picture."""

from __future__ import annotations

from collections import defaultdict

from automl.evaluation.pictures import style
from automl.evaluation.pictures.style import Picture, canvas, picture
from automl.loadtest.result import LoadTest, percentile

_WINDOWS = 60


@picture
def latency_chart(test: LoadTest) -> Picture:
    """Draws the latencies over time, and beside them how many requests took how long."""
    figure, (over_time, shares) = canvas(8.4, 3.2, columns=2)
    scored = [answer for answer in test.answers if not answer.error]
    over_time.set_title("latency over time")
    over_time.set(xlabel="seconds", ylabel="milliseconds")
    shares.set_title("requests by latency")
    shares.set(xlabel="milliseconds", ylabel="% answered within", ylim=(0, 102))
    if not scored:
        for axes in (over_time, shares):
            style.empty(axes, "nothing was scored")
        return figure

    width = max(test.seconds / _WINDOWS, 1.0)
    last = max(int(test.seconds / width) - 1, 0)
    windows: dict[int, list[float]] = defaultdict(list)
    for answer in scored:
        # What is left at the end is too short for figures of its own.
        windows[min(int(answer.at / width), last)].append(answer.ms)
    moments = sorted(windows)
    middles = [(moment + 0.5) * width for moment in moments]
    for percent, colour in ((99, style.VERMILLION), (95, style.BLUE), (50, style.GREEN)):
        figures = [percentile(windows[moment], percent) for moment in moments]
        over_time.plot(middles, figures, color=colour, label=f"p{percent}")
    failed = [answer.at for answer in test.answers if answer.error]
    if failed:
        over_time.plot(
            failed, [0] * len(failed), "x", color=style.INK, markersize=4, label="errors"
        )
    over_time.set_ylim(0, 1.25 * max(answer.ms for answer in scored))  # room for the legend
    over_time.legend(loc="upper right", ncols=4)

    times = sorted(answer.ms for answer in scored)
    shares.plot(times, [100 * (i + 1) / len(times) for i in range(len(times))], color=style.BLUE)
    shares.set_xlim(left=0)
    return figure
