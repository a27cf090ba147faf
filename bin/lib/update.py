"""Run site.yml on the fleet, or its services alone under load if it is an update, and say what came of it.

update.py converge FLEET INVENTORY          run site.yml with the version that runs, or the first one
update.py update FLEET INVENTORY            roll out the other version, under load
update.py refuse FLEET INVENTORY VERSION    the same with a version that must be refused
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fleet
from load import Load

FIRST, SECOND = "1.0.0", "1.1.0"
CONNECTIONS, RATE, ENOUGH = 32, 300, 5000


def site(inventory: Path, log: str, *options: str) -> tuple[int, float]:
    """Run site.yml before everybody's eyes; its exit status and how long it took."""
    command = ["ansible-playbook", "site.yml", "-i", str(inventory), *options]
    print(f"$ {' '.join(command)}", flush=True)
    environment = os.environ | ({"ANSIBLE_FORCE_COLOR": "1"} if sys.stdout.isatty() else {})
    start = time.monotonic()
    with (fleet.LOGS / log).open("w") as file:
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
        assert run.stdout
        for line in run.stdout:
            file.write(line)
            print(f"    {line}", end="", flush=True)
    return run.wait(), time.monotonic() - start


def versions(name: str, inventory: Path) -> dict[str, str]:
    """The version that runs on each host of `notes`, as the balancer sees it."""
    address = fleet.addresses_of(inventory)
    found = {}
    for host in fleet.load(inventory, "hosts.yml")["children"]["app"]["children"]["notes"]["hosts"]:
        url = f"http://{address[host]}:8000/version"
        ask = f"import json, urllib.request; print(json.load(urllib.request.urlopen('{url}', timeout=5))['version'])"
        found[host] = fleet.ssh(name, address["lb1"], f'python3 -c "{ask}"') or "none"
    return found


def remember(inventory: Path, version: str) -> None:
    """From now on, a plain run of site.yml is about this version."""
    settings = inventory / "group_vars/notes.yml"
    settings.write_text(re.sub(r"(?m)^app_version: .*$", f'app_version: "{version}"', settings.read_text()))


def current(name: str, inventory: Path) -> str:
    running = set(versions(name, inventory).values())
    return SECOND if running == {SECOND} else FIRST


def converge(name: str, inventory: Path) -> int:
    remember(inventory, current(name, inventory))
    status, seconds = site(inventory, "converge.log")
    if status:
        raise OSError("site.yml failed on the fleet; all of its output is in .cache/logs/converge.log.")
    print(f"Converge the fleet {seconds:.0f} s", flush=True)
    return 0


def cause(log: str) -> str:
    """Why the release was not kept, as the failed run says it; empty if it failed for another reason."""
    found = re.findall(r"FAILED: (.* was not kept[^\x1b\n]*)", (fleet.LOGS / log).read_text())
    return found[-1] if found else ""


def rollout_seconds(name: str, inventory: Path) -> float:
    """How long the last rollout took, from taking the lease to releasing it, by the journal of its first host."""
    address = fleet.addresses_of(inventory)["app1"]
    last = fleet.ssh(name, address, "sudo tail -n 1 /var/lib/evenkeel/notes/journal.jsonl")
    return float(json.loads(last)["seconds"])


@dataclass
class Outcome:
    """What an update under load came to."""

    version: str
    refused: bool
    status: int
    seconds: float
    rollout: float
    cause: str
    before: dict[str, str]
    after: dict[str, str]
    report: dict[str, Any]

    def lines(self) -> list[str]:
        report, latency = self.report, self.report["latency_ms"]
        how = f"refused    {self.version}" if self.refused else f"updated    to {self.version}"
        return [
            f"running    {', '.join(f'{host} {version}' for host, version in self.after.items())}",
            f"{how} in {self.seconds:.1f} s, {self.rollout:.1f} s of them with the lease"
            f"{f': {self.cause}' if self.cause else ''}",
            f"requests   {report['requests']} sent, {report['failed']} failed, {report['lost']} written and lost",
            f"latency    p50 {latency['p50']:.1f} ms, p99 {latency['p99']:.1f} ms, max {latency['max']:.1f} ms",
        ]

    def problems(self) -> list[str]:
        wanted = self.before if self.refused else dict.fromkeys(self.before, self.version)
        report = self.report
        checks = {
            f"wanted site.yml to {'fail' if self.refused else 'succeed'}, its exit status was {self.status}": (
                (self.status != 0) == self.refused
            ),
            f"wanted the rollout to refuse {self.version}, it failed for another reason": (
                not self.refused or self.cause != ""
            ),
            f"wanted {wanted}, found {self.after}": self.after == wanted,
            f"wanted no request to fail, the first failures were {report['first_failures']}": report["failed"] == 0,
            f"wanted what was written to stay, {report['lost']} of {report['verified']} are lost": report["lost"] == 0,
            f"wanted at least {ENOUGH} requests, or their failures mean nothing": report["requests"] >= ENOUGH,
        }
        return [problem for problem, holds in checks.items() if not holds]


def under_load(name: str, inventory: Path, version: str, refused: bool) -> int:
    log = f"update-{version}.log"
    before = versions(name, inventory)
    url = f"http://{fleet.addresses_of(inventory)['lb1']}"
    load = Load(url, "load", "--connections", str(CONNECTIONS), "--rate", str(RATE), "--verify")
    try:
        status, seconds = site(inventory, log, "--tags", "app", "-e", f"app_version={version}")
    finally:
        report = load.end(at_least=ENOUGH / RATE + 1)
    after = versions(name, inventory)
    outcome = Outcome(
        version, refused, status, seconds, rollout_seconds(name, inventory), cause(log), before, after, report
    )
    problems = outcome.problems()
    if not problems and not refused:
        remember(inventory, version)

    print("", f"open       http://127.0.0.1:{fleet.published_port(name)}", *outcome.lines(), sep="\n")
    for problem in problems:
        print(f"demo: {problem}.", file=sys.stderr)
    return 1 if problems else 0


def main(command: str, name: str, path: str, version: str = "") -> int:
    inventory = Path(path)
    if command == "converge":
        return converge(name, inventory)
    if command == "update":
        return under_load(name, inventory, FIRST if current(name, inventory) == SECOND else SECOND, refused=False)
    return under_load(name, inventory, version, refused=True)


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except OSError as problem:
        sys.exit(f"demo: {problem}")
