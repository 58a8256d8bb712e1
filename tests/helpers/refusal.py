"""What a configuration is refused with."""

from __future__ import annotations

import pytest

from inpaint import config
from inpaint.errors import ConfigError


def refusal(*overrides: str, **options: str) -> str:
    """Load a configuration that must be refused, and return the one line that says why."""
    with pytest.raises(ConfigError) as caught:
        config.load(overrides, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text
