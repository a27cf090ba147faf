# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Runs a program as a user, for a limited time."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import threading
import typing as t

OUTPUT_READ = 1 << 20


def run(argv: t.Sequence[str], user: str, timeout: float, environment: t.Mapping[str, str]) -> tuple[int, str]:
    """The exit status and the beginning of the output. Raises TimeoutError, ValueError or OSError."""
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise ValueError(f"there is no user {user} on this host") from None
    switch: dict[str, t.Any] = {}
    if os.geteuid() != account.pw_uid:
        groups = os.getgrouplist(user, account.pw_gid)
        switch = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": groups}
    base = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": account.pw_dir, "USER": user}
    process = subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**base, **environment},
        cwd="/",
        start_new_session=True,
        **switch,
    )
    late = threading.Event()

    def end() -> None:
        # With all that it started, which would keep the pipe open.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def give_up() -> None:
        late.set()
        end()

    timer = threading.Timer(timeout, give_up)
    timer.daemon = True
    timer.start()
    try:
        with t.cast("t.IO[bytes]", process.stdout) as pipe:
            output = pipe.read(OUTPUT_READ)
        status = process.wait()
    finally:
        timer.cancel()
        end()
    if late.is_set():
        raise TimeoutError(f"did not end within {timeout} s")
    return status, output.decode("utf-8", "replace")
