# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The unit of a service as the role writes it, judged by the systemd of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.evenkeel.fleet.plugins.module_utils import _systemd

CHECKOUT = Path(__file__).resolve().parents[4]
ROLE = CHECKOUT / "roles/app"

# What an operator trusts in; a change that exposes more has to say so here.
MOST_EXPOSED = 1.1

EVERYTHING = {
    "app_command": ["notes", "--listen", ":@@PORT@@", "--motd", "100% $HOME"],
    "app_credentials": {"TOKEN": "hunter2", "KEY": "hunter2"},
    "app_secrets": {"DATABASE_URL": "hunter2"},
    "app_environment": {"A": "hunter2"},
    "app_notify": True,
    "app_watchdog": "30s",
    "app_memory_max": "512M",
    "app_cpu_quota": "50%",
}


VARIANTS: dict[str, dict[str, t.Any]] = {
    "defaults": {},
    "everything": EVERYTHING,
    "watchdog alone": {"app_watchdog": "30s"},
    "notify alone": {"app_notify": True},
    "loose": {
        "app_unit": {"MemoryDenyWriteExecute": False, "ProcSubset": None, "CapabilityBoundingSet": "CAP_CHOWN"},
    },
}


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The unit of each variant, as Ansible itself makes it of the role's variables."""
    folder = tmp_path_factory.mktemp("units")
    paths = {name: folder / name.replace(" ", "-") / "notes@.service" for name in VARIANTS}
    tasks = []
    for name, settings in VARIANTS.items():
        paths[name].parent.mkdir()
        copy = {"content": "{{ __app_unit | evenkeel.fleet.to_unit }}", "dest": str(paths[name]), "mode": "0644"}
        own = {"app_name": "notes", "app_port": 8000, **settings}
        tasks.append({"name": name, "ansible.builtin.copy": copy, "vars": own})
    variables = [str(ROLE / part / "main.yml") for part in ("defaults", "vars")]
    play = {"hosts": "localhost", "gather_facts": False, "vars_files": variables, "tasks": tasks}
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-c", "local", str(folder / "play.yml")],
        env={**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_HOME": str(folder / "home")},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return paths


@pytest.mark.parametrize("name", ["defaults", "everything"])
def test_systemd_takes_it_and_finds_it_hardly_exposed(units: dict[str, Path], name: str) -> None:
    assert _systemd.unit_complaints(str(units[name])) == []
    assert (_systemd.unit_exposure(str(units[name])) or 10) <= MOST_EXPOSED


def test_no_value_of_a_setting_that_may_be_secret_is_in_it(units: dict[str, Path]) -> None:
    text = units["everything"].read_text()
    assert "hunter2" not in text
    assert "LoadCredential=TOKEN:/opt/notes/slots/%i/credentials/TOKEN\n" in text
    assert "Environment=TOKEN_FILE=%d/TOKEN\n" in text
    assert '--listen :${PORT} --motd "100%% $$HOME"\n' in text


def test_type_and_watchdog(units: dict[str, Path]) -> None:
    assert "\nType=exec\n" in units["watchdog alone"].read_text()
    assert "Watchdog" not in units["watchdog alone"].read_text() + units["notify alone"].read_text()
    assert "\nType=notify\nNotifyAccess=main\nWatchdogSec=30s\n" in units["everything"].read_text()


def test_each_directive_can_be_overridden(units: dict[str, Path]) -> None:
    assert "MemoryDenyWriteExecute=true\n" in units["defaults"].read_text()
    loose = units["loose"].read_text()
    assert "MemoryDenyWriteExecute=false\n" in loose
    assert "ProcSubset" not in loose
    assert (_systemd.unit_exposure(str(units["loose"])) or 0) > MOST_EXPOSED


def test_a_crash_loop_ends(units: dict[str, Path]) -> None:
    section = units["defaults"].read_text().split("[Service]", maxsplit=1)[0]
    assert "StartLimitIntervalSec=300\n" in section
    assert "StartLimitBurst=5\n" in section
