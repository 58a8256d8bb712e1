"""A long list of names in two arrays: millions of photographs cost bytes instead of Python objects."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


class Names:
    """An immutable sequence of strings, stored as one block of UTF-8 and the end of each name.

    Worker processes share or copy two arrays instead of touching millions of reference counts.
    """

    def __init__(self, text: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self.text = text
        self.ends = ends

    @classmethod
    def of(cls, names: Iterable[str]) -> Names:
        """Pack strings; names that are not valid Unicode (odd file names) survive through surrogate escapes."""
        encoded = [name.encode("utf-8", "surrogateescape") for name in names]
        ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self.ends):
            raise IndexError(f"name {index} of {len(self.ends)}")
        start = int(self.ends[index - 1]) if index else 0
        return self.text[start : int(self.ends[index])].tobytes().decode("utf-8", "surrogateescape")

    def take(self, indices: NDArray[np.int64]) -> Names:
        """Return the names at `indices`, in that order."""
        return Names.of(self[int(index)] for index in indices)
