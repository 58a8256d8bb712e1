"""Tables of methods that need no weights. Nothing is imported before it is asked for, torch included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from inpaint.errors import UsageError, unknown
from inpaint.options import Options, chosen_of
from inpaint.system.devices import resolve_device

if TYPE_CHECKING:
    import torch

MadeT = TypeVar("MadeT")


@dataclass(frozen=True, kw_only=True)
class MethodEntry:
    """A method that needs no weights.

    Args:
        options: "module:class" of its options, in a file that does not import torch.
        factory: "module:class" of the method, called with its options; and with the device if `on_device`.
        summary: One line.
        on_device: Whether it computes with torch.
        gradual: Whether it comes nearer to its answer with every step: it takes a budget, tells of its steps, and gives
            its best so far when it is asked to stop.
    """

    options: str
    factory: str
    summary: str
    on_device: bool = False
    gradual: bool = False


class Methods(dict[str, MethodEntry], Generic[MadeT]):
    """Methods of one kind by name.

    Args:
        what: One of them is called, for messages.
        entries: The methods.
    """

    def __init__(self, what: str, /, **entries: MethodEntry) -> None:
        super().__init__(entries)
        self.what = what

    def options(self, name: str, given: Mapping[str, Any] | None = None) -> Options:
        """Return the options of a method, those that are given checked; this imports no torch.

        Raises:
            UsageError: There is no such method or option, or a value that is not valid.
        """
        if name not in self:
            raise UsageError(unknown(self.what, name, self))
        found: Options = chosen_of(name, self.kind(name), given)
        return found

    def kind(self, name: str) -> type[Any]:
        """Return the class of a method's options."""
        found: type[Any] = resolve_name(self[name].options)
        return found

    def load(self, name: str, *, device: str | torch.device = "auto", **options: Any) -> MadeT:
        """Return a method by name.

        Args:
            name: Of the table.
            device: Where a method computes that does so with torch; "auto" is the first accelerator, else the CPU.
            options: Of the method.

        Raises:
            UsageError: There is no such method, option or device.
        """
        return self.made(name, self.options(name, options), device=device)

    def made(self, name: str, options: Options, *, device: str | torch.device = "auto") -> MadeT:
        """Return a method that there is, with options that are checked; raises UsageError for a device there is not."""
        entry, placed = self[name], {}
        if entry.on_device or str(device) not in ("auto", "cpu"):  # else torch, half a GB of memory, is not imported
            where = resolve_device(device)  # refused where it is not there, whether or not the method uses it
            placed = {"device": where} if entry.on_device else {}
        found: MadeT = resolve_name(entry.factory)(options, **placed)
        return found
