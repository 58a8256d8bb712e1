"""Files fetched over HTTPS: bounded in size, gone on with where they broke off, and never from another kind of address.

The proxies of the environment are used (`https_proxy`, `no_proxy`).
"""

from __future__ import annotations

import http.client
import logging
import re
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from email.message import Message
from pathlib import Path
from string import printable
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from inpaint.errors import InpaintError, WriteError
from inpaint.system.progress import Pace, duration

log = logging.getLogger("inpaint.system.downloads")

TRIES = 6
TIMEOUT_S = 30.0  # without a byte
LONGEST_PAUSE_S = 60.0  # before another try, whatever the server asks for
MOST_REDIRECTS = 5
CHUNK_BYTES = 1 << 18
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # answers of a server that may change
MEGABYTE = 10**6


class DownloadError(InpaintError):
    """A file that cannot be fetched. The message is the reason alone; who asked for the file says which one it was."""


class _BrokenError(Exception):
    """A transfer that another try may finish. pause_s: what the server asks for, before it."""

    def __init__(self, reason: str, *, pause_s: float | None = None) -> None:
        super().__init__(reason)
        self.pause_s = pause_s


def check_address(url: str, *, redirected_from: str | None = None) -> None:
    """Raise DownloadError unless an address is one of HTTPS, or of HTTP on this machine.

    Args:
        url: The address.
        redirected_from: The address that led there, whose scheme it must share.
    """
    parts = urlsplit(url)
    where = f"{parts.scheme or 'no scheme'}://{parts.hostname or ''}"
    if redirected_from is not None and parts.scheme != urlsplit(redirected_from).scheme:
        raise DownloadError(f"it is redirected to another scheme, {where}, which is not followed")
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL_HOSTS)
    if not parts.hostname or not safe:
        raise DownloadError(f"only https:// is fetched, not {where}")


def download(
    url: str,
    path: Path,
    *,
    most_bytes: int,
    size_bytes: int | None = None,
    beside_bytes: int = 0,
    report: Callable[[int, int | None], None] | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Fetch a file. What `path` holds already is its beginning, and the rest alone is asked for.

    A connection that breaks is tried again, which is said with the time that remains. What has arrived stays when the
    download fails or is interrupted, so that the next call goes on; what is too large or does not fit on the disk goes.

    Args:
        url: https://..., or http:// on this machine. Redirections are followed within its scheme.
        path: Where it is written, bit by bit; the folder must exist.
        most_bytes: A file that is announced larger is refused, one that turns out larger is cut off and removed.
        size_bytes: Of the file, where it is known; another one is refused.
        beside_bytes: Space that must be free besides.
        report: Is told the bytes that are here and those of the whole, None while nobody knows.
        sleep: Waits, in seconds.

    Raises:
        DownloadError: It cannot be had; the message is the reason.
        WriteError: It cannot be written, or there is too little space for it.
    """
    check_address(url)
    transfer = _Transfer(url, path, most_bytes, size_bytes, beside_bytes, report)
    for attempt in range(1, TRIES + 1):
        try:
            transfer.run()
            return
        except _BrokenError as error:
            # A server that nobody has ever heard answer will not do so in a moment: this machine is offline.
            if attempt == TRIES or not transfer.reached:
                raise DownloadError(str(error)) from None
            pause_s = min(2.0 ** (attempt - 1) if error.pause_s is None else error.pause_s, LONGEST_PAUSE_S)
            log.warning(
                "%s: %s; %s, trying again in %.0f s (%d of %d)",
                urlsplit(url).hostname,
                error,
                transfer.state(),
                pause_s,
                attempt + 1,
                TRIES,
            )
            sleep(pause_s)


class _Transfer:
    """The file at an address on its way to a path; `run` is called until it does not raise _BrokenError.

    reached: whether a server has ever answered.
    """

    def __init__(
        self,
        url: str,
        path: Path,
        most_bytes: int,
        size_bytes: int | None,
        beside_bytes: int,
        report: Callable[[int, int | None], None] | None,
    ) -> None:
        self.reached = False
        self._url = url
        self._path = path
        self._most_bytes = most_bytes if size_bytes is None else min(size_bytes, most_bytes)
        self._size_bytes = size_bytes
        self._beside_bytes = beside_bytes
        self._report = report
        self._total = size_bytes
        self._pace = Pace()

    def state(self) -> str:
        """Return how much is here and how long the rest will take, in words."""
        done = self._here()
        if self._total is None:
            return f"{done / MEGABYTE:.0f} MB are here"
        rest_s = self._pace.remaining_s(self._total)
        left = "" if rest_s is None else f", {duration(max(rest_s, 0))} left"
        return f"{done / MEGABYTE:.0f} of {self._total / MEGABYTE:.0f} MB are here{left}"

    def run(self) -> None:
        """Ask for what lacks and write it."""
        have = self._here()
        if self._size_bytes is not None and have > self._size_bytes:
            self._path.unlink()
            have = 0
        if have and have == self._size_bytes:
            return
        with self._opened(have) as response:
            self.reached = True
            done = self._begin_of(response, have)
            length = response.headers.get("Content-Length", "")
            announced = done + int(length) if length.isdecimal() else None
            self._check_size(announced)
            self._total = self._size_bytes or announced
            self._check_space((self._total or 0) - done)
            self._tell(done)
            try:
                with self._path.open("ab" if done else "wb") as file:
                    while chunk := _read(response):
                        done += len(chunk)
                        if done > self._most_bytes:
                            raise DownloadError(f"it is larger than {self._most_bytes:,} bytes, and was cut off there")
                        file.write(chunk)
                        self._tell(done)
            except DownloadError:
                self._remove()
                raise
            except OSError as error:  # of the disk: those of the network are _BrokenError by now
                self._remove()
                raise WriteError(f"cannot write '{self._path}': {error.strerror or error}") from error
        if self._total is not None and done < self._total:
            raise _BrokenError("the connection was closed too early")

    def _opened(self, have: int) -> Any:
        """Return the server's answer; `have`: the bytes that are here."""
        from inpaint import __version__  # only now: the package's face shows what fetches files

        headers = {"User-Agent": f"pytorch-inpaint/{__version__}"} | ({"Range": f"bytes={have}-"} if have else {})
        opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
            _Redirects(),
        ):
            opener.add_handler(handler)
        try:
            return opener.open(urllib.request.Request(self._url, headers=headers), timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            self.reached = True
            error.close()
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                self._remove()  # what is here is no beginning of the file
                raise _BrokenError("the server has no more than is here", pause_s=0) from None
            reason = f"the server answers {error.code} {error.reason}".rstrip()
            if error.code in PASSING:
                raise _BrokenError(reason, pause_s=_seconds(error.headers)) from None
            raise DownloadError(reason) from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise DownloadError(f"its certificate cannot be verified: {error.reason.verify_message}") from None
            raise _BrokenError(_reason(error.reason)) from None
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenError(_reason(error)) from None

    def _begin_of(self, response: Any, have: int) -> int:
        """Return the byte that the answer begins at: `have`, or 0 from a server that sends whole files alone."""
        if response.status == http.client.OK:
            return 0
        said = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        if response.status == http.client.PARTIAL_CONTENT and said and int(said[1]) == have:
            return have
        raise DownloadError(f"the server answers {response.status} {response.reason}, and not with the file")

    def _check_size(self, announced: int | None) -> None:
        if announced is None:
            return
        if self._size_bytes is not None and announced != self._size_bytes:
            raise DownloadError(f"the server announces {announced:,} bytes, the file has {self._size_bytes:,}")
        if announced > self._most_bytes:
            raise DownloadError(f"the server announces {announced:,} bytes, at most {self._most_bytes:,} are taken")

    def _check_space(self, lacking_bytes: int) -> None:
        folder = self._path.parent
        needed, free = lacking_bytes + self._beside_bytes, shutil.disk_usage(folder).free
        if needed > free:
            raise WriteError(
                f"cannot write into '{folder}': {needed / MEGABYTE:.0f} MB are needed there, {free / MEGABYTE:.0f} MB "
                "are free"
            )

    def _tell(self, done: int) -> None:
        self._pace.mark(done)
        if self._report is not None:
            self._report(done, self._total)

    def _here(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    def _remove(self) -> None:
        with suppress(OSError):
            self._path.unlink()


class _Redirects(urllib.request.BaseHandler):
    """Follows redirections, a few, within the scheme of the address."""

    def __init__(self) -> None:
        self._followed = 0

    def http_error_302(self, request: urllib.request.Request, answer: Any, code: int, reason: str, to: Message) -> Any:
        """Open the address that a server names in place of its own."""
        answer.close()
        try:
            target = quote(urljoin(request.full_url, to.get("Location", "")), safe=printable)
            urlsplit(target)
        except ValueError:
            raise DownloadError("it is redirected to what is no address") from None
        self._followed += 1
        if self._followed > MOST_REDIRECTS:
            raise DownloadError(f"it is redirected more than {MOST_REDIRECTS} times")
        check_address(target, redirected_from=request.full_url)
        # Nothing else: what was meant for a proxy is nobody else's to read.
        headers = {name: value for name, value in request.header_items() if name.lower() in ("range", "user-agent")}
        return self.parent.open(urllib.request.Request(target, headers=headers), timeout=request.timeout)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _read(response: Any) -> bytes:
    try:
        chunk: bytes = response.read1(CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(_reason(error)) from None
    return chunk


def _reason(error: object) -> str:
    """Return why a server could not be heard, in few words."""
    if isinstance(error, TimeoutError):
        return f"nothing was heard for {TIMEOUT_S:.0f} s"
    if isinstance(error, socket.gaierror | ConnectionError | OSError):
        return (error.strerror or str(error) or type(error).__name__).strip()
    return str(error) or type(error).__name__


def _seconds(headers: Message) -> float | None:
    """Return how long a server asks to be left alone."""
    said = headers.get("Retry-After", "")
    return float(said) if said.isdecimal() else None
