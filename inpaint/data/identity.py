"""Which photos are the same: told by what their files hold, not by what they are called.

A run stores which photos it has been trained and validated on, so that it can say what has changed when it goes
on, and validates on the same ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inpaint.data.headers import THREADS
from inpaint.data.sources import PhotoSource
from inpaint.errors import InputError

Indices = NDArray[np.int64]


def content_hash(source: PhotoSource, index: int) -> str:
    """Return what identifies the content of a photo's file: BYTES-HASH, or "" for one that cannot be read."""
    size = int(source.sizes_bytes[index])
    try:
        return f"{size}-{_hash(source.part(index, 0, size))}"
    except InputError:
        return ""


def content_hashes(source: PhotoSource, indices: Sequence[int] | Indices) -> list[str]:
    """Return `content_hash` of several photos, in their order."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda index: content_hash(source, int(index)), indices))


def copies(source: PhotoSource, indices: Indices, originals: PhotoSource, chosen: Indices) -> NDArray[np.bool_]:
    """Return which photos are also among the chosen originals: the same file, a link to it or a copy of it.

    Only files whose fingerprints agree are opened.

    Args:
        source: Holds the photos.
        indices: Those to tell of, (N,).
        originals: Holds the originals.
        chosen: Those of the originals, (M,).

    Returns:
        (N,), True for a copy.
    """
    same: NDArray[np.bool_] = np.isin(source.fingerprints[indices], originals.fingerprints[chosen])
    wanted = chosen[np.isin(originals.fingerprints[chosen], source.fingerprints[indices])]
    known = {*content_hashes(originals, wanted)} - {""}
    same[same] = np.array([found in known for found in content_hashes(source, indices[same])], bool)
    return same


@dataclass(frozen=True)
class ValInventory:
    """The photos of a validation set, in their order.

    Args:
        names: Of the photos.
        hashes: Of their contents.
        view: What else decides what validation measures: size of the crops and masks, as a hash.
    """

    names: tuple[str, ...]
    hashes: tuple[str, ...]
    view: str

    def kept_in(self, source: PhotoSource) -> list[int]:
        """Return the numbers of the photos that a source still holds, in their order.

        They are looked for by name first, then among the files whose content could be theirs.
        """
        wanted = set(self.names)
        named = {name: index for index in range(len(source)) if (name := source.name(index)) in wanted}
        found = dict(zip(content_hashes(source, list(named.values())), named.values(), strict=True))
        missing = {value for value in self.hashes if value not in found}
        if missing:
            # Renamed, perhaps. A file of another size cannot be one of them.
            sizes = {int(value.partition("-")[0]) for value in missing if value}
            suspects = [i for i, size in enumerate(source.sizes_bytes.tolist()) if size in sizes]
            found |= dict(zip(content_hashes(source, suspects), suspects, strict=True))
        return [found[value] for value in self.hashes if value and value in found]

    def same(self, other: ValInventory | None) -> bool:
        """Return whether the same photos are seen in the same way."""
        return other is not None and (self.hashes, self.view) == (other.hashes, other.view)


@dataclass(frozen=True)
class Inventory:
    """The photos of a run.

    Args:
        names: (N,), a hash of the name of each training photo.
        fingerprints: (N,), of their contents.
        sets: The validation sets by name, "" for a single one.
        masks: A hash of the files that training masks are drawn from, None where they are drawn by numbers alone.
        seed: Of the split and of the validation masks.
        styles: A hash of the pictures of styles; None where there are none.
    """

    names: NDArray[np.int64]
    fingerprints: NDArray[np.int64]
    sets: Mapping[str, ValInventory]
    masks: str | None
    seed: int
    styles: str | None = None

    def state(self) -> dict[str, Any]:
        """Return plain containers, as a checkpoint holds them."""
        return {
            "names": torch.from_numpy(self.names.copy()),
            "fingerprints": torch.from_numpy(self.fingerprints.copy()),
            "sets": {
                name: {"names": list(one.names), "hashes": list(one.hashes), "view": one.view}
                for name, one in self.sets.items()
            },
            "masks": self.masks,
            "seed": self.seed,
            "styles": self.styles,
        }

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Inventory | None:
        """Return what `state` returned; None where a checkpoint of an earlier version holds nothing of it."""
        try:
            # Earlier versions knew a single set.
            sets = state["sets"] if "sets" in state else {"": {key: state[f"val_{key}"] for key in ("names", "hashes")}}
            return cls(
                names=state["names"].numpy(),
                fingerprints=state["fingerprints"].numpy(),
                sets={
                    name: ValInventory(
                        tuple(one["names"]), tuple(one["hashes"]), one["view"] if "view" in one else state["view"]
                    )
                    for name, one in sets.items()
                },
                masks=state["masks"],
                seed=state["seed"],
                styles=state.get("styles"),
            )
        except (KeyError, AttributeError, TypeError):
            return None

    def same_set(self, name: str, other: Inventory, other_name: str) -> bool:
        """Return whether figures of a validation set compare with those of a set of another inventory."""
        mine, theirs = self.sets.get(name), other.sets.get(other_name)
        return mine is not None and mine.same(theirs) and self.seed == other.seed

    def changes(self, now: Inventory) -> str:
        """Return in words which training photos came and went since; "" when none did."""
        before = dict(zip(self.names.tolist(), self.fingerprints.tolist(), strict=True))
        after = dict(zip(now.names.tolist(), now.fingerprints.tolist(), strict=True))
        counts = {
            "added": len(after.keys() - before.keys()),
            "removed": len(before.keys() - after.keys()),
            "changed": sum(before[name] != after[name] for name in before.keys() & after.keys()),
        }
        return ", ".join(f"{number} {what}" for what, number in counts.items() if number)


def inventory(
    source: PhotoSource,
    train: Indices,
    sets: Mapping[str, ValInventory],
    *,
    masks: str | None,
    seed: int,
    styles: str | None = None,
) -> Inventory:
    """Describe the photos that a run is trained and validated on."""
    names = [int(_hash(source.name(index).encode("utf-8", "surrogateescape")), 16) for index in train.tolist()]
    return Inventory(
        names=np.array(names, np.uint64).view(np.int64),
        fingerprints=source.fingerprints[train],
        sets=sets,
        masks=masks,
        seed=seed,
        styles=styles,
    )


def val_inventory(source: PhotoSource, indices: Indices, *, view: str) -> ValInventory:
    """Describe a validation set; view is hashed here."""
    return ValInventory(
        names=tuple(source.name(int(index)) for index in indices),
        hashes=tuple(content_hashes(source, indices)),
        view=_hash(view.encode("utf-8", "surrogateescape")),
    )


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()
