# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Downloads that go on where they were interrupted."""

from __future__ import annotations

import contextlib
import http.client
import os
import time
import typing as t
from urllib.error import HTTPError

from ansible.module_utils.urls import open_url
from ansible_collections.evenkeel.fleet.plugins.module_utils import _files
from ansible_collections.evenkeel.fleet.plugins.module_utils._http import without_query

CHUNK = 1 << 20
ATTEMPTS = 5
# Without a byte for so long, an attempt is over.
TIMEOUT = 30

TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}
PAST_THE_END = 416


def download(
    url: str,
    to: str,
    headers: t.Mapping[str, str] | None = None,
    proxy: str = "",
    sleep: t.Callable[[float], None] = time.sleep,
    timeout: float = TIMEOUT,
) -> None:
    """Write what the URL holds to a file. What is in the file already is taken for its beginning.

    So whoever knows a digest has to compare it. Raises OSError when it did not come, and keeps what did.
    """
    last: Exception = OSError()
    with _through(proxy):
        for attempt in range(ATTEMPTS):
            if attempt:
                sleep(2 ** (attempt - 1))
            try:
                return _go_on(url, to, headers or {}, timeout)
            except HTTPError as exc:
                if exc.code == PAST_THE_END:
                    return None
                if exc.code not in TRY_AGAIN:
                    raise OSError(f"GET {without_query(url)}: the server answers {exc.code} {exc.reason}") from exc
                last = exc
            except _files.NoSpaceError:
                raise
            except (OSError, http.client.HTTPException) as exc:
                last = exc
    raise OSError(
        f"GET {without_query(url)}: failed {ATTEMPTS} times, the last time by {last or type(last).__name__}; "
        f"{_size(to)} bytes came, and the next run goes on from there"
    )


def _go_on(url: str, to: str, headers: t.Mapping[str, str], timeout: float) -> None:
    there = _size(to)
    asked = {**headers, **({"Range": f"bytes={there}-"} if there else {})}
    # Whatever tells us apart is meant for this server, and not for one that it sends us to.
    with open_url(url, headers=asked, unredirected_headers=list(headers), timeout=timeout, decompress=False) as answer:
        goes_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {there}-")
        wanted = int(answer.headers["Content-Length"]) if answer.headers.get("Content-Length") else None
        _files.check_space(os.path.dirname(to), wanted or 0, f"what {without_query(url)} holds")
        came = 0
        with open(to, "ab" if goes_on else "wb") as file:
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                came += len(chunk)
    if wanted is not None and came < wanted:
        raise OSError(f"the server ended after {came} of {wanted} bytes")


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


@contextlib.contextmanager
def _through(proxy: str) -> t.Iterator[None]:
    """Set the proxy where urllib looks for it. Without one, the environment's own counts."""
    before = dict(os.environ)
    if proxy:
        os.environ.update(http_proxy=proxy, https_proxy=proxy)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
