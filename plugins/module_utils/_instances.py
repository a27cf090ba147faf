# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What is true of a service on this host: slots, switch, releases."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils import _files, _installed, _nft, _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import (
    SLOTS,
    SWITCH_UNIT_FILE,
    Layout,
    release_of,
)
from ansible_collections.evenkeel.fleet.plugins.module_utils._nft_unit import DROP_IN, DROP_IN_FILE
from ansible_collections.evenkeel.fleet.plugins.module_utils._switch import ABSENT, UNIT, Ports, position_of, ruleset


def observe_slots(layout: Layout) -> dict[str, dict[str, t.Any]]:
    """For each slot: the release in it, whether it runs, since when, how often it restarted, whether it is enabled."""
    shown = _systemd.show(*(layout.unit(slot) for slot in SLOTS))
    return {
        slot: {
            "release": release_of(_files.read_link(layout.slot(slot))),
            "running": _systemd.is_running(properties),
            "state": properties.get("ActiveState", "unknown"),
            "since": properties.get("ActiveEnterTimestamp", ""),
            "restarts": int(properties.get("NRestarts") or 0),
            "enabled": bool(_files.read_link(layout.enabled_link(slot))),
            "memory": int(memory) if (memory := properties.get("MemoryCurrent", "")).isdecimal() else 0,
        }
        for slot, properties in zip(SLOTS, shown, strict=True)
    }


def observe(layout: Layout, ports: t.Sequence[Ports]) -> dict[str, t.Any]:
    """Everything that a rollout has to know of the service on this host."""
    position = observe_switch(layout, ports)
    return {
        "releases": _installed.releases(layout),
        "current": release_of(_files.read_link(layout.current)),
        "previous": release_of(_files.read_link(layout.previous)),
        "slots": observe_slots(layout),
        "switch": position,
        "memory": memory_of(_files.read_text("/proc/meminfo") or ""),
        "lasts": position != ABSENT and switch_lasts(layout, ports, position),
        "retired": os.path.exists(layout.retired),
    }


def observe_switch(layout: Layout, ports: t.Sequence[Ports]) -> str:
    """The position of the switch in the kernel; V(absent) as well where nftables is not installed yet."""
    try:
        return position_of(_nft.list_table(layout.switch_table), ports)
    except FileNotFoundError:
        return ABSENT


def switch_lasts(layout: Layout, ports: t.Sequence[Ports], position: str) -> bool:
    """Whether this position of the switch survives a reboot, and whatever becomes of nftables.service."""
    return (
        _files.read_text(layout.switch_file) == ruleset(layout.switch_table, ports, position)
        and _files.read_text(SWITCH_UNIT_FILE) == UNIT
        and _files.read_text(DROP_IN_FILE) == DROP_IN
        and _files.read_link(layout.switch_enabled_link) == SWITCH_UNIT_FILE
        and _systemd.is_running(_systemd.show(layout.switch_unit)[0])
    )


def memory_of(meminfo: str) -> dict[str, int]:
    """How many bytes of memory the host has, and how many a new program can get, from the text of /proc/meminfo."""
    kilobytes = dict(re.findall(r"^(MemTotal|MemAvailable): +(\d+) kB$", meminfo, re.MULTILINE))
    return {
        "total": int(kilobytes.get("MemTotal", 0)) << 10,
        "available": int(kilobytes.get("MemAvailable", 0)) << 10,
    }
