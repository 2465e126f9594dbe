"""The components of one kind, by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Generic, TypeVar

from automl.errors import PluginError, UsageError

C = TypeVar("C")


class Registry(Generic[C]):
    """The components of one kind, by name, in the order of registration.

    Attributes:
        kind: What they are, in words, such as `"image source"`.
    """

    def __init__(self, kind: str, contract: type[C]) -> None:
        self.kind = kind
        self._contract = contract
        self._components: dict[str, C] = {}
        self._owners: dict[str, str] = {}

    def add(self, component: C, owner: str) -> None:
        """Adds `component`, registered by the plugin `owner`.

        Raises:
            PluginError: If it is not of this registry's kind, or its name is taken.
        """
        if isinstance(component, type):
            raise PluginError(
                f"expected each {self.kind} of plugin {owner!r} to be an instance, found the "
                f"class {component.__name__}; write {component.__name__}()."
            )
        if not isinstance(component, self._contract):
            raise PluginError(
                f"expected each {self.kind} of plugin {owner!r} to be an instance of "
                f"automl.components.{self._contract.__name__}, found {component!r}; derive "
                f"from that class."
            )
        name = getattr(component, "name", None)
        if not isinstance(name, str) or not name:
            raise PluginError(
                f"expected each {self.kind} of plugin {owner!r} to have a name, found none in "
                f"{type(component).__name__}; set its attribute `name`."
            )
        if name in self._owners:
            raise PluginError(
                f"expected one {self.kind} called {name!r}, found one in plugin "
                f"{self._owners[name]!r} and one in plugin {owner!r}; rename one, or uninstall "
                f"or disable its plugin."
            )
        self._components[name] = component
        self._owners[name] = owner

    def discard_owner(self, owner: str) -> None:
        """Removes whatever the plugin `owner` registered."""
        for name in self.owned_by(owner):
            del self._components[name], self._owners[name]

    def owned_by(self, owner: str) -> list[str]:
        """Returns the names that the plugin `owner` registered."""
        return [name for name, each in self._owners.items() if each == owner]

    def owner(self, name: str) -> str:
        """Returns the plugin that registered the component `name`."""
        return self._owners[name]

    def names(self) -> list[str]:
        """Returns the names in the order of registration."""
        return list(self._components)

    def __getitem__(self, name: str) -> C:
        """Returns the component called `name`.

        Raises:
            UsageError: If there is none, with the nearest name and all names.
        """
        try:
            return self._components[name]
        except KeyError:
            near = difflib.get_close_matches(name, self._components, n=1)
            advice = f"did you mean {near[0]!r}?" if near else "see `automl plugins list`."
            known = ", ".join(self._components) or "none"
            article = "an" if self.kind[0] in "aeiou" else "a"
            raise UsageError(
                f"expected {article} {self.kind} that is installed ({known}), found {name!r}; "
                f"{advice}"
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._components

    def __iter__(self) -> Iterator[C]:
        return iter(self._components.values())

    def __len__(self) -> int:
        return len(self._components)
