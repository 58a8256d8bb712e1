"""Optional packages: which extra of this distribution brings which, and one message for all that are absent."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from inpaint.errors import MissingDependencyError

DISTRIBUTION = "pytorch-inpaint"
PACKAGES = {
    "tensorboard": "tensorboard",
    "shards": "webdataset",
    "hub": "huggingface_hub",
    "formats": "pillow_heif",
}  # extra -> what it brings


def is_installed(extra: str) -> bool:
    """Return whether the package that `extra` brings is installed."""
    return find_spec(PACKAGES[extra]) is not None


def install_command(extra: str) -> str:
    """Return the command that installs `extra`."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def import_optional(extra: str, module: str | None = None, *, purpose: str) -> ModuleType:
    """Import what `extra` brings.

    Args:
        extra: A key of PACKAGES.
        module: The module to import; by default the package itself.
        purpose: What needs it, as the message begins: "writing shards".

    Returns:
        The module.

    Raises:
        MissingDependencyError: The package is absent; the message names the command that installs it.
    """
    try:
        return import_module(module or PACKAGES[extra])
    except ImportError:
        raise MissingDependencyError(
            f"{purpose} needs the package {PACKAGES[extra]}: {install_command(extra)}"
        ) from None
