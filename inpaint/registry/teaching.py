"""The teacher of a training: which weights a place stands for, and how it is loaded."""

from __future__ import annotations

from inpaint.errors import ConfigError, UsageError, WeightsError
from inpaint.registry.loading import weights_of
from inpaint.registry.table import FILLS
from inpaint.system.files import sha256_of


def teacher_hash(place: str) -> str | None:
    """Return the SHA-256 of the weights that a teacher fills with; None for a method without weights.

    Args:
        place: A name or place that `inpaint.load` takes.

    Raises:
        ConfigError: It is none.
    """
    if place in FILLS:
        return None
    try:
        return sha256_of(weights_of(place))
    except (UsageError, WeightsError) as error:
        raise ConfigError(f"teacher={place}: {error}") from None
    except OSError as error:
        raise ConfigError(f"teacher={place}: cannot be read: {error.strerror or error}") from None
