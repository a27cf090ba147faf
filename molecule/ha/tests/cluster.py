"""The hosts of the fleet, of which one loses its power now and then."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fleet
from trial import Play

TESTS = Path(__file__).parent


class Writer:
    """Writes from one of the hosts without a pause until it is ended, and says what was acknowledged."""

    def __init__(self, container: str, script: str, *words: str) -> None:
        command = ["docker", "exec", "-i", container, "python3", "-c", (TESTS / script).read_text(), *words]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait_for_writes(self, number: int) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            if int(json.loads(line)["acknowledged"]) >= number:
                return
        raise OSError("the writer ended before its time")

    def end(self) -> dict[str, Any]:
        output, _nothing = self.process.communicate("end\n", timeout=120)
        found: dict[str, Any] = json.loads(output.splitlines()[-1])
        return found


@dataclass(frozen=True)
class Hosts:
    name: str

    @property
    def inventory(self) -> Path:
        return fleet.CACHE / self.name / "inventory"

    @property
    def addresses(self) -> dict[str, str]:
        return fleet.addresses_of(self.inventory)

    def run(self, host: str, *command: str) -> str:
        return fleet.run("docker", "exec", fleet.container(self.name, host), *command)

    def write(self, host: str, script: str, *words: str) -> Writer:
        return Writer(fleet.container(self.name, host), script, *words)

    def kill(self, host: str) -> None:
        """As if its power had gone: nothing on it says good-bye."""
        fleet.run("docker", "kill", "--signal", "KILL", fleet.container(self.name, host))

    def cut_off(self, host: str) -> None:
        """As if its cable had been pulled: it goes on, and neither hears the others nor is heard."""
        self._paths(host, "add")

    def join(self, host: str) -> None:
        self._paths(host, "del")

    def _paths(self, host: str, verb: str) -> None:
        for other, address in self.addresses.items():
            for end in ("from", "to") if other != host else ():
                self.run(host, "ip", "rule", verb, end, address, "blackhole")

    def boot(self) -> None:
        fleet.up(self.name, str(TESTS.parent / "fleet"), str(self.inventory))

    def other_than(self, lost: str, seen: str) -> str:
        """The host seen, if that is one of those that are left."""
        return seen if seen in self.addresses and seen != lost else ""

    def play(self, playbook: str, *options: str) -> str:
        done = Play(["ansible-playbook", playbook, "-i", str(self.inventory), *options], {}).end(within=500)
        assert done.status == 0, done.output
        return done.output

    def site(self, **settings: Any) -> str:
        """What a run of site.yml says at its end."""
        said = self.play("site.yml", "-e", json.dumps(settings))
        return "\n".join(line for line in said.splitlines() if re.search(r"changed", line))


def eventually(holds: Callable[[], Any], within: float = 120) -> Any:
    """What it answers as soon as that is true."""
    deadline = time.monotonic() + within
    while True:
        found = holds()
        if found or time.monotonic() > deadline:
            assert found, f"waited {within:.0f} s in vain"
            return found
        time.sleep(0.5)
