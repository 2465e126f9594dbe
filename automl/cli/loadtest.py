"""`automl loadtest`: how many pictures a deployment scores, and how quickly."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from automl.cli.options import (
    Duration,
    WholeNumber,
    json_option,
    print_json,
    service,
    workspace_option,
)

if TYPE_CHECKING:
    from automl.loadtest import Answer, LoadTest, Objective


@click.command()
@click.argument("deployment", metavar="NAME|URL")
@click.argument("images", metavar="IMAGES...", nargs=-1, required=True)
@click.option(
    "--concurrency",
    type=WholeNumber(min=1),
    default=16,
    show_default=True,
    metavar="N",
    help="How many requests are under way at any time.",
)
@click.option(
    "--duration",
    type=Duration(),
    default="30s",
    show_default=True,
    metavar="TIME",
    help="How long, as 30s or 2m.",
)
@click.option(
    "--slo",
    multiple=True,
    metavar="OBJECTIVE",
    help="Exit with 1 unless it is met: 'p95<50ms' (p50, p99), 'errors<1%', 'rps>100'; repeatable.",
)
@click.option(
    "--workers",
    type=WholeNumber(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="How many processes make the load, each on a core.",
)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="Wait here for that many workers from other machines instead of starting them.",
)
@click.option(
    "--join",
    metavar="HOST:PORT",
    help="Be a worker of the load test that listens there; it says how many requests and how long.",
)
@click.option("--chart", metavar="FILE", type=click.Path(), help="Write the latencies, as PNG.")
@click.option(
    "--key",
    envvar="AUTOML_KEY",
    help="The service's key; needed with a URL only, best given as $AUTOML_KEY.",
)
@workspace_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    deployment: str,
    images: tuple[str, ...],
    concurrency: int,
    duration: float,
    slo: tuple[str, ...],
    workers: int,
    listen: str | None,
    join: str | None,
    chart: str | None,
    key: str | None,
    workspace: str | None,
    as_json: bool,
) -> None:
    """Keep the deployment NAME, or the gateway at URL, busy with IMAGES and measure it.

    Each request is one picture, sent as soon as the one before it is answered. Needs Locust:
    `pip install 'automl-vision[loadtest]'`.
    """
    from automl.loadtest import Objective, load_test

    objectives = [Objective.parse(text) for text in slo]
    url, key = service(deployment, key, workspace)
    if listen:
        click.echo(f"Waiting for {workers} × `automl loadtest … --join {listen}`.", err=True)
    with _Bar(duration) as bar:
        test = load_test(
            url,
            key,
            images,
            concurrency,
            duration,
            bar.update,
            workers=workers,
            listen=listen,
            join=join,
        )
    if chart:
        from automl.loadtest.picture import latency_chart

        Path(chart).write_bytes(latency_chart(test).png())
    met = [objective.is_met(test) for objective in objectives]
    if as_json:
        judged = [
            {"objective": objective.text, "found": objective.found(test), "met": kept}
            for objective, kept in zip(objectives, met, strict=True)
        ]
        print_json({**test.summary(), "slo": judged, "chart": chart})
    else:
        _print(test, objectives, chart)
    if not all(met):
        context.exit(1)


class _Bar:
    """A bar on a terminal, with what was answered in the last half second."""

    def __init__(self, seconds: float) -> None:
        self._bar = click.progressbar(
            length=round(seconds * 1000),
            label="Measuring",
            file=sys.stderr,
            show_pos=False,
            item_show_func=lambda item: item,
        )
        self._now = 0

    def __enter__(self) -> _Bar:
        self._bar.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.render_finish()

    def update(self, answers: list[Answer]) -> None:
        """Takes the answers since the last call."""
        if not answers:
            return
        now = round(1000 * max(answer.at for answer in answers))
        failed = sum(bool(answer.error) for answer in answers)
        rate = 1000 * len(answers) / max(now - self._now, 1)
        said = f"{rate:,.0f} requests/s" + (f", {failed} errors" if failed else "")
        self._bar.update(max(now - self._now, 0), said)
        self._now = max(now, self._now)


def _print(test: LoadTest, objectives: list[Objective], chart: str | None) -> None:
    click.echo(
        f"{test.requests_per_second:,.1f} requests/s scored with {test.concurrency} at a time, "
        f"{test.requests:,} in {test.seconds:.1f} s"
    )
    times = [(f"p{p}", test.percentile(p)) for p in (50, 95, 99)]
    click.echo(
        "  ".join(f"{name} {_milliseconds(found)}" for name, found in times if found is not None)
        or "no latency: nothing was scored"
    )
    for kind, count in test.errors.items():
        click.echo(f"{count:,} errors: {kind}")
    cores = "a core" if test.processes == 1 else f"{test.processes} cores"
    share = f"the load generator used {100 * test.generator_share:.0f} % of {cores}"
    if test.generator_limits:
        click.echo(
            f"Warning: {share}, so that these are its own limits; add --workers, on this machine "
            f"or on others.",
            err=True,
        )
    else:
        click.echo(
            f"{share.capitalize()}, and could make about {test.generator_limit:,.0f} requests/s."
        )
    for objective in objectives:
        click.echo(f"{objective.text}: {'met' if objective.is_met(test) else 'missed'}")
    if chart:
        click.echo(chart)


def _milliseconds(value: float) -> str:
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.1f} ms"
