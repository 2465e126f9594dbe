"""What the documents say: commands that exist, code that runs, links that lead somewhere."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from automl.cli.main import cli
from automl.deployment import Deployment

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("plugins/*.md"),
        *ROOT.glob("examples/*/README.md"),
    ]
)
README = (ROOT / "README.md").read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(text: str, *languages: str) -> list[str]:
    """Returns the fenced blocks of these languages, without the indentation of a list."""
    found = re.findall(r"^( *)```(\w+)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [
        re.sub(f"^{indent}", "", body, flags=re.MULTILINE)
        for indent, language, body in found
        if language in languages
    ]


def typed_commands(text: str) -> Iterator[list[str]]:
    """Yields the command lines that begin with `automl` in blocks for a shell, as words."""
    lines = [
        line for block in blocks(text, "sh") for line in re.sub(r"\\\n\s*", "", block).splitlines()
    ]
    for block in blocks(text, "console"):
        lines += re.findall(r"^\$ (.*)$", block, re.MULTILINE)
    for line in lines:
        for part in line.split("&&"):
            if part.split()[:1] == ["automl"]:
                yield shlex.split(re.split(r" [|>] ", part)[0], comments=True)[1:]


def find(words: list[str]) -> tuple[click.Command, str, list[str]]:
    """Returns the command that the first words name, its name, and the other words."""
    command: click.Command = cli
    name = "automl"
    while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z]+", words[0]):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"{name} has no command {words[0]}"
        command, name, words = found, f"{name} {words[0]}", words[1:]
    return command, name, words


def test_the_readme_begins_with_its_two_commands():
    assert blocks(README, "sh")[:2] == [
        "pip install . && automl quickstart\n",
        "pip install -e '.[test]' && pytest\n",
    ]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_line_is_one(page: Path):
    for words in typed_commands(page.read_text(encoding="utf-8")):
        command, name, rest = find(words)
        if not isinstance(command, click.Group):
            command.make_context(name, rest)  # parses, and fails as the command would


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_and_option_in_a_sentence_exists(page: Path):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for line in re.findall(r"`automl ([^`]+)`", text):
        command, name, rest = find(shlex.split(line))
        known = {option for each in command.params for option in each.opts} | {"--help"}
        wrong = {word for word in rest if word.startswith("--")} - known
        assert not wrong, f"{name} has no {wrong}"
        if isinstance(command, click.Group):
            assert rest == [] or not rest[0].isalpha(), f"{name} has no command {rest}"


def test_the_readme_and_how_to_show_commands_at_all():
    for page in ("README.md", "docs/how-to.md", "docs/tutorial.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert len(list(typed_commands(text))) > 3, page


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), target
        if anchor:
            assert anchor in anchors(place), target


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_name_of_the_library_exists(page: Path):
    for code in blocks(page.read_text(encoding="utf-8"), "python"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("automl"):
                module = importlib.import_module(node.module or "")
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{node.module}.{alias.name}"
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "automl":
                assert hasattr(importlib.import_module("automl"), node.attr), node.attr


def test_every_variable_of_the_environment_is_documented():
    sources = [*ROOT.glob("automl/**/*.py"), *ROOT.glob("plugins/automl_plugins/**/*.py")]
    read = {
        name
        for path in sources
        for name in re.findall(
            r'(?:environ[^"\n]*|envvar=|VARIABLE = )"((?:AUTOML|KERAS)_[A-Z_]+)"',
            path.read_text(encoding="utf-8"),
        )
    }
    assert {"AUTOML_WORKSPACE", "AUTOML_KEY", "AUTOML_STRICT_PLUGINS", "KERAS_HOME"} <= read
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    assert {name for name in read if f"`{name}`" not in page} == set()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_readmes_requests_are_answered(
    deployed: Deployment, colour_images: dict[str, Path], tmp_path: Path
):
    requests = [block for block in blocks(README, "sh") if "curl" in block]
    answers = [ask(request, deployed, colour_images, tmp_path) for request in requests]
    files, body, listed = answers
    assert [result["label"] for result in files["results"]] == ["rot", "grün/緑"]
    assert len(body["results"][0]["scores"]) == 2
    assert [list(result["scores"]) for result in listed] == [["rot"]]


def ask(script: str, deployed: Deployment, pictures: dict[str, Path], folder: Path) -> Any:
    """Runs a block of the README as a shell would, on two pictures."""
    for name, picture in zip(("photo1.jpg", "photo2.jpg"), pictures.values(), strict=False):
        shutil.copy(picture, folder / name)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={
            **os.environ,
            "URL": deployed.url,
            "AUTOML_KEY": deployed.key,
            "no_proxy": "127.0.0.1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_how_tos_request_is_answered(
    deployed: Deployment,
    colour_images: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    page = (ROOT / "docs/how-to.md").read_text(encoding="utf-8")
    (code,) = [block for block in blocks(page, "python") if "urllib" in block]
    shutil.copy(next(iter(colour_images.values())), tmp_path / "photo1.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("URL", deployed.url)
    monkeypatch.setenv("AUTOML_KEY", deployed.key)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    exec(compile(code, "how-to.md", "exec"), {})
    assert "'label': 'rot'" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_the_python_of_a_page_runs_as_written(page: str, tmp_path: Path):
    digits = "\n".join(
        [
            "from pathlib import Path; from automl.quickstart import write_digits",
            "write_digits(Path('IMAGES'))",
            "Path('photo1.jpg').write_bytes(Path('IMAGES/3/0003.png').read_bytes())",
        ]
    )
    code = [digits, *blocks((ROOT / page).read_text(encoding="utf-8"), "python")]
    (tmp_path / "page.py").write_text("\n".join(code), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "'label': '3'" in done.stdout
