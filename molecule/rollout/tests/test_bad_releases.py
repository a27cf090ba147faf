"""A bad release is refused with its cause, reaches no user, and leaves every host as it was."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import artifacts
import pytest
from load import Load
from trial import Service, never_ready_on, on_each

# Of the faults that show after some seconds, those are found that show within the gate's.
PATIENT = {"app_gate_min_healthy": 10, "app_gate_timeout": 15}

TAKE_PORT = """
nft list table inet evenkeel_notes | grep -q 'to :8001' && port=8002 || port=8001
systemd-run --quiet --collect --unit=squatter --property=Type=exec python3 -m http.server $port
"""
# What stays free in a file system of its own is less than a release wants.
FILL_DISK = """
mkdir -p /mnt/full && mount -t tmpfs -o size=$(($(du -sk /opt/notes/releases | cut -f1) + 30000))k full /mnt/full
cp -a /opt/notes/releases/. /mnt/full && mount --bind /mnt/full /opt/notes/releases
"""
FREE_DISK = "umount --lazy /opt/notes/releases && umount --lazy /mnt/full"
BLOCK_STATE = "mv /var/lib/notes /var/lib/notes.away && touch /var/lib/notes"
FREE_STATE = "rm /var/lib/notes && mv /var/lib/notes.away /var/lib/notes"

# The slots whose instances have answered users since then.
SERVED = """
journalctl --sync
for slot in blue green; do
  journalctl --quiet --since=@{since} --unit=notes@$slot --grep='"path":"/notes"' | grep -q . && echo $slot
done
true
"""


@dataclass(frozen=True)
class Bad:
    """What is wrong with a release, or with the host that tries it first, and the cause that is shown for it."""

    cause: str
    settings: dict[str, Any] = field(default_factory=dict)
    artifact: Callable[[Path], Path] | None = None
    spoil: str = ""
    mend: str = ""


def fault(kind: str, cause: str, **settings: Any) -> Bad:
    return Bad(cause, {"app_environment": {"FAULT": kind}, **settings})


def evil(cause: str, *members: tuple[str, str, str]) -> Bad:
    return Bad(cause, artifact=artifacts.evil(*members))


EXITED = r"notes@\w+\.service did not stay up: it exited with 1/FAILURE"
NOT_READY = r"/ready answered 503, wanted 200"
BAD = {
    "crashes at start": fault("crash_at_start", EXITED),
    "crashes after 5 s": fault("crash_later", EXITED, **PATIENT),
    "crashes every 8 s": fault("crash_loop", EXITED, **PATIENT),
    "hangs": fault("hang", r"/ready gave no whole answer within"),
    "is never ready": fault("never_ready", NOT_READY),
    "answers 500": fault("error_500", r"/ready answered 500, wanted 200"),
    "is ready without its database": fault("lying_ready", r"/ready answered 200, but database is False, wanted True"),
    "is slow": fault("slow", r"/ready answered 200, but only after more than 2\.0 s"),
    "flaps": fault("flapping_ready", NOT_READY, app_gate_min_healthy=3),
    "says another version": fault(
        "wrong_version", r"/version answered 200, but version is '0\.0\.0', wanted '1\.1\.0'"
    ),
    "is the old version": Bad(
        r"/version answered 200, but version is '1\.0\.0', wanted '1\.1\.0'",
        artifacts.settings_of(artifacts.FIRST),
    ),
    "finds its port taken": Bad(
        r"alone listens on port 800\d, got .*listens|address already in use",
        spoil=TAKE_PORT,
        mend="systemctl stop squatter",
    ),
    "is for another machine": Bad(r"program notes is for aarch64, wanted x86_64", artifact=artifacts.foreign),
    "has no program": Bad(r"holds no program notes; it holds: share/about\.txt", artifact=artifacts.empty),
    "is truncated": Bad(r"truncated\.tar\.gz cannot be unpacked: ", artifact=artifacts.truncated),
    "has another checksum": Bad(r"its sha256 is \w{64}, wanted a{64}", {"app_artifact_sha256": "a" * 64}),
    "holds an absolute path": evil(r"'/etc/evil'", ("/etc/evil", "file", "")),
    "holds a path that leads out": evil(r"'\.\./\.\./evil'", ("../../evil", "file", "")),
    "holds a link that leads out": evil(r"'passwords'.*'/etc/shadow'", ("passwords", "symlink", "/etc/shadow")),
    "holds a hard link that leads out": evil(r"'\.\./\.\./x' leads out", ("passwords", "hardlink", "../../x")),
    "holds a device": evil(r"'null'.*device", ("null", "device", "")),
    "writes through a link": evil(r"'\.\.' leads out", ("up", "symlink", ".."), ("up/evil", "file", "")),
    "fails to migrate": Bad(
        r"migration notes migrate nonsense of 1\.1\.0-\w+ failed, exit status \d",
        {"app_migrate_command": ["notes", "migrate", "nonsense"]},
    ),
    "migrates for ever": Bad(
        r"migration notes --config \S+ of 1\.1\.0-\w+ failed, it was stopped, for it took more than 2 s",
        {"app_migrate_command": ["notes", "--config", "/var/lib/notes/never"], "app_migrate_timeout": 2},
        spoil="mkfifo --mode=0644 /var/lib/notes/never",
        mend="rm /var/lib/notes/never",
    ),
    "fills the disk": Bad(r"/opt/notes/releases: \d+ MiB are free, wanted \d+ MiB", spoil=FILL_DISK, mend=FREE_DISK),
    "finds too little memory left": Bad(
        r"app1 has \d+ MiB of memory left, but a second instance may take \d+ MiB \(app_memory_max\)",
        {"app_memory_max": "1024G"},
    ),
    # The database takes 200, and a second pool for each host is more than that.
    "finds too few connections left": Bad(
        r"db1 has 1\d\d connections left, but this run may open 210 more",
        {"app_database_host": "db1", "app_database_connections": 70},
    ),
    "lacks a secret": Bad(
        r"app_secrets cannot be evaluated: .*'vault_nowhere' is undefined",
        {"app_secrets": {"DATABASE_URL": "{{ vault_nowhere }}"}},
    ),
    "has a wrong secret": Bad(
        NOT_READY, {"app_secrets": {"DATABASE_URL": "postgres://notes:wrong@{{ hostvars['db1'].ansible_host }}/notes"}}
    ),
    "cannot write its state": Bad(
        r"Failed to set up special execution directory in /var/lib", spoil=BLOCK_STATE, mend=FREE_STATE
    ),
}


def served_users(service: Service, since: float) -> dict[str, list[str]]:
    """The slots of each host whose instances have answered users since then."""
    return on_each(service.addresses, lambda host: service.on(host, SERVED.format(since=since)).split())


@pytest.fixture(autouse=True)
def good_release(notes: Service) -> None:
    """To begin with; one that was not refused in time must not spoil the next test as well."""
    notes.ensure("1.0.0")


@contextmanager
def spoilt(service: Service, bad: Bad) -> Iterator[None]:
    """The service's first host, which is the canary, while something is wrong with it."""
    host = min(service.addresses)
    if bad.spoil:
        service.on(host, bad.spoil)
    try:
        yield
    finally:
        if bad.mend:
            service.on(host, bad.mend)


@pytest.mark.parametrize("what", BAD)
def test_a_release_is_refused_that(
    what: str,
    notes: Service,
    load: Callable[..., Load],
    nobody_noticed: Callable[..., None],
    tmp_path: Path,
) -> None:
    bad = BAD[what]
    artifact = artifacts.settings_of(bad.artifact(tmp_path)) if bad.artifact else {}
    # A release of its own each time, or one that was staged before would not be staged again.
    environment = {"app_environment": {"TRIAL": what}}
    before = notes.states()
    old = {host: ["blue" if "to :8001" in state else "green"] for host, state in before.items()}
    since = time.time()
    users = load(notes, "--connections", "8", "--rate", "60")
    with spoilt(notes, bad):
        done = notes.roll(app_version="1.1.0", **environment | artifact | bad.settings)
    report = users.end()

    assert done.status > 0
    assert re.search(bad.cause, done.screen), done.output
    assert notes.states() == before
    nobody_noticed(report, at_least=60)
    assert served_users(notes, since) == old


def test_a_release_that_crashes_where_it_was_examined_long_ago_is_refused(notes: Service) -> None:
    before = notes.versions()
    play = notes.begin("site.yml", "--tags", "app", app_version="1.1.0", app_gate_min_healthy=3, app_gate_timeout=40)
    play.wait_for_output("batch 2 of 2:")
    host = min(notes.addresses)
    seen = notes.summary(host)
    (slot,) = (slot for slot in ("blue", "green") if seen[slot][0].startswith("1.1.0-") and seen[slot][1] == "active")
    notes.on(host, f"systemctl kill --signal=KILL notes@{slot}")
    done = play.end()
    assert done.status > 0
    assert re.search(rf"{host}: not healthy.*it was killed by signal 9/KILL", done.screen), done.output
    assert notes.versions() == before


def test_what_one_host_refuses_gets_no_users_on_the_others(
    notes: Service, load: Callable[..., Load], nobody_noticed: Callable[..., None]
) -> None:
    before, last = notes.states(), max(notes.addresses)
    users = load(notes, "--connections", "8", "--rate", "60")
    done = notes.roll(app_version="1.1.0", app_batches=["100%"], app_environment=never_ready_on(last))
    report = users.end()
    assert done.status > 0
    assert f"{last}: FAILED: not healthy" in done.screen, done.output
    assert notes.states() == before
    nobody_noticed(report, at_least=60)
    assert set(report["by_version"]) == {"1.0.0"}


# Why nobody goes back unasked, and what the playbook rollback wants to be told then.
FREEZING: dict[str, tuple[dict[str, Any], bool]] = {
    "app_on_failure": ({"app_on_failure": "freeze"}, False),
    "app_irreversible": ({"app_on_failure": "rollback", "app_irreversible": True}, True),
}


@pytest.mark.parametrize("why", FREEZING)
def test_a_fleet_is_left_as_it_is_until_somebody_goes_back(
    why: str, notes: Service, strict: Callable[..., Load], nobody_noticed: Callable[..., None]
) -> None:
    settings, wants_name = FREEZING[why]
    first, *_others, last = sorted(notes.addresses)
    before = {host: notes.summary(host) for host in notes.addresses}
    old = before[first]["current"]
    users = strict(notes, "--verify")
    done = notes.roll(app_version="1.1.0", app_environment=never_ready_on(last), app_gate_timeout=3, **settings)
    left = {host: notes.summary(host) for host in notes.addresses}

    assert done.status > 0
    assert f"{last}: not healthy" in done.screen, done.output
    assert "was not kept, and every host is left as it is" in done.screen
    assert re.search(rf"{first} serves 1\.1\.0-\w+ \(\w+\), {old} runs in \w+;", done.screen), done.output
    assert re.search(rf"{last} serves {old} \(\w+\), 1\.1\.0-\w+ runs in \w+;", done.screen), done.output
    assert notes.versions() == {host: "1.1.0" if host == first else "1.0.0" for host in notes.addresses}
    assert {(seen["current"], seen["processes"], seen["lease"]) for seen in left.values()} == {(old, 2, False)}

    if wants_name:
        refused = notes.play("playbooks/rollback.yml", **settings)
        assert refused.status > 0
        assert "notes has app_irreversible" in refused.screen, refused.output
        settings = settings | {"app_rollback_to": old}
    back = notes.play("playbooks/rollback.yml", **settings)
    report = users.end()
    assert back.status == 0, back.output
    assert set(notes.versions().values()) == {"1.0.0"}
    assert {host: notes.summary(host)["current"] for host in notes.addresses} == dict.fromkeys(notes.addresses, old)
    assert {(seen["processes"], seen["lease"]) for seen in map(notes.summary, notes.addresses)} == {(1, False)}
    nobody_noticed(report)
