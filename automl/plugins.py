"""Finds plugins and holds the components that they register."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import logging
import os
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from automl import hookspecs
from automl.components import (
    Augmentation,
    Backbone,
    Compute,
    Head,
    ImageSource,
    Observer,
    Runtime,
    SearchProvider,
    Strategy,
    Target,
)
from automl.components.registry import Registry
from automl.errors import PluginError
from automl.hardware import gpus

logger = logging.getLogger(__name__)

BUILTIN_PLUGINS = (
    "automl_plugins.sources",
    "automl_plugins.search_providers",
    "automl_plugins.backbones",
    "automl_plugins.augmentations",
    "automl_plugins.heads",
    "automl_plugins.strategies",
    "automl_plugins.compute",
    "automl_plugins.runtimes",
    "automl_plugins.targets",
    "automl_plugins.observers",
)
_BUILTIN_RUNTIMES = "automl_plugins.runtimes"
ENTRY_POINT_GROUP = "automl.plugins"

STRICT_VARIABLE = "AUTOML_STRICT_PLUGINS"
"""Set to 1, it makes a broken plugin an error instead of a warning."""

DISABLE_VARIABLE = "AUTOML_DISABLE_PLUGINS"
"""Names of plugins that are not loaded, separated by commas."""

_HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("automl_"))


@dataclass(frozen=True)
class PluginRecord:
    """A plugin that was found.

    Attributes:
        name: Its entry point's name, or the module's for a built-in one.
        package: The distribution that brings it, with its version; empty for built-ins.
        builtin: Whether it comes with automl.
        error: Why it could not be used, one sentence; empty if it could.
    """

    name: str
    package: str
    builtin: bool
    error: str = ""


class PluginManager:
    """Loads plugins and keeps what they register.

    Attributes:
        records: The plugins that were found, in the order in which they were loaded.
    """

    def __init__(self) -> None:
        self.image_sources: Registry[ImageSource] = _registry("image source", ImageSource)
        self.search_providers: Registry[SearchProvider] = _registry(
            "search provider", SearchProvider
        )
        self.backbones: Registry[Backbone] = _registry("backbone", Backbone)
        self.augmentations: Registry[Augmentation] = _registry("augmentation", Augmentation)
        self.heads: Registry[Head] = _registry("head", Head)
        self.strategies: Registry[Strategy] = _registry("strategy", Strategy)
        self.compute: Registry[Compute] = _registry("compute", Compute)
        self.runtimes: Registry[Runtime] = _registry("runtime", Runtime)
        self.targets: Registry[Target] = _registry("target", Target)
        self.observers: Registry[Observer] = _registry("observer", Observer)
        self.records: list[PluginRecord] = []
        self._pluggy = pluggy.PluginManager("automl")
        self._pluggy.add_hookspecs(hookspecs)
        self._blamed: set[tuple[str, str]] = set()

    @property
    def registries(self) -> dict[str, Registry[Any]]:
        """The registries by the hook that fills each."""
        return {
            "automl_image_sources": self.image_sources,
            "automl_search_providers": self.search_providers,
            "automl_backbones": self.backbones,
            "automl_augmentations": self.augmentations,
            "automl_heads": self.heads,
            "automl_strategies": self.strategies,
            "automl_compute": self.compute,
            "automl_runtimes": self.runtimes,
            "automl_targets": self.targets,
            "automl_observers": self.observers,
        }

    @property
    def hook(self) -> Any:
        """The observer hooks, to be called by name as in `hook.automl_run_started(run=…)`.

        An observer that raises is reported once and never stops what it observes, unless
        `AUTOML_STRICT_PLUGINS=1`.
        """
        return _Observers(self)

    def components(self, plugin: str) -> list[tuple[str, str]]:
        """Returns the kind and name of each component that `plugin` registered."""
        return [
            (registry.kind, name)
            for registry in self.registries.values()
            for name in registry.owned_by(plugin)
        ]

    def load(self) -> None:
        """Loads the built-in plugins, then those of installed packages.

        A third-party plugin that fails is recorded with its error and left out; a built-in
        one that fails is an error.

        Raises:
            PluginError: If a built-in plugin fails, or with `AUTOML_STRICT_PLUGINS=1` any.
        """
        disabled = {name.strip() for name in os.environ.get(DISABLE_VARIABLE, "").split(",")}
        for name in BUILTIN_PLUGINS:
            if name not in disabled:
                self.register(importlib.import_module(name), name)
                self.records.append(PluginRecord(name, "", builtin=True))
        for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda p: p.name):
            if point.name not in disabled:
                self._load_entry_point(point)

    def register(self, module: object, name: str) -> None:
        """Registers one plugin (a module, usually) and collects its components.

        Raises:
            PluginError: If it breaks the contract; nothing of it is kept then.
        """
        if self._pluggy.has_plugin(name):
            raise PluginError(
                f"expected one plugin called {name!r}, found a second; uninstall one of the two "
                f"packages, or rename its entry point."
            )
        _check_version(module, name)
        self._check_hook_names(module, name)
        try:
            self._pluggy.register(module, name)
            for hook, registry in self.registries.items():
                if (implementation := getattr(module, hook, None)) is not None:
                    implementation(register=functools.partial(registry.add, owner=name))
        except Exception as error:
            if self._pluggy.has_plugin(name):
                self._pluggy.unregister(name=name)
            for registry in self.registries.values():
                registry.discard_owner(name)
            if isinstance(error, PluginError):
                raise
            raise PluginError(
                f"expected plugin {name!r} to register, found {_one_line(error)}; fix it or "
                f"uninstall its package."
            ) from error

    def _check_hook_names(self, module: object, name: str) -> None:
        """Rejects functions that look like hooks and are none, and hooks without the marker."""
        for attribute in dir(module):
            if not inspect.isroutine(getattr(module, attribute, None)):
                continue
            marked = self._pluggy.parse_hookimpl_opts(module, attribute) is not None
            if attribute in _HOOKS:
                if not marked:
                    raise PluginError(
                        f"expected {attribute} of plugin {name!r} to be marked as a hook, found "
                        f"no marker; put @automl.hookimpl above it."
                    )
                continue
            near = difflib.get_close_matches(attribute, _HOOKS, n=1, cutoff=0.8)
            if marked or near:
                advice = f"did you mean {near[0]}?" if near else "see automl.hookspecs."
                raise PluginError(
                    f"expected plugin {name!r} to implement hooks of automl, found {attribute}, "
                    f"which is none; {advice}"
                )

    def _load_entry_point(self, point: EntryPoint) -> None:
        package = f"{point.dist.name} {point.dist.version}" if point.dist else ""
        message = ""
        try:
            self.register(point.load(), point.name)
        # A module that calls sys.exit() must not end our command either.
        except (Exception, SystemExit) as error:
            message = (
                str(error)
                if isinstance(error, PluginError)
                else f"expected plugin {point.name!r} to import, found {_one_line(error)}; fix "
                f"it or uninstall {package or 'its package'}."
            )
            if _strict():
                raise PluginError(message) from error
        self.records.append(PluginRecord(point.name, package, builtin=False, error=message))

    def _observe(self, hook: str, arguments: dict[str, Any]) -> None:
        plugins = [impl.plugin for impl in getattr(self._pluggy.hook, hook).get_hookimpls()]
        for plugin in plugins:
            others = [each for each in plugins if each is not plugin]
            try:
                self._pluggy.subset_hook_caller(hook, others)(**arguments)
            except Exception as error:
                name = str(self._pluggy.get_name(plugin))
                message = (
                    f"expected plugin {name!r} to observe {hook}, found {_one_line(error)}; fix "
                    f"it or disable it with {DISABLE_VARIABLE}={name}."
                )
                if _strict():
                    raise PluginError(message) from error
                if (name, hook) not in self._blamed:
                    self._blamed.add((name, hook))
                    logger.warning("%s", message)


class _Observers:
    """Relays calls by hook name, each plugin on its own."""

    def __init__(self, manager: PluginManager) -> None:
        self._manager = manager

    def __getattr__(self, hook: str) -> Any:
        if hook not in _HOOKS:
            raise AttributeError(f"automl has no hook {hook!r}")
        return lambda **arguments: self._manager._observe(hook, arguments)


@functools.cache
def plugin_manager() -> PluginManager:
    """Returns the process's plugin manager, loaded at the first call.

    Logs one warning for each plugin that is broken.
    """
    manager = PluginManager()
    manager.load()
    for record in manager.records:
        if record.error:
            logger.warning("left out a plugin: %s", record.error)
    return manager


def _registry(kind: str, contract: type[Any]) -> Registry[Any]:
    # The contracts are abstract classes, which mypy does not accept as `type[C]`.
    return Registry(kind, contract)


def _check_version(module: object, name: str) -> None:
    version = getattr(module, "AUTOML_API", hookspecs.API_VERSION)
    if version != hookspecs.API_VERSION:
        raise PluginError(
            f"expected plugin {name!r} to be written for plugin API {hookspecs.API_VERSION}, "
            f"found {version}; install a version of it that fits this automl."
        )


def _one_line(error: BaseException) -> str:
    """Returns an error's type and text; other people's texts may run over several lines."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(".: ")


def _strict() -> bool:
    return os.environ.get(STRICT_VARIABLE) == "1"


def load_runtime(name: str = "") -> Runtime:
    """Returns one runtime; where it is built in, no other plugin is loaded.

    A server uses this: it needs nothing else of what is installed.

    Args:
        name: Its name; by default `tensorflow` where there is a GPU, and `openvino` elsewhere.

    Raises:
        UsageError: If there is none of that name.
    """
    name = name or ("tensorflow" if gpus() else "openvino")
    builtin = PluginManager()
    builtin.register(importlib.import_module(_BUILTIN_RUNTIMES), _BUILTIN_RUNTIMES)
    return builtin.runtimes[name] if name in builtin.runtimes else plugin_manager().runtimes[name]
