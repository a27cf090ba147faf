# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The second copy, by rclone: put there, looked at in every run, and fetched when the first one is gone."""

from __future__ import annotations

import hashlib
import json
import subprocess
import typing as t
from pathlib import Path

from evenkeel_backup import commands, manifest
from evenkeel_backup.manifest import Manifest, Sum
from evenkeel_backup.outcome import BackupError, RemoteError
from evenkeel_backup.repository import Backup, sum_of
from evenkeel_backup.settings import Settings

# A store that hangs ends the run rather than the night. The remote is described by the environment alone.
OPTIONS = ["--config=", "--contimeout=15s", "--timeout=60s", "--retries=2", "--low-level-retries=3"]
SINGLE_UPLOADS = {"RCLONE_S3_UPLOAD_CUTOFF": "5G", "RCLONE_S3_NO_CHECK_BUCKET": "true"}
NOT_FOUND = (3, 4)  # rclone's exit status for a directory and a file


class Remote:
    def __init__(self, settings: Settings) -> None:
        self.root = f"{settings.remote.rstrip('/')}/{settings.host}"
        prefix = f"RCLONE_CONFIG_{settings.remote.partition(':')[0].upper()}"
        options = {f"{prefix}_{name.upper()}": value for name, value in settings.remote_options.items()}
        self.environment = {**SINGLE_UPLOADS, **options}

    def where(self, name: str, *more: str) -> str:
        return "/".join([self.root, name, *more])

    def rclone(self, *words: str | Path, **how: t.Any) -> str:
        try:
            return commands.run(["rclone", *OPTIONS, *words], environment=self.environment, **how)
        except BackupError as exc:
            raise RemoteError(f"the remote store {self.root} does not do what it should: {exc}") from exc

    def listing(self, name: str) -> dict[str, dict[str, t.Any]]:
        """Every file of a set by its path below it."""
        words = ["lsjson", "--recursive", "--files-only", "--hash", "--hash-type=md5", self.where(name)]
        said = self.rclone(*words, accept=(0, *NOT_FOUND))
        # Where there is nothing yet, rclone begins a list that it does not end.
        return {file["Path"]: file for file in json.loads(said if said.rstrip().endswith("]") else "[]")}

    def put(self, name: str, backup: Backup) -> None:
        """The manifest last: what has one is whole."""
        for file in wanted(backup):
            target = self.where(name, backup.id, file)
            self.rclone("copyto", "--ignore-times", "--error-on-no-transfer", backup.path / file, target)

    def differs(self, name: str, backup: Backup, listing: t.Mapping[str, dict[str, t.Any]]) -> str:
        """What is wrong with the remote copy of a backup, or nothing."""
        for file, expected in wanted(backup).items():
            found = listing.get(f"{backup.id}/{file}")
            if found is None:
                return f"{file} is missing"
            if found["Size"] != expected.bytes:
                return f"{file} has {found['Size']} bytes instead of {expected.bytes}"
            told = found.get("Hashes", {}).get("md5")
            if told != expected.md5 if told else self.sha256(name, backup.id, file) != expected.sha256:
                return f"{file} has other content than what was put there"
        return ""

    def sha256(self, name: str, *path: str) -> str:
        """By reading it back, where the store cannot tell."""
        digest = hashlib.sha256()
        command = ["rclone", *OPTIONS, "cat", self.where(name, *path)]
        environment = {**commands.ENVIRONMENT, **self.environment}
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd="/", env=environment) as reader:
            while reader.stdout and (chunk := reader.stdout.read(commands.CHUNK)):
                digest.update(chunk)
        if reader.returncode != 0:
            raise RemoteError(f"{self.where(name, *path)} cannot be read back")
        return digest.hexdigest()

    def manifests(self, name: str) -> tuple[dict[str, Manifest], dict[str, str]]:
        """What could be restored from there, and why the rest could not."""
        found: dict[str, Manifest] = {}
        unreadable: dict[str, str] = {}
        for path in sorted(self.listing(name)):
            folder, _slash, file = path.partition("/")
            if file == manifest.NAME and manifest.taken_at(folder):
                text = self.rclone("cat", self.where(name, path))
                try:
                    found[folder] = manifest.load(text, folder)
                except ValueError as exc:
                    unreadable[folder] = str(exc)
        return found, unreadable

    def fetch(self, name: str, path: str, target: t.IO[bytes]) -> None:
        self.rclone("cat", self.where(name, path), stdout=target)

    def remove(self, name: str, gone: str) -> None:
        self.rclone("purge", self.where(name, gone), accept=(0, *NOT_FOUND))


def wanted(backup: Backup) -> dict[str, Sum]:
    """What belongs there, in the order in which it is put there."""
    stored = dict(artifact.stored() for artifact in backup.of.artifacts)
    return {**stored, manifest.NAME: sum_of(backup.path / manifest.NAME)}
