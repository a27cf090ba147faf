# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can be backed up: for each kind of set how to write it out, read it through, and prove it by a restore."""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

from evenkeel_backup import files, manifest, postgres, redis
from evenkeel_backup.outcome import BackupError, ConfigError, DamagedError
from evenkeel_backup.settings import Settings


def kind(name: str) -> tuple[str, str]:
    """`database/notes` is the database notes, `redis` Redis, `files/config` the paths declared as config."""
    of, _slash, what = name.partition("/")
    return of, what


def dump(settings: Settings, name: str, made: Path, most_bytes: int) -> dict[str, t.Any]:
    """Write the set into `made`, and return the facts that a restore has to reproduce."""
    of, what = kind(name)
    if of == "database":
        return postgres.dump(postgres.running(settings.postgres_port), what, made, most_bytes, settings.with_passwords)
    if of == "redis":
        return redis.dump(made, most_bytes)
    for declared in settings.files:
        if declared.name == what:
            return files.dump(declared.paths, made, most_bytes)
    raise ConfigError(f"{name} is not declared on this host; there are: {', '.join(settings.sets) or 'none'}")


def read(name: str, made: Path) -> None:
    """Read it through. Damage that the program itself finds is told as damage."""
    of, what = kind(name)
    if any(path.stat().st_size == 0 for path in made.iterdir()):
        raise DamagedError(f"{name}: a file of the backup is empty")
    try:
        if of == "database":
            postgres.read(what, made)
        elif of == "redis":
            redis.read(made)
        else:
            files.read(made)
    except BackupError as exc:
        raise DamagedError(f"{name}: {exc}") from exc


def size_restored(facts: t.Mapping[str, t.Any], staged_bytes: int) -> int:
    return max(int(facts.get("bytes", 0)), staged_bytes)


def prove(name: str, staged: Path, facts: dict[str, t.Any], work: Path) -> None:
    """Restore it where nobody else is, and compare what comes out with what went in."""
    of, what = kind(name)
    if of == "database":
        prove_database(what, staged, facts, work / "throwaway")
    elif of == "redis":
        with redis.throwaway(staged) as ask:
            redis.check_keys(redis.keys_of(ask), facts)
    else:
        files.prove(staged, work / "throwaway", facts)


def prove_database(database: str, staged: Path, facts: dict[str, t.Any], place: Path) -> None:
    with postgres.throwaway(place, facts["preload"]) as server:
        postgres.load_globals(server, staged)
        postgres.load(server, staged, database, database, facts, postgres.processors())
        problems = manifest.differences(facts["rows"], server.counts(database))
        if problems:
            raise DamagedError(f"database {database} was restored with other rows: {'; '.join(problems)}")
        server.run("pg_amcheck", "--install-missing", "--heapallindexed", f"--database={database}")
        server.ask(postgres.properties(server, staged, database))


def is_written_to(name: str) -> bool:
    """Whether a restore changes what was staged for it. If not, it may be the very file that the backup holds."""
    return kind(name)[0] == "redis"


def own_by(of: str, path: Path) -> None:
    """Let the user who restores read what was staged, and let only Redis' write there."""
    if of == "database":
        shutil.chown(path, postgres.USER, postgres.USER)
        for inner in path.iterdir():
            shutil.chown(inner, group=postgres.USER)
            inner.chmod(0o640)
    elif of == "redis":
        for owned in (path, *path.iterdir()):
            shutil.chown(owned, redis.USER, redis.USER)
    path.chmod(0o700)
