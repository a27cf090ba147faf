"""Lines are counted where they are written and where they arrive: bursts, rotations and outages lose none."""

from __future__ import annotations

import json
import shlex
import socket
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path

import fleet
import pytest
from load import Load
from trial import Service

HOSTS = ("lb1", "log1")
RECEIVER = "log1"
RECEIVED = "/var/log/fleet/logs"
PATIENCE = 240

BURST = 60_000
OUTAGE_SECONDS = 30
LINES, ROTATIONS = 1_500_000, 5

WRITE = "import sys\nfor n in range({lines}): print('{mark}', n)\n"
SLOWLY = "import time\nfor n in range({lines}):\n    print('{mark}', n, flush=True)\n    time.sleep(0.01)\n"

KILL_SENDER = "systemctl kill --signal=KILL evenkeel-logs"

# Writes to a file, and opens it anew on SIGHUP as services do.
WRITE_FILE = """
import signal, time
def reopen(*_):
    global hup
    hup = True
signal.signal(signal.SIGHUP, reopen)
hup, log = False, open("{path}", "a")
for n in range({lines}):
    if hup:
        hup, old = False, log
        old.close()
        log = open("{path}", "a")
    log.write("{mark} %d\\n" % n)
    if n % 5000 == 0:
        time.sleep(0.05)
log.close()
"""


def on(notes: Service, host: str, command: str, check: bool = True) -> str:
    return fleet.run("docker", "exec", fleet.container(notes.fleet, host), "bash", "-c", command, check=check)


def begin(notes: Service, host: str, mark: str, script: str) -> None:
    """Have a service of its own run a script."""
    on(notes, host, f"systemd-run --quiet --unit {mark} python3 -c {shlex.quote(script)}")


def is_over(notes: Service, host: str, mark: str) -> bool:
    return on(notes, host, f"systemctl is-active {mark}", check=False) not in ("active", "activating")


def wait_for(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"waited {PATIENCE} s for {what}"
        time.sleep(0.2)


def kept(notes: Service, host: str, mark: str) -> int:
    """How many lines that carry the mark are in the host's own journal."""
    return int(on(notes, host, f"journalctl --unit {mark} --output cat | sed -n '/^{mark} /p' | wc -l"))


def arrived(notes: Service, host: str, mark: str) -> int:
    """How many different lines of this host the receiver has that carry the mark; one may be sent twice."""
    return int(on(notes, RECEIVER, f"cat {RECEIVED}/{host}/*.log | grep -oE '{mark} [0-9]+' | sort -u | wc -l"))


def newest(host: str) -> str:
    return f"burst-{host}-{uuid.uuid4().hex[:8]}"


def say_one_line(notes: Service, host: str) -> None:
    """A line that has arrived shows that the sender has found the receiver."""
    mark = newest(host)
    on(notes, host, f"logger {mark} 1")
    wait_for(f"a line of {host}", lambda: arrived(notes, host, mark) == 1)


@pytest.fixture(scope="module", autouse=True)
def first_lines(notes: Service) -> None:
    for host in HOSTS:
        say_one_line(notes, host)


@pytest.mark.parametrize("host", HOSTS)
def test_a_burst_is_kept_and_arrives(host: str, notes: Service) -> None:
    mark = newest(host)
    begin(notes, host, mark, WRITE.format(lines=BURST, mark=mark))
    # Whatever is said while journald restarts, too; whom it has never heard yet it may forget, with all that follows.
    wait_for("the first line", lambda: kept(notes, host, mark) > 0)
    on(notes, host, "systemctl restart systemd-journald")
    wait_for("the burst to end", lambda: is_over(notes, host, mark))
    on(notes, host, "journalctl --sync")
    assert kept(notes, host, mark) == BURST
    wait_for("the burst at the receiver", lambda: arrived(notes, host, mark) == BURST)


def test_an_outage_of_the_receiver_loses_nothing_and_heals_by_itself(notes: Service) -> None:
    marks = {host: newest(host) for host in HOSTS}
    for host, mark in marks.items():
        begin(notes, host, mark, SLOWLY.format(lines=3000, mark=mark))
    for host, mark in marks.items():
        wait_for(f"lines of {host} on their way", lambda host=host, mark=mark: arrived(notes, host, mark) > 0)
    began = time.monotonic()
    # Killed, it has no time to write what it has acknowledged.
    on(notes, RECEIVER, "systemctl kill --signal=KILL evenkeel-log-receiver && systemctl stop evenkeel-log-receiver")
    time.sleep(max(0.0, began + OUTAGE_SECONDS - time.monotonic()))
    assert all(arrived(notes, host, mark) < 3000 for host, mark in marks.items())
    on(notes, RECEIVER, "systemctl start evenkeel-log-receiver")
    for host, mark in marks.items():
        wait_for(f"the lines of {host}", lambda host=host, mark=mark: arrived(notes, host, mark) == 3000)


@pytest.mark.parametrize("host", HOSTS)
def test_a_sender_that_is_killed_while_it_sends_loses_nothing(host: str, notes: Service) -> None:
    mark = newest(host)
    begin(notes, host, mark, SLOWLY.format(lines=1500, mark=mark))
    wait_for("lines on their way", lambda: arrived(notes, host, mark) > 0)
    on(notes, host, KILL_SENDER)
    wait_for("all lines", lambda: arrived(notes, host, mark) == 1500)


@pytest.mark.parametrize("host", HOSTS)
def test_a_sender_that_is_killed_while_lines_wait_loses_nothing(host: str, notes: Service) -> None:
    # After the test before, it may still wait to try again; then it would not say that it lost the receiver.
    say_one_line(notes, host)
    began = int(time.time())
    on(notes, RECEIVER, "systemctl stop evenkeel-log-receiver")
    # What it has sent and nobody acknowledged, it has in its memory alone. From then on it sends nothing.
    noticed = f"journalctl -q --unit evenkeel-logs --since @{began} --grep \"action 'receiver' suspended\""
    wait_for("the sender to notice", lambda: bool(on(notes, host, f"logger are you there; {noticed}", check=False)))
    mark = newest(host)
    begin(notes, host, mark, SLOWLY.format(lines=1000, mark=mark))
    wait_for("lines that wait", lambda: kept(notes, host, mark) >= 500)
    on(notes, host, KILL_SENDER)
    wait_for("the other lines", lambda: is_over(notes, host, mark))
    assert arrived(notes, host, mark) == 0
    on(notes, RECEIVER, "systemctl start evenkeel-log-receiver")
    wait_for("all lines", lambda: arrived(notes, host, mark) == 1000)


def test_what_is_silent_goes_in_its_time(notes: Service) -> None:
    """Logrotate does so with what is written to; here are a host, a program and a class that are gone."""
    old = [f"{RECEIVED}/gone/x.log", f"{RECEIVED}/lb1/gone.log-20200101.gz", "/var/log/fleet/gone/lb1/x.log"]
    young = [f"{RECEIVED}/gone/y.log", "/var/log/fleet/audit/gone/x.log"]
    for path in [*old, *young]:
        age = "10 days ago" if path in young[:1] else "40 days ago"
        on(notes, RECEIVER, f"mkdir -p {Path(path).parent} && touch -d '{age}' {path}")
    on(notes, RECEIVER, "systemctl start systemd-tmpfiles-clean.service")
    listed = on(notes, RECEIVER, f"ls {' '.join([*old, *young])} 2>/dev/null || true").splitlines()
    assert sorted(listed) == sorted(young)


@pytest.mark.parametrize("host", HOSTS)
def test_the_only_line_of_a_host_arrives_after_an_outage(host: str, notes: Service) -> None:
    """No other line follows that would tell the sender of its broken connection."""
    on(notes, RECEIVER, "systemctl restart evenkeel-log-receiver")
    say_one_line(notes, host)


def test_one_request_is_found_in_the_answer_and_in_both_logs(notes: Service) -> None:
    wanted = f"trial-{uuid.uuid4().hex}"
    url = f"http://{fleet.addresses_of(notes.inventory)['lb1']}/version"
    request = urllib.request.Request(url, headers={"X-Request-ID": wanted})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["X-Request-ID"] == wanted
    for path in ("lb1/nginx.log", "log1/notes.log"):
        command = f"grep -h {wanted} {RECEIVED}/{path}"
        wait_for(f"the request in {path}", lambda command=command: bool(on(notes, RECEIVER, command, check=False)))
        line = on(notes, RECEIVER, command).splitlines()[0]
        assert wanted in json.dumps(json.loads(line[line.index("{") :]))


def test_lines_of_a_class_have_a_place_of_their_own(notes: Service) -> None:
    on(notes, "lb1", "logger --tag sudo evenkeel-audit")
    command = "grep -l evenkeel-audit /var/log/fleet/audit/lb1/sudo.log"
    wait_for("the line", lambda: bool(on(notes, RECEIVER, command, check=False)))


def test_nobody_without_a_certificate_is_let_in(notes: Service) -> None:
    address = fleet.addresses_of(notes.inventory)[RECEIVER]
    dial = f"openssl s_client -connect {address}:6514 -tls1_2 </dev/null 2>&1 {{}} || true"
    pair = "-cert /etc/evenkeel/logs/sender.pem -key /etc/evenkeel/logs/sender.pem"
    hung_up = "unexpected eof"
    assert hung_up not in on(notes, "lb1", dial.format(pair))
    # It calls itself what the host is called, but nobody has signed it.
    on(notes, "lb1", "cd /tmp && openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=lb1 -keyout own.key -out own.pem")
    for own in ("", "-cert /tmp/own.pem -key /tmp/own.key"):
        assert hung_up in on(notes, "lb1", dial.format(own))


def test_only_hosts_of_the_fleet_reach_the_receiver(notes: Service) -> None:
    """A machine that may log in by ssh hears nothing; that senders get through is what the other tests are about."""
    address = fleet.addresses_of(notes.inventory)[RECEIVER]
    socket.create_connection((address, 22), timeout=10).close()
    with pytest.raises(TimeoutError):
        socket.create_connection((address, 6514), timeout=3)


@pytest.mark.parametrize("unit", ["evenkeel-logs", "evenkeel-log-receiver"])
def test_units_are_confined(unit: str, notes: Service) -> None:
    said = on(notes, RECEIVER, f"systemd-analyze security --no-pager {unit} | grep -oP 'level for .*: \\K[0-9.]+'")
    assert float(said) <= 2


@pytest.mark.parametrize("host", HOSTS)
def test_rotations_of_a_file_lose_no_line(host: str, notes: Service) -> None:
    mark, log = "lines", "/var/log/notes/lines.log"
    folder = Path(log).parent
    on(notes, host, f"mkdir -p {folder} && rm -f {log}* && touch {log} && chown --reference {folder} {log}")
    rotate = "logrotate --force /etc/logrotate.d/evenkeel"
    # The role signals units of the service; this one is called like an instance of it.
    unit = "notes@lines"
    begin(notes, host, unit, WRITE_FILE.format(path=log, lines=LINES, mark=mark))
    for number in range(1, ROTATIONS + 1):
        share = LINES * number // (ROTATIONS + 2)
        wait_for(f"{share} lines", lambda share=share: count(notes, host, log) >= share)
        on(notes, host, rotate)
    wait_for("all lines", lambda: is_over(notes, host, unit))
    assert count(notes, host, log) == LINES
    assert int(on(notes, host, f"ls {log}* | wc -l")) == ROTATIONS + 1


def count(notes: Service, host: str, log: str) -> int:
    return int(on(notes, host, f"zcat -f {log}* | wc -l"))


def test_rotations_of_nginx_lose_no_request(notes: Service, load: Callable[..., Load]) -> None:
    """Every request that was answered has its line, in one of the files and at the receiver."""
    path = f"/version?{uuid.uuid4().hex}"
    users = load(notes, "--connections", "16", "--rate", "200", "--post-share", "0", "--paths", path)
    for number in range(1, 4):
        wait_for("more requests", lambda number=number: logged(notes, path) >= 500 * number)
        on(notes, "lb1", "logrotate --force /etc/logrotate.d/nginx")
    report = users.end()
    assert (report["failed"], report["requests"] > 1500) == (0, True)
    wait_for("the last line", lambda: logged(notes, path) >= report["requests"])
    assert logged(notes, path) == report["requests"]
    ids = 'grep -o \'"request_id":"[^"]*\' | sort -u | wc -l'
    at_receiver = f"grep -hF '{path}' {RECEIVED}/lb1/nginx.log | {ids}"
    wait_for("all at the receiver", lambda: int(on(notes, RECEIVER, at_receiver)) >= report["requests"])


def logged(notes: Service, path: str) -> int:
    return int(on(notes, "lb1", f"zcat -f /var/log/nginx/access.log* | grep -cF '{path}'", check=False) or 0)
