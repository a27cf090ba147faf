# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What /etc/evenkeel-backup.json asks for. The role writes it; its argument_specs.yml says what each value means."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from evenkeel_backup import schedule
from evenkeel_backup.keep import Policy
from evenkeel_backup.outcome import ConfigError

PATH = Path("/etc/evenkeel-backup.json")
FEWEST_RECIPIENTS = 2
LONGEST_WAIT = 60  # seconds until Postgres archives what it has written
CLUSTER = "cluster"  # the set of all databases of the server, which pgBackRest backs up


@dataclass(frozen=True)
class Job:
    name: str
    schedule: schedule.Schedule
    timeout: int
    ping: str = ""


@dataclass(frozen=True)
class Files:
    name: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    host: str
    directory: Path
    work: Path
    metrics: Path
    jobs: dict[str, Job]
    databases: tuple[str, ...] = ()
    repositories: tuple[int, ...] = ()  # of pgBackRest, by number; without any there is no such set
    full_every: int = 0
    with_passwords: bool = False
    postgres_port: int = 5432
    only_leader: bool = False  # back up databases only while the server takes writes: the hosts take turns in leading
    redis: bool = False
    files: tuple[Files, ...] = ()
    keep: Policy = field(default_factory=Policy)
    reserve: int = 0
    recheck: int = 0
    rpo: int = 0
    rto: int = 0
    mail: str = ""
    recipients: tuple[str, ...] = ()
    remote: str = ""
    remote_options: dict[str, str] = field(default_factory=dict)
    prune_remote: bool = True
    identity: str = ""

    @property
    def sets(self) -> list[str]:
        return [*([CLUSTER] if self.repositories else []), *self.copied]

    @property
    def restoring(self) -> Path:
        """Where a restore keeps data in clear for as long as it goes on."""
        return self.work / "restore"

    @property
    def copied(self) -> list[str]:
        """The sets that are copied out from time to time: what is written in between is in none of them."""
        databases = [f"database/{name}" for name in self.databases]
        return [*databases, *(["redis"] if self.redis else []), *(f"files/{files.name}" for files in self.files)]


def parse(text: str) -> Settings:
    try:
        data: dict[str, t.Any] = json.loads(text)
        for name in ("directory", "work", "metrics"):
            data[name] = Path(data[name])
        timeout, pings = seconds(data.pop("timeout")), data.pop("pings")
        data["jobs"] = {
            name: Job(name, schedule.parse(when), timeout, pings.get(name, ""))
            for name, when in data.pop("schedules").items()
        }
        for name in ("rpo", "rto", "full_every"):
            data[name] = seconds(data.get(name, 0))
        data["files"] = tuple(Files(files["name"], tuple(files["paths"])) for files in data.get("files", []))
        data["keep"] = Policy(**data.get("keep", {}))
        for name in ("databases", "recipients", "repositories"):
            data[name] = tuple(data.get(name, []))
        found = Settings(**data)
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise ConfigError(f"{PATH} is not what the role backup writes, so run the role again: {exc}") from exc
    if 0 < len(set(found.recipients)) < FEWEST_RECIPIENTS:
        raise ConfigError(
            "one age recipient is not enough: who loses that key loses every backup; "
            f"wanted {FEWEST_RECIPIENTS} or more"
        )
    return found


def resolve(settings: Settings, what: str) -> list[str]:
    """The sets that `full`, `database`, the name of a set of files, or that of a set stands for."""
    if what == "full":
        return [name for name in settings.sets if not (settings.repositories and name.startswith("database/"))]
    databases = [name for name in settings.sets if name == CLUSTER or name.startswith("database/")]
    if what == "database" and len(databases) == 1:
        return databases
    for name in (what, f"files/{what}"):
        if name in settings.sets:
            return [name]
    have = ", ".join(settings.sets) or "none"
    raise ConfigError(f"'{what}' is no set that is declared on {settings.host}; there are: {have}, or full")


def read(path: Path = PATH) -> Settings:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"the settings cannot be read: {exc}; run the role backup, and this program as root") from exc


def broken_promises(
    settings: Settings, now: float, backup_seconds: float, restore_seconds: float, archive_seconds: float = 0
) -> list[str]:
    """One sentence for each declared target that what is configured, and was measured, cannot meet."""
    problems = []
    loss = worst_loss(settings, now, backup_seconds, archive_seconds)
    larger = "" if settings.repositories else ", or archive WAL with backup_engine pgbackrest"
    if settings.rpo and settings.jobs and loss > settings.rpo:
        problems.append(
            f"backup_rpo cannot be met: up to {words(loss)} of data can be lost with this backup_schedule and backups "
            f"that take {words(backup_seconds)}, and {words(settings.rpo)} are declared; back up more often{larger}"
        )
    if settings.rto and restore_seconds > settings.rto:
        problems.append(
            f"backup_rto cannot be met: the last test restore took {words(restore_seconds)}, "
            f"and {words(settings.rto)} are declared; have less data or faster disks{larger}"
        )
    return problems


def impossible(settings: Settings, now: float) -> str:
    """Why the declared loss cannot be kept even if everything took no time; nothing if it can."""
    loss = worst_loss(settings, now, 0, LONGEST_WAIT)
    if not settings.rpo or not settings.jobs or loss <= settings.rpo:
        return ""
    return (
        f"backup_rpo is {words(settings.rpo)}, but up to {words(loss)} of data can be lost with this backup_schedule. "
        "Back up more often, declare what can be kept"
        + ("" if settings.repositories or not settings.databases else ", or set backup_engine to pgbackrest")
    )


def worst_loss(settings: Settings, now: float, backup_seconds: float, archive_seconds: float = 0) -> float:
    """Lost at worst: all since the newest backup began, when the host dies just before the next one is done.

    Of databases whose WAL is archived only what was not archived yet, and dumps of them are there for other reasons.
    """
    job = settings.jobs.get("backup")
    alone = [name for name in settings.copied if not (settings.repositories and name.startswith("database/"))]
    copies = job.schedule.widest(datetime.fromtimestamp(now, UTC)).total_seconds() + backup_seconds if job else 0
    return max(copies if alone else 0, archive_seconds if settings.repositories else 0)


def seconds(duration: str | int) -> int:
    found = re.fullmatch(r"(\d+)(ms|s|m|h|d|)", str(duration), re.ASCII)
    if not found:
        raise ValueError(f"'{duration}' is no duration such as 4h")
    return int(int(found[1]) * {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]])


def words(seconds: float) -> str:
    """A duration as people say it: two units at most."""
    rest = round(seconds)
    said: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if rest >= size and len(said) < 2:
            said.append(f"{rest // size} {unit}")
            rest %= size
    return " ".join(said) or "0 s"
