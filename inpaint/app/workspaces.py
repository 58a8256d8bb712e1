"""What belongs to a user of the page: a photo, masks, results, files in a folder that goes when it is not used."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

from inpaint.errors import InpaintError
from inpaint.images.mask_rules import Hole


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A photo or mask that is open. file: itself. view: a small picture of it. depth: of its samples, in words."""

    id: str
    name: str
    file: Path
    view: Path
    width: int
    height: int
    depth: str = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One fill.

    file: at full resolution and depth. mask: what was filled. before, view: small pictures. strategy: how it was done.
    guidance: what was drawn for the model to follow, a file by the name of each plane.
    """

    id: str
    name: str
    model: str
    file: Path
    mask: Path
    before: Path
    view: Path
    width: int
    height: int
    depth: str
    seconds: float
    notes: tuple[str, ...] = ()
    score: float | None = None
    strategy: str = ""
    guidance: Mapping[str, Path] = field(default_factory=dict)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are this result's alone."""
        return (self.file, self.view)


@dataclass(eq=False)
class Workspace:
    """All that the server knows of one user.

    Args:
        token: Names the workspace in addresses; nobody guesses it.
        folder: Where its files lie.
        photo: What is filled, if something is open.
        masks: Found or uploaded masks of this photo, by id.
        parts: What is blended: the photos "source" and "target", as far as they are open.
        styles: Pictures of styles, in the order in which they came.
        object_mask: What of the source is the object; None: not said.
        results: Oldest first.
        stopping: Set to end the fill that is at work.
        used: When it was last used, on the clock of the workspaces.
    """

    token: str
    folder: Path
    photo: Shown | None = None
    masks: dict[str, Path] = field(default_factory=dict)
    parts: dict[str, Shown] = field(default_factory=dict)
    styles: list[Shown] = field(default_factory=list)
    object_mask: Path | None = None
    results: list[Result] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    used: float = 0.0

    def new_file(self, name: str) -> Path:
        """Return where a file of this name goes; it has a folder of its own, so the name may be anybody's."""
        folder = self.folder / secrets.token_urlsafe(12)
        folder.mkdir()
        return folder / name

    def address(self, file: Path) -> str:
        """Return where one of its files is to be had, below the address of the page."""
        return f"/files/{self.token}/{file.parent.name}/{quote(file.name)}"

    def opened_photo(self) -> Shown:
        """Return the photo that is open; raises InpaintError where there is none."""
        if self.photo is None:
            raise InpaintError("no photo is open: drop one on the page, or choose a sample")
        return self.photo

    def open(self, photo: Shown) -> None:
        """Make this the photo; masks of the one before go, results stay."""
        self.photo = photo
        self.masks = {}

    def keep_mask(self, hole: Hole) -> str:
        """Keep a mask and return its id."""
        path = self.new_file("mask.png")
        write_mask(hole, path)
        name = secrets.token_urlsafe(8)
        self.masks[name] = path
        return name

    def kept_masks(self) -> dict[str, Hole]:
        """Return the masks that are kept, (H, W) bool each, by id."""
        return {name: np.asarray(Image.open(path)) > 0 for name, path in self.masks.items()}

    def add(self, result: Result, most: int) -> None:
        """Keep a result; the oldest go where there are more than `most`."""
        self.results.append(result)
        while len(self.results) > most:
            for file in self.results.pop(0).files:
                file.unlink(missing_ok=True)

    def result(self, name: str) -> Result:
        """Return a result by its id; raises InpaintError where it is gone."""
        for result in self.results:
            if result.id == name:
                return result
        raise InpaintError("this result is no longer there")


class Workspaces:
    """The workspaces of all users, each made when it is first asked for.

    Args:
        root: Folder for their folders.
        expiry_s: So long after its last use a workspace is deleted.
        most: Most of them; those used last stay.
        clock: In seconds.
    """

    def __init__(self, root: Path, *, expiry_s: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._expiry_s = expiry_s
        self._most = most
        self._clock = clock
        self._by_user: OrderedDict[str, Workspace] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, user: str) -> Workspace:
        """Return the workspace of a user; those that have expired go."""
        with self._lock:
            found = self._by_user.pop(user, None)
            if found is None:
                token = secrets.token_urlsafe(16)
                found = Workspace(token, self._root / token)
                found.folder.mkdir(parents=True)
            found.used = self._clock()
            self._by_user[user] = found
            self._prune()
        return found

    def prune(self) -> None:
        """Delete what has expired."""
        with self._lock:
            self._prune()

    def leave(self, user: str) -> None:
        """End the work of a user who has gone, and delete what belonged to them."""
        with self._lock:
            found = self._by_user.pop(user, None)
        if found is not None:
            _close(found)

    def file(self, token: str, folder: str, name: str) -> Path | None:
        """Return a file of a workspace by the three parts of its address; None where there is none."""
        with self._lock:
            known = any(secrets.compare_digest(each.token, token) for each in self._by_user.values())
        path = self._root / token / folder / name
        parts_are_names = all(part not in ("", ".", "..") and Path(part).name == part for part in (token, folder, name))
        return path if known and parts_are_names and path.is_file() else None

    def _prune(self) -> None:
        expired = [user for user, each in self._by_user.items() if each.used + self._expiry_s <= self._clock()]
        spare = list(self._by_user)[: max(len(self._by_user) - self._most, 0)]
        for user in dict.fromkeys([*expired, *spare]):
            _close(self._by_user.pop(user))

    def __len__(self) -> int:
        return len(self._by_user)


def _close(workspace: Workspace) -> None:
    workspace.stopping.set()
    shutil.rmtree(workspace.folder, ignore_errors=True)


def write_mask(hole: Hole, path: Path) -> None:
    """Write a hole (H, W) as a PNG, white on black."""
    Image.fromarray(hole.astype(np.uint8) * np.uint8(255)).save(path, "PNG", compress_level=1)
