# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every inventory of the checkout has settings that its roles accept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
# The inventory local is written by the demo, and as good as its fleet.
INVENTORIES = sorted(
    path.parent.relative_to(CHECKOUT)
    for path in CHECKOUT.glob("inventories/**/hosts.yml")
    if path.parent.name != "local"
)
# inventories/README.md tells it to everybody.
VAULT_PASSWORD = "change-me"


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, subprocess.Popen[str]]:
    """The play that checks settings, on all inventories at the same time, for it mostly waits."""
    home = tmp_path_factory.mktemp("home")
    (home / "password").write_text(VAULT_PASSWORD)
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_HOME": str(home),
        "ANSIBLE_VAULT_PASSWORD_FILE": str(home / "password"),
    }
    command = [sys.executable, "-m", "ansible", "playbook", "site.yml", "--connection", "local", "--tags", "always"]
    return {
        inventory: subprocess.Popen(
            [*command, "-i", str(inventory)],
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for inventory in INVENTORIES
    }


@pytest.mark.parametrize("inventory", INVENTORIES, ids=str)
def test_roles_accept_its_settings(inventory: Path, checks: dict[Path, subprocess.Popen[str]]) -> None:
    output, _nothing = checks[inventory].communicate(timeout=300)
    assert checks[inventory].returncode == 0, output
    assert " changed=0 " in output
