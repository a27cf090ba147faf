"""Kill restores before and after every step: what was live has to be live, or what was restored, and never neither."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

sys.path.insert(0, "/usr/local/lib/evenkeel-backup/current")

from evenkeel_backup import job, redis, restore, restore_report, settings

HERE = settings.read()
UPLOAD = Path("/srv/uploads/marker")


def ask(command: list[str], environment: t.Mapping[str, str] | None = None) -> str:
    everything = {**os.environ, **(environment or {})}
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd="/", env=everything).stdout.strip()


def psql(sql: str) -> str:
    return ask(["runuser", "-u", "postgres", "--", "psql", "-XAtq", "--dbname=notes", f"--command={sql}"])


def in_redis(*words: str) -> str:
    command, environment = redis.login()
    return ask([*command, *words], environment)


def program(*words: str) -> str:
    return ask(["evenkeel-backup", *words])


# What fill.yml has given the database: a setting, and one privilege less than usual.
CARRIED = "SELECT current_setting('work_mem'), has_database_privilege('public', 'notes', 'TEMPORARY')"
READ: dict[str, t.Callable[[], str]] = {
    "database/notes": lambda: psql("SELECT text FROM marker"),
    "redis": lambda: in_redis("GET", "marker"),
    "files/uploads": UPLOAD.read_text,
}
WRITE: dict[str, t.Callable[[str], object]] = {
    "database/notes": lambda text: psql(f"DROP TABLE IF EXISTS marker; CREATE TABLE marker AS SELECT '{text}' AS text"),
    "redis": lambda text: in_redis("SET", "marker", text),
    "files/uploads": UPLOAD.write_text,
}


def killed_at(name: str, backup: str, victim: str, after: bool) -> None:
    """A restore in a process of its own, which dies before or after the step it is to die at."""
    pid = os.fork()
    if pid == 0:
        steps = restore.STEPS[name.partition("/")[0]]
        real = steps[victim]

        def deadly(context: restore_report.Restore) -> None:
            if after:
                real(context)
            os.kill(os.getpid(), signal.SIGKILL)

        steps[victim] = deadly
        with job.lock(HERE, "restore", wait=True):
            restore.run(HERE, name, backup, lambda _priority, _message: None, safety=False)
        os._exit(0)
    _pid, status = os.waitpid(pid, 0)
    if not os.WIFSIGNALED(status):
        raise SystemExit(f"{name}: {victim} was to be the end of the restore, and it ended with {status}")


def kill_everywhere(name: str, backup: str) -> tuple[int, list[str]]:
    steps = list(restore.STEPS[name.partition("/")[0]])
    problems = []
    # Dying after a step is dying before the next one, so the last is the only one that has an end of its own.
    for victim, after in [*((step, False) for step in steps), (steps[-1], True)]:
        WRITE[name]("live")
        killed_at(name, backup, victim, after)
        switched = steps.index(victim) > steps.index("switch") or (after and victim == "switch")
        text = READ[name]()
        if text != ("saved" if switched else "live"):
            problems.append(f"{name} killed {'after' if after else 'before'} {victim}: found {text}")
    return len(steps) + 1, problems


def main() -> None:
    cases, problems = 0, []
    for name in HERE.sets:
        WRITE[name]("saved")
    program("job", "backup", "--wait")
    for name in HERE.sets:
        backup = json.loads(program("list", name))[name][-1]["id"]
        confirm = f"--confirm={HERE.host}/{name}"
        count, found = kill_everywhere(name, backup)
        cases += count
        problems += found
        WRITE[name]("live")
        program("restore", name, f"--from={backup}", confirm)
        if name.startswith("database/") and psql(CARRIED) != "5MB|f":
            problems.append(f"{name}: the restored one has other settings or privileges: {psql(CARRIED)}")
        if READ[name]() != "saved":
            problems.append(f"{name}: the restore after the killed ones restored nothing")
        program("undo", name, confirm)
        if READ[name]() != "live":
            problems.append(f"{name}: undo did not go back")
        program("discard", name, confirm)
    left = psql(r"SELECT count(*) FROM pg_database WHERE datname LIKE 'notes\_\_%'")
    if left != "0":
        problems.append(f"{left} databases are left beside the live one")
    print(json.dumps({"cases": cases, "problems": problems}))
    sys.exit(bool(problems))


main()
