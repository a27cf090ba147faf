# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run programs of the host: as whom, with what, and what they said when they fail."""

from __future__ import annotations

import subprocess
import time
import typing as t
from pathlib import Path

from evenkeel_backup.outcome import BackupError

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
LONGEST_MESSAGE = 2000
CHUNK = 1 << 20
SECONDS_TO_GROW = 0.02


def identity(user: str) -> dict[str, t.Any]:
    """The arguments that make a child another user, and nobody else as well."""
    return {"user": user, "group": user, "extra_groups": []} if user else {}


def limited(command: t.Sequence[str], most_bytes: int) -> list[str]:
    """The command, unable to write a file beyond so many bytes: a full disk stops more than a backup."""
    return ["prlimit", f"--fsize={most_bytes}", "--", *command]


def remove(*paths: Path) -> None:
    """Whole trees too. What cannot be removed is an error: it may be data in clear."""
    run(["rm", "-rf", "--", *paths])


def run(
    command: t.Sequence[str | Path],
    user: str = "",
    stdin: t.IO[bytes] | int = subprocess.DEVNULL,
    stdout: t.IO[bytes] | int = subprocess.PIPE,
    text: str | None = None,
    environment: t.Mapping[str, str] | None = None,
    accept: t.Container[int] = (0,),
) -> str:
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            **({"stdin": stdin} if text is None else {"input": text.encode()}),
            stdout=stdout,
            stderr=subprocess.PIPE,
            cwd="/",
            env={**ENVIRONMENT, **(environment or {})},
            check=False,
            **identity(user),
        )
    except OSError as exc:
        raise BackupError(
            f"{words[0]} cannot be run: {exc}; run the role backup, which installs what it needs"
        ) from exc
    if done.returncode not in accept:
        raise BackupError(failure(words, done.returncode, done.stderr or done.stdout or b""))
    return (done.stdout or b"").decode(errors="replace")


def failure(words: t.Sequence[str], status: int, said: bytes) -> str:
    name = words[words.index("--") + 1] if words[0] == "prlimit" else words[0]
    text = said.decode(errors="replace").strip() or "it said nothing"
    return f"{Path(name).name} failed with status {status}: {text[-LONGEST_MESSAGE:]}"


def follow(path: Path, is_whole: t.Callable[[], bool], reader: t.IO[bytes]) -> None:
    """Give a file to who reads it while it is still written. Who stops reading is not waited for."""
    try:
        with path.open("rb") as file:
            while True:
                whole = is_whole()  # asked first: what is there then is all there will be
                while chunk := file.read(CHUNK):
                    reader.write(chunk)
                reader.flush()
                if whole:
                    return
                time.sleep(SECONDS_TO_GROW)
    except BrokenPipeError:
        return
