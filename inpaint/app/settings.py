"""What whoever starts the page decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

MEGABYTE = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the page is served.

    Args:
        host: Address or name to listen at; other machines reach only what is no loopback address.
        port: To listen at.
        models: Names, run folders or weights files that are offered first.
        runs: Folder whose runs are offered as well; one that is not there offers none.
        photos: Folder whose photos are offered to everybody who opens the page; None: none.
        device: That `inpaint.load` is given.
        max_bytes: Largest file that is taken.
        max_pixels: Most pixels that a photo may have.
        waiting: Most fills that wait in the queue.
        expiry_s: After so many seconds without use, what belongs to a user is deleted.
        kept: Most results that are kept for a user; older ones are deleted.
        users: Most users whose photos are kept; beyond that, those go that were not used for longest.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    models: tuple[str, ...] = ()
    runs: Path = field(default_factory=lambda: Path("checkpoints"))
    photos: Path | None = None
    device: str = "auto"
    max_bytes: int = 100 * MEGABYTE
    max_pixels: int = 100_000_000
    waiting: int = 20
    expiry_s: float = 3600.0
    kept: int = 20
    users: int = 100

    @property
    def local(self) -> bool:
        """Whether the page is for this machine alone."""
        return self.host == "localhost" or is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Return whether an address is one of this machine alone; names are not looked up."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
