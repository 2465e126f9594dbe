"""What the command line says of words that it does not know."""

from __future__ import annotations

import pytest

from automl.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["serch", "x"],
            "`automl --help` describes, found no such command 'serch'; did you mean 'search'?",
        ),
        (["dataset", "chek"], "found no such command 'chek'; did you mean 'check'?"),
        (
            ["search", "x", "--bugdet", "3m"],
            "found no such option '--bugdet'; did you mean '--budget'?",
        ),
        (["augment", "preview", "x"], "describes, found no argument 'PNG'; give one."),
        (["xxxxx"], "found no such command 'xxxxx'; correct it."),
    ],
)
def test_a_word_that_is_not_known_is_told_with_what_is_near(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("Error: expected what `automl ")
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--trials", "few"], "--trials to be a whole number of 1 or more, found 'few'"),
        (["--workers", "0"], "--workers to be a whole number of 1 or more, found '0'"),
        (["--seed", "-1"], "--seed to be a whole number from 0 to 4294967294, found '-1'"),
        (["--max-size-mb", "0"], "--max-size-mb to be a number above 0, found '0'"),
    ],
)
def test_numbers_are_told_with_what_they_may_be(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        main(["search", "x", *arguments])
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"Error: expected {expected}; correct it.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "x", "--budget", "soon"],
        ["deploy", "x", "--timeout", "soon"],
        ["loadtest", "x", "y.jpg", "--duration", "soon"],
    ],
)
def test_times_are_read_alike(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert (
        told == "Error: expected a duration such as 90s, 3m or 1h30m, found 'soon'; correct it.\n"
    )
