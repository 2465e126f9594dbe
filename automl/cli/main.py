"""The `automl` command: its table of commands, and the one place that prints errors.

A command's module is imported when the command runs, so that `automl --help` stays instant.
"""

from __future__ import annotations

import difflib
import importlib
import sys

import click

COMMANDS = {
    "quickstart": ("automl.cli.quickstart", "See the whole job on handwritten digits."),
    "dataset": ("automl.cli.dataset", "Make, show, check, clean and augment datasets."),
    "augment": ("automl.cli.augment", "Look at what varies images."),
    "search": ("automl.cli.search", "Find a good classifier for images."),
    "runs": ("automl.cli.runs", "List and show searches."),
    "evaluate": ("automl.cli.evaluate", "Measure a found model on other images."),
    "models": ("automl.cli.models", "List exported models."),
    "deploy": ("automl.cli.deploy", "Serve a model behind a scoring gateway."),
    "score": ("automl.cli.score", "Score images on a deployment."),
    "loadtest": ("automl.cli.loadtest", "Measure how many images a deployment scores."),
    "deployments": ("automl.cli.deployments", "List, inspect, update and delete deployments."),
    "plugins": ("automl.cli.plugins", "List what is installed."),
    "doctor": ("automl.cli.doctor", "Check this machine: versions, devices, weights."),
}
"""Commands in the order of the pipeline: the module that holds each, and its summary.

Each module holds one click command (or group) named `command`.
"""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are run, not when they are listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the commands in the order of the pipeline."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports and returns one command."""
        if cmd_name not in COMMANDS:
            return None
        show_warnings()
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands from the table, importing none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


def show_warnings() -> None:
    """Prints what automl logs as a warning on standard error, one line each."""
    import logging

    class Echo(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            click.echo(f"Warning: {record.getMessage()}", err=True)

    log = logging.getLogger("automl")
    if log.propagate:
        log.addHandler(Echo(logging.WARNING))
        # Frameworks put handlers of their own on the root, which would print it again.
        log.propagate = False


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="automl-vision", prog_name="automl")
@click.option("--traceback", is_flag=True, help="Show the stack trace of an error.")
def cli(traceback: bool) -> None:
    """Find, measure, export and serve image classifiers.

    Start with `automl quickstart`, or `automl search FOLDER` on images of your own.
    """


def main(argv: list[str] | None = None) -> None:
    """Runs the command line and turns errors into one sentence and an exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # Errors are often met with the flag forgotten, and then added at the end of the line.
    traceback = "--traceback" in arguments
    arguments = [argument for argument in arguments if argument != "--traceback"]
    try:
        code = cli.main(args=arguments, prog_name="automl", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(f"Error: {usage(error)}", err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except Exception as error:
        if traceback:
            raise
        message, code = explain(error)
        click.echo(f"Error: {message}", err=True)
        sys.exit(code)


def usage(error: click.ClickException) -> str:
    """Returns what click found wrong with a command line, as one sentence."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else "automl"
    found, near = error.message.rstrip("."), []
    if isinstance(error, click.exceptions.NoSuchOption):
        near = list(error.possibilities or [])
    elif isinstance(error, click.exceptions.NoSuchCommand) and context:
        group = context.command
        names = group.list_commands(context) if isinstance(group, click.Group) else []
        near = difflib.get_close_matches(error.command_name, names)
    else:
        found = error.format_message().rstrip(".")
    found = found[:1].lower() + found[1:]
    advice = f"did you mean {near[0]!r}?" if near else "correct it."
    if isinstance(error, click.MissingParameter):
        found, advice = found.replace("missing", "no", 1), "give one."
    return f"expected what `{command} --help` describes, found {found}; {advice}"


def explain(error: BaseException) -> tuple[str, int]:
    """Returns an error as one sentence and an exit code."""
    from automl.errors import AutomlError

    if isinstance(error, AutomlError):
        return str(error), error.exit_code
    if isinstance(error, OSError):
        import errno

        place = f" at {error.filename}" if error.filename else ""
        if error.errno == errno.ENOSPC:
            return f"expected room on the disk, found none left{place}; free some and retry.", 1
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            return (
                f"expected to be allowed to use what is needed{place}, found: {error.strerror}; "
                f"allow it or name another place."
            ), 1
        return f"expected to use a file{place}, found: {error.strerror or error}; check it.", 1
    return (
        f"expected no fault in automl itself, found {type(error).__name__}: {error}; add "
        "--traceback to see where, and report it."
    ), 1
