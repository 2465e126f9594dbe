"""How plugins are found, loaded and refused."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType

import pytest

from automl.components import Augmentation, Head
from automl.errors import PluginError, UsageError
from automl.hookspecs import hookimpl
from automl.plugins import BUILTIN_PLUGINS, PluginManager, plugin_manager


class Blur(Augmentation):
    name = "blur"


def module(**functions: object) -> ModuleType:
    made = ModuleType("a_plugin")
    vars(made).update(functions)
    return made


def registering(*components: object) -> ModuleType:
    """A plugin that registers `components` as augmentations."""

    @hookimpl
    def automl_augmentations(register):
        for component in components:
            register(component)

    return module(automl_augmentations=automl_augmentations)


def install(place: Path, name: str, source: str, module_name: str = "") -> None:
    """Puts a package with an entry point into `place`, as pip would leave it."""
    module_name = module_name or name.replace("-", "_")
    place.mkdir(exist_ok=True)
    (place / f"{module_name}.py").write_text(textwrap.dedent(source))
    info = place / f"{module_name}_package-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {module_name}-package\nVersion: 1.2\n"
    )
    (info / "entry_points.txt").write_text(f"[automl.plugins]\n{name} = {module_name}\n")


GOOD = """
    import automl
    from automl.components import Augmentation

    class Fog(Augmentation):
        name = "fog"

    @automl.hookimpl
    def automl_augmentations(register):
        register(Fog())
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "site"
    place.mkdir()
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.delenv("AUTOML_STRICT_PLUGINS", raising=False)
    monkeypatch.delenv("AUTOML_DISABLE_PLUGINS", raising=False)
    yield place
    for file in place.glob("*.py"):
        sys.modules.pop(file.stem, None)


def automl(site: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "automl", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(site), **environment},
        check=False,
    )


class TestRegister:
    def test_a_component_is_found_by_name_with_its_owner(self):
        manager = PluginManager()
        blur = Blur()
        manager.register(registering(blur), "blurs")
        assert manager.augmentations["blur"] is blur
        assert manager.augmentations.owner("blur") == "blurs"
        assert manager.components("blurs") == [("augmentation", "blur")]

    def test_a_taken_name_names_both_owners(self):
        manager = PluginManager()
        manager.register(registering(Blur()), "first")
        with pytest.raises(PluginError, match=r"'blur'.*'first'.*'second'"):
            manager.register(registering(Blur()), "second")
        assert manager.augmentations.owner("blur") == "first"

    def test_two_plugins_of_one_name_leave_the_first_whole(self):
        manager = PluginManager()
        manager.register(registering(Blur()), "blurs")
        with pytest.raises(PluginError, match="one plugin called 'blurs', found a second"):
            manager.register(registering(), "blurs")
        assert manager.augmentations.names() == ["blur"]

    def test_a_misspelled_hook_gets_a_suggestion(self):
        @hookimpl
        def automl_augmentation(register):
            raise AssertionError("never called")

        with pytest.raises(PluginError, match="did you mean automl_augmentations"):
            PluginManager().register(module(automl_augmentation=automl_augmentation), "x")

    def test_a_misspelled_hook_without_marker_is_caught_too(self):
        with pytest.raises(PluginError, match="did you mean automl_backbones"):
            PluginManager().register(module(automl_backbone=lambda register: None), "x")

    def test_a_marked_function_of_any_other_name_is_refused(self):
        @hookimpl
        def make_coffee():
            raise AssertionError("never called")

        with pytest.raises(PluginError, match=r"make_coffee.*see automl\.hookspecs"):
            PluginManager().register(module(make_coffee=make_coffee), "x")

    def test_a_missing_marker_is_named(self):
        with pytest.raises(PluginError, match=r"automl_heads.*put @automl\.hookimpl above it"):
            PluginManager().register(module(automl_heads=lambda register: None), "x")

    def test_a_wrong_argument_is_one_line(self):
        @hookimpl
        def automl_heads(registry):
            raise AssertionError("never called")

        with pytest.raises(PluginError, match="registry") as caught:
            PluginManager().register(module(automl_heads=automl_heads), "x")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("component", "sentence"),
        [
            (Blur, r"found the class Blur; write Blur\(\)"),
            ("blur", r"instance of automl\.components\.Augmentation, found 'blur'"),
            (type("Nameless", (Augmentation,), {})(), "found none in Nameless"),
        ],
    )
    def test_what_is_no_component_is_refused(self, component: object, sentence: str):
        with pytest.raises(PluginError, match=sentence):
            PluginManager().register(registering(component), "x")

    def test_a_component_of_another_kind_is_refused(self):
        class Guess(Head):
            name = "guess"

        with pytest.raises(
            PluginError, match=r"each augmentation of plugin 'x' to be an instance of"
        ):
            PluginManager().register(registering(Guess()), "x")

    def test_nothing_is_kept_of_a_plugin_that_fails_half_way(self):
        manager = PluginManager()
        with pytest.raises(PluginError):
            manager.register(registering(Blur(), "no component"), "x")
        assert len(manager.augmentations) == 0
        manager.register(registering(Blur()), "x")
        assert manager.augmentations.names() == ["blur"]

    def test_another_api_version_is_refused(self):
        with pytest.raises(PluginError, match="plugin API 1, found 99"):
            PluginManager().register(module(AUTOML_API=99), "x")


class TestLookUp:
    def test_an_unknown_name_gets_the_nearest(self):
        with pytest.raises(UsageError, match=r"found 'lojistic'; did you mean 'logistic'\?"):
            plugin_manager().heads["lojistic"]

    def test_a_name_like_none_gets_all_names(self):
        with pytest.raises(UsageError, match=r"\(.*logistic.*\), found 'zzz'; see `automl plug"):
            plugin_manager().heads["zzz"]


class TestLoad:
    def test_built_ins_are_found(self):
        manager = PluginManager()
        manager.load()
        builtin = [record.name for record in manager.records if record.builtin]
        assert builtin == list(BUILTIN_PLUGINS)
        assert "logistic" in manager.heads

    def test_an_installed_plugin_is_found(self, site: Path):
        install(site, "fog-plugin", GOOD)
        manager = PluginManager()
        manager.load()
        record = manager.records[-1]
        assert (record.name, record.package) == ("fog-plugin", "fog_plugin-package 1.2")
        assert (record.builtin, record.error) == (False, "")
        assert manager.augmentations.owner("fog") == "fog-plugin"

    @pytest.mark.parametrize(
        ("source", "sentence"),
        [
            ("import there_is_no_such_module", "ModuleNotFoundError: No module named"),
            ("import sys; sys.exit(3)", "to import, found SystemExit: 3"),
            ("raise ValueError('two\\nlines')", "ValueError: two lines; fix it or uninstall"),
            ("def automl_heads(register): pass", "found no marker"),
        ],
    )
    def test_a_broken_one_is_recorded_and_left_out(self, site: Path, source: str, sentence: str):
        install(site, "broken", source)
        install(site, "fog-plugin", GOOD)
        manager = PluginManager()
        manager.load()
        (error,) = [record.error for record in manager.records if record.error]
        assert sentence in error
        assert "'broken'" in error
        assert "\n" not in error
        assert "fog" in manager.augmentations
        assert "logistic" in manager.heads

    def test_a_third_party_cannot_take_a_built_in_name(self, site: Path):
        install(site, "taker", GOOD.replace('"fog"', '"flip-crop"'))
        manager = PluginManager()
        manager.load()
        assert manager.augmentations.owner("flip-crop") == "automl_plugins.augmentations"
        assert "'automl_plugins.augmentations'" in manager.records[-1].error
        assert "'taker'" in manager.records[-1].error

    def test_strict_makes_a_broken_one_fatal(self, site: Path, monkeypatch: pytest.MonkeyPatch):
        install(site, "broken", "1 / 0")
        monkeypatch.setenv("AUTOML_STRICT_PLUGINS", "1")
        with pytest.raises(PluginError, match="ZeroDivisionError"):
            PluginManager().load()

    def test_disabled_ones_are_not_imported(self, site: Path, monkeypatch: pytest.MonkeyPatch):
        install(site, "broken", "1 / 0")
        monkeypatch.setenv("AUTOML_DISABLE_PLUGINS", "broken, automl_plugins.heads")
        manager = PluginManager()
        manager.load()
        assert not any(record.error for record in manager.records)
        assert len(manager.heads) == 0


class TestObservers:
    def observer(self, seen: list[object], fail: bool = False) -> ModuleType:
        @hookimpl
        def automl_run_started(run):
            seen.append(run)
            if fail:
                raise RuntimeError("no room")

        return module(automl_run_started=automl_run_started)

    def test_all_observers_hear_even_beside_a_broken_one(self, caplog: pytest.LogCaptureFixture):
        manager = PluginManager()
        first: list[object] = []
        second: list[object] = []
        manager.register(self.observer(first), "first")
        manager.register(self.observer([], fail=True), "broken")
        manager.register(self.observer(second), "second")
        log = logging.getLogger("automl")
        with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.WARNING):
            patch.setattr(log, "propagate", True)
            manager.hook.automl_run_started(run={"run": "a"})
            manager.hook.automl_run_started(run={"run": "b"})
        assert first == second == [{"run": "a"}, {"run": "b"}]
        (warning,) = caplog.messages
        assert "'broken'" in warning
        assert "RuntimeError: no room" in warning

    def test_strict_makes_a_broken_observer_fatal(self, monkeypatch: pytest.MonkeyPatch):
        manager = PluginManager()
        manager.register(self.observer([], fail=True), "broken")
        monkeypatch.setenv("AUTOML_STRICT_PLUGINS", "1")
        with pytest.raises(PluginError, match="to observe automl_run_started"):
            manager.hook.automl_run_started(run={})

    def test_an_unknown_hook_is_an_attribute_error(self):
        with pytest.raises(AttributeError, match="automl_run_begun"):
            _ = PluginManager().hook.automl_run_begun


class TestCommandLine:
    def test_a_broken_plugin_is_one_line_and_stops_nothing(self, site: Path):
        install(site, "broken", "raise ValueError('two\\nlines')")
        done = automl(site, "doctor", "--json")
        assert done.returncode == 0
        assert done.stdout.startswith("{")
        (line,) = done.stderr.splitlines()
        assert line.startswith("Warning: left out a plugin: expected plugin 'broken' to import")

    def test_strict_ends_the_command_with_one_line(self, site: Path):
        install(site, "broken", "1 / 0")
        done = automl(site, "doctor", "--json", AUTOML_STRICT_PLUGINS="1")
        assert done.returncode == 1
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert line.startswith("Error: expected plugin 'broken' to import, found ZeroDivision")
