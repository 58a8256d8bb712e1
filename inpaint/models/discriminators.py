"""Discriminators that lie beside a network in its weights file, built when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from torch import nn

from inpaint.errors import UsageError, WeightsError, unknown


class Judges:
    """The discriminators of a model, as far as its weights file holds them.

    build: all discriminators of the model by role, without weights. load: gives the one of that role its weights, ready
    for use. held: the roles in the file. names: short names of roles. source: the file, for messages.
    """

    def __init__(
        self,
        build: Callable[[], Mapping[str, nn.Module]],
        load: Callable[[str, nn.Module], nn.Module],
        *,
        held: Collection[str],
        names: Mapping[str, str],
        source: str,
    ) -> None:
        self._build = build
        self._load = load
        self._held = frozenset(held)
        self._names = dict(names)
        self._source = source
        self._loaded: dict[str, nn.Module] = {}

    def holds(self, name: str) -> bool:
        """Say whether the file holds the discriminator of that role or short name."""
        return self._names.get(name, name) in self._held

    def named(self, name: str) -> nn.Module:
        """Return the discriminator of that role or short name.

        Raises UsageError when the model has none of that name, WeightsError when the file does not hold it.
        """
        role = self._names.get(name, name)
        if role not in self._loaded:
            built = self._build()
            if not built:
                raise UsageError(f"no discriminator '{name}': this model is trained without any")
            if role not in built:
                raise UsageError(unknown("discriminator", name, {*self._names, *built}))
            if role not in self._held:
                there = ", ".join(sorted(self._held)) or "none"
                raise WeightsError(f"{self._source} does not hold the discriminator '{name}'; it holds: {there}")
            self._loaded[role] = self._load(role, built[role])
        return self._loaded[role]
