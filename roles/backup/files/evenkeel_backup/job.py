# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stands around every line of cron: lock, time limit, journal, record, metrics, ping, and mail on news."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import signal
import subprocess
import sys
import syslog
import time
import typing as t
import urllib.request
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from evenkeel_backup import backup, cluster, keep, metrics, outcome, repository, runs, schedule
from evenkeel_backup import settings as settings_module
from evenkeel_backup.outcome import EXIT, BackupError, EndedError, Record, SkippedError, TimedOutError
from evenkeel_backup.settings import Job, Settings

SENDMAIL = Path("/usr/sbin/sendmail")
GRACE = 90  # seconds that cron has to begin a job by itself
PING_SECONDS = 10

Work = Callable[[], tuple[str, str]]


def say(priority: int, message: str) -> None:
    """To the journal, and to whoever ran this by hand."""
    syslog.openlog("evenkeel-backup", syslog.LOG_PID, syslog.LOG_DAEMON)
    syslog.syslog(priority, message)
    if sys.stderr.isatty() or os.environ.get("EVENKEEL_BACKUP_SAY"):
        print(message, file=sys.stderr)


# ---- what outlives a run


def record_path(settings: Settings, name: str) -> Path:
    return settings.work / "jobs" / f"{name}.json"


def read_record(settings: Settings, name: str) -> Record:
    try:
        return Record(**json.loads(record_path(settings, name).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Record()
    except (ValueError, TypeError):
        return Record(outcome="failed", message="its record could not be read")


def update_record(settings: Settings, name: str, change: Callable[[Record], Record]) -> Record:
    """One at a time: a run that is skipped writes while the one before may be finishing."""
    with lock(settings, f"{name}.record", wait=True):
        record = change(read_record(settings, name))
        repository.write(record_path(settings, name), json.dumps(asdict(record), indent=2) + "\n")
        return record


@contextlib.contextmanager
def lock(settings: Settings, name: str, wait: bool) -> t.Iterator[None]:
    folder = settings.work / "jobs"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / f"{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise SkippedError(f"another {name} is going on, so this one did nothing") from None
        yield


# ---- one run


@contextlib.contextmanager
def time_limit(job: Job) -> t.Iterator[None]:
    """Raise in the middle of whatever goes on: children are killed, and what is unfinished is cleaned away."""

    def end(_signal: int, _frame: object) -> None:
        raise TimedOutError(f"{job.name} was not done within {settings_module.words(job.timeout)} and was ended")

    signal.signal(signal.SIGALRM, end)
    signal.alarm(job.timeout)
    try:
        yield
    finally:
        signal.alarm(0)


def stop(_signal: int, _frame: object) -> None:
    raise EndedError("it was told to stop")


def run(settings: Settings, name: str, work: Work, wait: bool = False) -> int:
    """Run a job; its exit status says how it ended."""
    job = settings.jobs[name]
    signal.signal(signal.SIGTERM, stop)
    try:
        with lock(settings, name, wait):
            return _run_locked(settings, job, work)
    except SkippedError as exc:
        say(runs.WARNING, str(exc))
        update_record(settings, name, outcome.skip)
        write_metrics(settings)
        return EXIT["skipped"]


def _run_locked(settings: Settings, job: Job, work: Work) -> int:
    before = read_record(settings, job.name)
    update_record(settings, job.name, lambda record: outcome.begin(record, time.time()))
    write_metrics(settings)
    try:
        with time_limit(job):
            ended, message = work()
    except (BackupError, EndedError) as exc:
        ended, message = exc.outcome, str(exc)
    except Exception as exc:  # whatever it was: a run that ends without a word is the worst of all
        ended, message = "failed", f"{type(exc).__name__}: {exc}"
    record = update_record(settings, job.name, lambda record: outcome.finish(record, ended, message, time.time()))
    if ended == "ok":
        say(runs.INFO, f"{job.name}: all well, in {settings_module.words(record.seconds)}")
    else:
        say(runs.ERROR, f"{job.name} failed ({ended}): {message}")
    write_metrics(settings)
    mail(settings, job.name, outcome.news(before.outcome, ended), message)
    ping(job, ended)
    return EXIT[ended]


def ping(job: Job, ended: str) -> None:
    """Tell the dead man's switch. Where nobody answers, the run is none the worse: silence is its alarm."""
    if not job.ping:
        return
    url = job.ping if ended == "ok" else f"{job.ping.rstrip('/')}/fail"
    for _attempt in range(3):
        try:
            with urllib.request.urlopen(url, timeout=PING_SECONDS):
                return
        except (OSError, http.client.HTTPException):  # which is what there is to a listener that talks nonsense
            continue
    say(runs.WARNING, f"{job.name}: the ping was not taken")


def mail(settings: Settings, name: str, subject: str, message: str) -> None:
    if not (settings.mail and subject and SENDMAIL.exists()):
        return
    text = (
        f"To: {settings.mail}\nSubject: [{settings.host}] {name} {subject}\nAuto-Submitted: auto-generated\n"
        f"Content-Type: text/plain; charset=utf-8\n\n{message or 'All well.'}\n\n"
        f"More: journalctl -t evenkeel-backup, evenkeel-backup status\n"
    )
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run([SENDMAIL, "-t", "-i"], input=text.encode(), timeout=60, capture_output=True, check=False)


def overdue(settings: Settings, now: float) -> list[str]:
    """Jobs that cron should have begun and has not: the host was down, or cron was."""
    late = []
    for name, job in settings.jobs.items():
        if schedule.overdue(job.schedule, read_record(settings, name).started, now, GRACE):
            with contextlib.suppress(SkippedError), lock(settings, name, wait=False):
                late.append(name)
    return late


# ---- metrics


def restore_times(settings: Settings) -> dict[str, float]:
    try:
        times: dict[str, float] = json.loads((settings.work / backup.RESTORE_TIMES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return times


def prepare(settings: Settings) -> None:
    """The directories that others may enter, whatever the umask is."""
    for path, mode in ((settings.work, 0o711), (settings.metrics, 0o755)):
        if not path.is_dir():
            path.mkdir(parents=True)
            path.chmod(mode)


def promises(settings: Settings, now: float) -> tuple[float, float, list[str]]:
    """Worst loss and longest restore, as configured and measured, and what is wrong with them."""
    newest = [backups[-1].seconds for name in settings.copied if (backups := good(settings, name))]
    archive = cluster.last_seen(settings)
    loss = settings_module.worst_loss(settings, now, sum(newest), archive.loss(now))
    restore_seconds = sum(restore_times(settings).values())
    problems = settings_module.broken_promises(settings, now, sum(newest), restore_seconds, archive.loss(now))
    return loss, restore_seconds, [*problems, *([archive.problem] if archive.problem else [])]


def good(settings: Settings, name: str) -> list[repository.Backup]:
    return [found for found in repository.backups(settings.directory, name) if found.good]


def collect(settings: Settings, now: float) -> metrics.Metrics:
    seen = metrics.Metrics()
    for name, job in settings.jobs.items():
        record = read_record(settings, name)
        widest = job.schedule.widest(datetime.fromtimestamp(now, UTC)).total_seconds()
        seen.add("evenkeel_job_start_timestamp_seconds", record.started, job=name)
        seen.add("evenkeel_job_success_timestamp_seconds", record.succeeded, job=name)
        seen.add("evenkeel_job_duration_seconds", record.seconds, job=name)
        seen.add("evenkeel_job_exit_code", EXIT.get(record.outcome, 0), job=name)
        seen.add("evenkeel_job_failures", record.failures, job=name)
        seen.add("evenkeel_job_running", record.running, job=name)
        seen.add("evenkeel_job_skipped_total", record.skipped, job=name)
        seen.add("evenkeel_job_interval_seconds", widest, job=name)
        seen.add("evenkeel_job_timeout_seconds", job.timeout, job=name)
    for name in settings.sets:
        collect_set(seen, settings, name, now)
    if settings.repositories:
        archive = cluster.last_seen(settings)
        seen.add("evenkeel_backup_archive_lag_seconds", archive.lag)
        seen.add("evenkeel_backup_archive_waiting_bytes", archive.waiting)
        seen.add("evenkeel_backup_archive_broken", bool(archive.problem))
    loss, restore_seconds, _problems = promises(settings, now)
    seen.add("evenkeel_backup_loss_seconds", loss)
    seen.add("evenkeel_backup_restore_seconds", restore_seconds)
    seen.add("evenkeel_backup_target_seconds", settings.rpo, target="rpo")
    seen.add("evenkeel_backup_target_seconds", settings.rto, target="rto")
    if settings.directory.is_dir():
        free = repository.free_bytes(settings.directory) - settings.reserve
        seen.add("evenkeel_backup_free_bytes", free)
    return seen


def collect_set(seen: metrics.Metrics, settings: Settings, name: str, now: float) -> None:
    every = repository.backups(settings.directory, name)
    fine = [found for found in every if found.good]
    newest = fine[-1].of if fine else None
    left = left_to_leader(settings, name)
    if backup.takes_turns(settings, name):
        seen.add("evenkeel_backup_left", left, set=name)
    if not left:  # else what is here is old, as it should be
        seen.add("evenkeel_backup_taken_timestamp_seconds", newest.taken if newest else 0, set=name)
        seen.add("evenkeel_backup_age_seconds", now - newest.taken if newest else now, set=name)
    seen.add("evenkeel_backup_bytes", newest.bytes if newest else 0, set=name)
    seen.add("evenkeel_backup_duration_seconds", newest.seconds if newest else 0, set=name)
    for level in () if left else ("read", "restored", "remote"):
        taken = max((found.of.taken for found in fine if level in found.marks.passed), default=0)
        seen.add("evenkeel_backup_verified_timestamp_seconds", taken, set=name, level=level)
    seen.add("evenkeel_backup_copies", len(fine), set=name, state="verified")
    damaged = sum(1 for found in every if found.marks.damaged)
    seen.add("evenkeel_backup_copies", damaged, set=name, state="damaged")
    if settings.remote or name == settings_module.CLUSTER:
        away = sum(1 for found in fine if "remote" in found.marks.passed)
        seen.add("evenkeel_backup_remote_copies", away, set=name)
    small = bool(fine) and keep.shrunk(fine[-1].of.bytes, [found.of.bytes for found in fine[:-1]])
    seen.add("evenkeel_backup_shrunk", small, set=name)
    history = sorted((found.as_kept() for found in every), key=lambda found: found.taken)
    stopped = keep.wrong(history, datetime.fromtimestamp(now, UTC))
    seen.add("evenkeel_backup_retention_stopped", bool(stopped), set=name)


def left_to_leader(settings: Settings, name: str) -> bool:
    """Where the server does not say that it copies another one, it is up to this host."""
    try:
        return backup.left_to_leader(settings, name)
    except BackupError:
        return False


def write_metrics(settings: Settings) -> None:
    """Never a reason for a run to fail: that they are old is seen where they are read."""
    try:
        text = collect(settings, time.time()).render()
        repository.write(settings.metrics / metrics.NAME, text, mode=0o644)
    except OSError as exc:
        say(runs.WARNING, f"the metrics cannot be written: {exc}")
