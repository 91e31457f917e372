"""Kinds of things by name, as plans and model cards store them: ``{"kind": name, ...settings}``."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from segkit.errors import InputError
from segkit.stored_fields import from_stored

Kind = TypeVar("Kind", bound=type)


class Registry:
    """Frozen dataclasses by the name of their kind.

    segkit's own kinds are imported when they are first asked for, so that reading a plan of one kind loads no library
    that only another one needs.

    Args:
        what: What is registered, for messages, such as ``"task"``.
        homes: Names of segkit's own kinds and the modules that register them.
    """

    def __init__(self, what: str, homes: Mapping[str, str]) -> None:
        self._what = what
        self._homes = dict(homes)
        self._kinds: dict[str, type] = {}

    def register(self, name: str) -> Callable[[Kind], Kind]:
        """Return a class decorator that makes a frozen dataclass known by a name, and sets it as ``kind``.

        Raises:
            ValueError: If another class has the name already.
        """

        def decorate(cls: Kind) -> Kind:
            known = self._kinds.get(name)
            # Reloading a module defines its class again, which is no conflict.
            if known is not None and known.__qualname__ != cls.__qualname__:
                raise ValueError(f"`name` must be new. Received: name={name!r}, which is {known.__qualname__}")
            cls.kind = name
            self._kinds[name] = cls
            return cls

        return decorate

    def names(self) -> list[str]:
        """Return the names of all known kinds."""
        return list(dict.fromkeys([*self._homes, *self._kinds]))

    def find(self, name: Any) -> type:
        """Return the class of a kind.

        Raises:
            InputError: If there is no kind of that name.
        """
        known = name if isinstance(name, str) else None
        if known in self._homes and known not in self._kinds:
            importlib.import_module(self._homes[known])
        if known not in self._kinds:
            raise InputError(
                f"unknown {self._what} {name!r}; choose one of {', '.join(self.names())}, or import the "
                "module that registers it first (segkit commands: --import MODULE)"
            )
        return self._kinds[known]

    def to_dict(self, thing: Any) -> dict[str, Any]:
        """Return a dict that ``json`` writes and ``from_dict`` reads.

        A class whose fields are more than ``dataclasses.asdict`` can write has a method ``settings`` that returns them,
        and takes them in its constructor.

        Raises:
            ValueError: If its class is not registered; that of a subclass would be lost.
        """
        found = type(thing)
        registered = self._kinds.get(getattr(thing, "kind", None))
        if registered is None or registered.__qualname__ != found.__qualname__:
            raise ValueError(
                f"`thing` must be of a registered class; register {found.__qualname__} as a {self._what} of a new "
                f"kind. Received: {thing!r}"
            )
        settings = thing.settings() if hasattr(thing, "settings") else dataclasses.asdict(thing)
        return json.loads(json.dumps({"kind": thing.kind, **settings}))

    def from_dict(self, values: Mapping[str, Any]) -> Any:
        """Build from ``to_dict``'s dict.

        Raises:
            InputError: If the kind or a setting is unknown, a setting is missing, or a value is of another type or out
                of its range.
        """
        if not isinstance(values, Mapping):
            raise InputError(f"{self._what} {values!r}; give a JSON object with the entry 'kind'")
        settings = dict(values)
        cls = self.find(settings.pop("kind", None))
        return from_stored(cls, settings, f"{self._what} {cls.kind!r}")


def user_modules(*things: Any) -> list[str]:
    """Return the modules outside segkit that define some dataclasses or those in their fields.

    Another process must import them before it reads a plan or card in which the kinds are named.

    Args:
        *things: Objects of registered kinds.
    """
    found = {type(thing).__module__ for thing in things}
    parts = [getattr(thing, field.name) for thing in things for field in dataclasses.fields(thing)]
    if nested := [part for part in parts if dataclasses.is_dataclass(part)]:
        found.update(user_modules(*nested))
    return sorted(module for module in found if module.split(".")[0] != "segkit")
