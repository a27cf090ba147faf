"""A service of a fleet that runs, under trial: roll it out, put load on it, look at its hosts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import fleet
from load import Load

# What an operator reads first.
SCREEN_LINES = 40

# Names every task when it begins.
TASK_BY_TASK = {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}

# A host is looked at many times; those who look share a connection.
SHARED = ["-o", "ControlMaster=auto", "-o", "ControlPersist=60s", "-o", "ControlPath=/tmp/evenkeel-trial-%C"]

# Molecule asks for colours in all that runs below it.
ENVIRONMENT = {
    "ANSIBLE_CONFIG": str(fleet.CHECKOUT / "ansible.cfg"),
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_FORCE_COLOR": "0",
}

LEASE = "/var/lib/evenkeel/{name}/lease.json"

# Everything that a rollout may have changed, as text: releases and links with modes and digests, switch, units, lease.
STATE = """
cd /opt/{name} && find . -printf '%y %m %p %l\\n' | sort && find . -type f -exec sha256sum {{}} + | sort
nft list table inet evenkeel_{name}
systemctl list-units --plain --no-legend '{name}@*' | tr -s ' '
systemctl show --property=InvocationID {name}@blue {name}@green
find /var/lib/evenkeel/{name} -name lease.json
"""

# Every file of a host, so that no change of one is missed: nobody can set the time of its last change, %C. What runs
# goes on writing: databases, what is measured in them, and systemd's notes of its timers.
FILES = """
cd / && find etc opt usr/local var/lib -regex 'var/lib/\\(postgresql\\|prometheus\\|systemd\\)' -prune -o \\
  -printf '%y %m %U %G %s %T@ %C@ %p %l\\n' | sort
"""

SUMMARY = """
import json, os, subprocess, sys
def say(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()
def release(link):
    path = "/opt/{name}/" + link
    words = os.readlink(path).split("/") if os.path.islink(path) else []
    return next((word for word in words if "-" in word), "")
rules = say("nft", "list", "table", "inet", "evenkeel_{name}").split()
print(json.dumps({{
    "current": release("current"),
    "previous": release("previous"),
    "blue": [release("slots/blue"), say("systemctl", "is-active", "{name}@blue")],
    "green": [release("slots/green"), say("systemctl", "is-active", "{name}@green")],
    "ports": sorted({{after for word, after in zip(rules, rules[1:]) if word == "to"}}),
    "processes": len(say("pgrep", "--exact", "notes").split()),
    "lease": os.path.exists("/var/lib/evenkeel/{name}/lease.json"),
}}))
"""


T = TypeVar("T")


def never_ready_on(host: str) -> dict[str, str]:
    """An environment in which the service never becomes ready on one host."""
    return {"FAULT": f"{{{{ 'never_ready' if inventory_hostname == '{host}' else 'none' }}}}"}


def on_each(hosts: Iterable[str], look: Callable[[str], T]) -> dict[str, T]:
    """What is seen on each host, all of them at once."""
    with ThreadPoolExecutor() as looks:
        return dict(zip(hosts, looks.map(look, hosts), strict=True))


@dataclass(frozen=True)
class Run:
    """What came of a playbook; the status of one that was killed is negative."""

    status: int
    output: str
    seconds: float

    @property
    def tasks(self) -> dict[str, int]:
        """How many tasks were executed for each host, of a run that names every task."""
        return {host: int(ok) for host, ok in re.findall(r"(?m)^(\S+) +: ok=(\d+)", self.output)}

    @property
    def screen(self) -> str:
        """The first screen from the first error on."""
        lines = self.output.splitlines()
        first = next((number for number, line in enumerate(lines) if re.search(r"FAILED|UNREACHABLE|ERROR", line)), 0)
        return "\n".join(lines[first : first + SCREEN_LINES])


class Play:
    """A playbook at work, in a process group of its own."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.since = time.monotonic()
        self.process = subprocess.Popen(
            command,
            cwd=fleet.CHECKOUT,
            env=os.environ | ENVIRONMENT | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def wait_for_output(self, words: str) -> str:
        """Read on until these words appear; what was read so far."""
        assert self.process.stdout
        seen = ""
        for line in self.process.stdout:
            seen += line
            if words in line:
                return seen
        raise OSError(f"waited for {words!r}, but the playbook ended:\n{seen}")

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self, within: float = 300) -> Run:
        try:
            output, _nothing = self.process.communicate(timeout=within)
        except subprocess.TimeoutExpired as late:
            self.kill()
            said = late.stdout or b""
            raise OSError(f"a playbook did not end within {within:.0f} s:\n{said!r}") from late
        return Run(self.process.returncode, output, time.monotonic() - self.since)


@dataclass(frozen=True)
class Service:
    """A service as the balancer's `port` serves it; its hosts listen at `host_port`."""

    fleet: str
    name: str
    port: int
    host_port: int

    @property
    def inventory(self) -> Path:
        return fleet.CACHE / self.fleet / "inventory"

    @property
    def addresses(self) -> dict[str, str]:
        hosts = fleet.load(self.inventory, "hosts.yml")["children"]["app"]["children"][self.name]["hosts"]
        return {host: address for host, address in fleet.addresses_of(self.inventory).items() if host in hosts}

    # ---- change it

    def begin(self, playbook: str, *options: str, environment: dict[str, str] | None = None, **settings: Any) -> Play:
        words = ["ansible-playbook", playbook, "-i", str(self.inventory), "--limit", self.name, *options]
        return Play([*words, "--extra-vars", json.dumps(settings)], environment or {})

    def play(self, playbook: str, *options: str, **settings: Any) -> Run:
        return self.begin(playbook, *options, **settings).end()

    def roll(self, **settings: Any) -> Run:
        return self.play("site.yml", "--tags", "app", **settings)

    def ensure(self, version: str) -> None:
        """Have every host serve this version, if that is not so already."""
        if set(self.versions().values()) != {version}:
            done = self.roll(app_version=version)
            if done.status:
                raise OSError(f"{self.name} did not become {version}:\n{done.output}")

    def load(self, *options: str, balancer: str = "lb1") -> Load:
        address = fleet.addresses_of(self.inventory)[balancer]
        return Load(f"http://{address}:{self.port}", f"load-{self.name}-{balancer}", *options)

    # ---- look at it

    def on(self, host: str, command: str) -> str:
        """Run a shell command on a host as root."""
        options = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=30", *SHARED, *fleet.ssh_options(self.fleet)]
        return fleet.run("ssh", *options, f"admin@{self.addresses[host]}", "sudo", "sh", "-s", stdin=command)

    def lease(self, host: str) -> dict[str, Any]:
        held: dict[str, Any] = json.loads(self.on(host, f"cat {LEASE.format(name=self.name)}"))
        return held

    def write_lease(self, host: str, lease: dict[str, Any]) -> None:
        """At once, for a rollout may be at work."""
        file = LEASE.format(name=self.name)
        self.on(host, f"cat > {file}.new <<'END'\n{json.dumps(lease)}\nEND\nmv {file}.new {file}")

    def time(self, host: str) -> float:
        return float(self.on(host, "date +%s.%N"))

    def states(self) -> dict[str, str]:
        state = STATE.format(name=self.name)
        return on_each(self.addresses, lambda host: self.on(host, state))

    def files(self) -> dict[str, list[str]]:
        """The files of all hosts of the fleet."""

        def on(host: str) -> list[str]:
            return fleet.run("docker", "exec", fleet.container(self.fleet, host), "sh", "-c", FILES).splitlines()

        return on_each(fleet.addresses_of(self.inventory), on)

    def summary(self, host: str) -> dict[str, Any]:
        script = SUMMARY.format(name=self.name)
        found: dict[str, Any] = json.loads(self.on(host, f"python3 - <<'END'\n{script}\nEND"))
        return found

    def versions(self) -> dict[str, str]:
        """The version that answers on each host, past the balancer."""
        found = {}
        for host, address in self.addresses.items():
            with urllib.request.urlopen(f"http://{address}:{self.host_port}/version", timeout=5) as answer:
                found[host] = json.load(answer)["version"]
        return found
