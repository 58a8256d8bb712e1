"""Options of the methods that compute without torch; cheap to import."""

from __future__ import annotations

from inpaint.options import Options


class PasteOptions(Options):
    """Pasting has no options."""
