"""Public weights: what can be fetched by a name, how it is told to be the right file, and what is remembered of it.

A model's `zoo.py` lists its `ROWS`; `inpaint.registry.zoo` fetches and converts them. torch is not imported.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from inpaint.errors import WeightsError
from inpaint.system.files import open_file, write_text

NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
"""Of public weights: words joined by hyphens, which no registered name holds, and no path with folders."""

DIGITS: Mapping[str, int] = {"sha256": 64, "md5": 32}
TITLES: Mapping[str, str] = {"sha256": "SHA-256", "md5": "MD5"}
MOST_BYTES = 2 * 10**9
"""That a file of unknown size may have."""


@dataclass(frozen=True)
class Digest:
    """A hash of a file's content as a public program states it.

    kind: what computes it. value: its hexadecimal digits, or the first of them.
    """

    kind: Literal["sha256", "md5"]
    value: str

    @property
    def title(self) -> str:
        """What it is called."""
        part = "" if len(self.value) == DIGITS[self.kind] else f", first {len(self.value)} digits"
        return TITLES[self.kind] + part

    def __str__(self) -> str:
        return f"{self.title}: {self.value}"

    def fits(self, hashes: Mapping[str, str]) -> bool:
        """Tell whether a file with these hashes is the one."""
        return hashes[self.kind].startswith(self.value)


@dataclass(frozen=True, kw_only=True)
class Publisher:
    """Who publishes weights, and on which terms.

    origin: of `inpaint import-weights`, the program that wrote the files. page: where they are published.
    weights_license, code_license: as stated there.
    """

    origin: str
    page: str
    weights_license: str
    code_license: str


MMAGIC = Publisher(
    origin="mmagic",
    page="https://github.com/open-mmlab/mmagic",
    weights_license="none of their own, published with the Apache-2.0 code",
    code_license="Apache-2.0",
)
PLACES = "nothing is said of the weights; the terms of their training photos (Places) name non-commercial research"
CELEBA = (
    "nothing is said of the weights; the terms of their training photos (CelebA) allow non-commercial research only"
)
"""What is known of what may be done with the results of networks that were trained on these photos."""

CHECKPOINT = "PyTorch checkpoint"
ARCHIVE = "TorchScript archive: its tensors are read, its program is not run"
"""What kinds of files there are."""


@dataclass(frozen=True, kw_only=True)
class PublicWeights:
    """A file of weights that somebody publishes and an importer of ours converts.

    name: by which it is loaded, see NAME. model: the registered one. publisher: whose it is. url: where the file itself
    is, https. form: what kind of file it is. size_bytes: None where no public program states it. digest: None where
    none is stated: the first download is then remembered, and later ones must equal it. switches: for the importer.
    good_for: what holes and photos. use: what may be done with the results, as far as it is said anywhere.
    """

    name: str
    model: str
    publisher: Publisher
    url: str
    form: str = CHECKPOINT
    size_bytes: int | None = None
    digest: Digest | None = None
    switches: frozenset[str] = frozenset()
    good_for: str
    use: str

    @property
    def file(self) -> str:
        """The name of the file."""
        return urlsplit(self.url).path.rpartition("/")[2]

    @property
    def most_bytes(self) -> int:
        """That a download may have."""
        return MOST_BYTES if self.size_bytes is None else self.size_bytes

    @property
    def size(self) -> str:
        """The size in words."""
        return "size not stated" if self.size_bytes is None else f"{self.size_bytes:,} bytes"

    @property
    def check(self) -> str:
        """How a download is verified, in words."""
        return "not verified: the first download is recorded" if self.digest is None else str(self.digest)

    def described(self) -> str:
        """Return how to get the file by other means: its address, size and hash."""
        return f"{self.url} ({self.size}, {'no hash stated' if self.digest is None else self.digest})"

    def note(self, record: Record) -> str:
        """Return what is kept beside the weights for whoever finds them."""
        lines = {
            "Weights": f"{self.name}, for the model {self.model}",
            "File": f"{self.file}, {record.size_bytes:,} bytes",
            "From": record.url,
            "SHA-256": record.sha256,
            "Verified by": self.check,
            "Published at": self.publisher.page,
            "License of the weights": self.publisher.weights_license,
            "License of the code": self.publisher.code_license,
            "What may be done with the results": self.use,
        }
        return "".join(f"{title}: {text}\n" for title, text in lines.items())


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is known of the file that weights were converted from. version: of this package, then."""

    url: str
    size_bytes: int
    sha256: str
    md5: str
    version: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def hashes(self) -> dict[str, str]:
        """Its hashes by kind."""
        return {"sha256": self.sha256, "md5": self.md5}

    def is_of(self, row: PublicWeights) -> bool:
        """Tell whether this was the file that a row means now."""
        return row.digest.fits(self.hashes) if row.digest is not None else self.url == row.url

    def write(self, path: Path) -> None:
        """Keep it in a file, whole or not at all."""
        write_text(path, json.dumps(asdict(self), indent=2) + "\n")

    @staticmethod
    def read(path: Path) -> Record | None:
        """Return what a file says; None where there is none, or none that can be read."""
        try:
            return TypeAdapter(Record).validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None


def record_of(path: Path, url: str) -> Record:
    """Return size and hashes of a file, read once; raises WeightsError when it cannot be read."""
    hashes = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
    size = 0
    try:
        with open_file(path) as file:
            while chunk := file.read(1 << 20):
                size += len(chunk)
                for each in hashes.values():
                    each.update(chunk)
    except OSError as error:
        raise WeightsError(f"cannot read '{path}': {error.strerror or error}") from None
    return Record(url=url, size_bytes=size, sha256=hashes["sha256"].hexdigest(), md5=hashes["md5"].hexdigest())
