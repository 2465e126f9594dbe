"""Settings: flags, variables, defaults, and their documentation."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from automl.errors import UsageError
from automl_serving.gateway.settings import GatewaySettings
from automl_serving.model_server.settings import ModelServerSettings
from automl_serving.settings import Settings

PROGRAMS = [GatewaySettings, ModelServerSettings]
GIVEN = ["--model=m", "--manifest", "/m"]


def parse(*arguments: str) -> GatewaySettings:
    return GatewaySettings.parse([*GIVEN, *arguments], "automl-gateway", "")


def test_types_and_defaults() -> None:
    settings = parse("--timeout", "2.5", "--keys-file=k")
    assert (settings.model, settings.manifest) == ("m", Path("/m"))
    assert (settings.timeout, settings.keys_file) == (2.5, Path("k"))
    assert settings.host == "127.0.0.1"


def test_a_flag_wins_over_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_GATEWAY_MAX_IMAGES", "7")
    monkeypatch.setenv("AUTOML_GATEWAY_MODEL", "other")
    settings = parse()
    assert (settings.max_images, settings.model) == (7, "m")
    assert parse("--max-images=8").max_images == 8


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_GATEWAY_PORT", "http")
    with pytest.raises(UsageError, match="for AUTOML_GATEWAY_PORT, found 'http'"):
        parse()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_without_keys_only_this_machine_may_score(host: str) -> None:
    with pytest.raises(UsageError, match="--keys-file"):
        parse(f"--host={host}")
    assert parse(f"--host={host}", "--keys-file=k").host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_needs_no_keys(host: str) -> None:
    assert parse(f"--host={host}").keys_file is None


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_tells_every_setting(
    program: type[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        program.parse(["--help"], "prog", "What it does.")
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for field in dataclasses.fields(program):
        assert program.flag(field.name) in text
        assert f"${program.variable(field.name)}" in text
        assert field.metadata["doc"].endswith(".")
        assert " ".join(field.metadata["doc"].split()) in text
