# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. The firewall on this host: in force on trial, kept once confirmed, or removed."""

from __future__ import annotations

import json
import os

from ansible_collections.evenkeel.fleet.plugins.module_utils import _files, _firewall, _nft, _ssh, _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils._nft_unit import DROP_IN, DROP_IN_FILE

RULES_PATH = "/etc/evenkeel/firewall.nft"
UNIT_NAME = "evenkeel-firewall.service"
UNIT_PATH = f"/etc/systemd/system/{UNIT_NAME}"
WANTED_PATH = f"/etc/systemd/system/sysinit.target.wants/{UNIT_NAME}"
# What the kernel made of the rules: whatever differs from it was changed by somebody else.
LISTING_PATH = "/var/lib/evenkeel-firewall/listing"
TRIAL_RULES_PATH = "/var/lib/evenkeel-firewall/trial.nft"
TRIAL_PATH = "/run/evenkeel-firewall-trial.json"
ROLLBACK = "evenkeel-firewall-rollback"


def in_force(rules: str) -> bool:
    listing = _nft.list_text(_firewall.TABLE)
    return (
        _files.read_text(RULES_PATH) == rules
        and listing != ""
        and listing == _files.read_text(LISTING_PATH)
        and _files.read_text(UNIT_PATH) == _firewall.UNIT
        and _files.read_text(DROP_IN_FILE) == DROP_IN
        and os.path.islink(WANTED_PATH)
    )


def begin(rules: str, seconds: int) -> None:
    """Put rules in force, with a timer that puts back those that were confirmed last."""
    _files.write_file(TRIAL_RULES_PATH, rules.encode(), 0o644)
    _nft.check(TRIAL_RULES_PATH)
    _stop_timer()
    kept = os.path.exists(RULES_PATH)
    _systemd.run_later(ROLLBACK, seconds, [_nft.NFT, *(["--file", RULES_PATH] if kept else [_firewall.NO_FIREWALL])])
    _nft.load(TRIAL_RULES_PATH)
    client = _ssh.connection()
    trial = {
        "listing": _nft.list_text(_firewall.TABLE),
        "seconds": seconds,
        "client": [client.client, client.client_port] if client else None,
    }
    _files.write_file(TRIAL_PATH, json.dumps(trial).encode(), 0o600)


def confirm() -> bool:
    """Keep the rules that are on trial; false if none are."""
    said = _files.read_text(TRIAL_PATH)
    if said is None:
        return False
    trial = json.loads(said)
    client = _ssh.connection()
    if client and [client.client, client.client_port] == trial["client"]:
        raise ValueError(
            "this is the connection through which the rules were put in force, so it proves nothing; "
            "reset it first. The old rules come back by themselves"
        )
    _stop_timer()
    if _nft.list_text(_firewall.TABLE) != trial["listing"]:
        raise ValueError(
            f"no new ssh connection came through within {trial['seconds']} s, and the old rules are in force again; "
            f"the new ones are in {TRIAL_RULES_PATH}"
        )
    _keep(trial["listing"])
    os.unlink(TRIAL_PATH)
    return True


def _keep(listing: str) -> None:
    rules = _files.read_text(TRIAL_RULES_PATH) or ""
    _files.write_file(RULES_PATH, rules.encode(), 0o644)
    _files.write_file(LISTING_PATH, listing.encode(), 0o644)
    _systemd.keep_units({UNIT_PATH: _firewall.UNIT, DROP_IN_FILE: DROP_IN})
    if not os.path.islink(WANTED_PATH):
        _files.replace_link(WANTED_PATH, UNIT_PATH)
    # It loads the same file once more, as it will at boot.
    _systemd.start(UNIT_NAME)


def _stop_timer() -> None:
    if _systemd.is_running(_systemd.show(f"{ROLLBACK}.timer")[0]):
        _systemd.stop(f"{ROLLBACK}.timer")


def remove_firewall() -> None:
    _stop_timer()
    _files.write_file(TRIAL_RULES_PATH, _firewall.NO_FIREWALL.encode(), 0o644)
    _nft.load(TRIAL_RULES_PATH)
    _files.remove_link(WANTED_PATH)
    if os.path.exists(UNIT_PATH):
        _systemd.stop(UNIT_NAME)
    # nftables.service keeps its drop-in, for the switches.
    for path in (UNIT_PATH, RULES_PATH, LISTING_PATH, TRIAL_RULES_PATH, TRIAL_PATH):
        if os.path.exists(path):
            os.unlink(path)
    _systemd.daemon_reload()
