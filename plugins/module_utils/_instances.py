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

PortList = t.Sequence[Ports]


def observe_slots(layout: Layout) -> dict[str, dict[str, t.Any]]:
    """For each slot: the release in it, whether it runs, since when, how often it restarted, whether it is enabled."""
    shown = _systemd.show(*(layout.unit(slot) for slot in SLOTS))
    return {
        slot: {
            "release": release_in(layout, slot),
            "running": _systemd.is_running(properties),
            "state": properties.get("ActiveState", "unknown"),
            "since": properties.get("ActiveEnterTimestamp", ""),
            "restarts": int(properties.get("NRestarts") or 0),
            "enabled": bool(_files.read_link(layout.enabled_link(slot))),
            "memory": int(memory) if (memory := properties.get("MemoryCurrent", "")).isdecimal() else 0,
        }
        for slot, properties in zip(SLOTS, shown, strict=True)
    }


def release_in(layout: Layout, slot: str) -> str:
    return release_of(_files.read_link(layout.slot(slot)))


def observe(layout: Layout, given: PortList) -> dict[str, t.Any]:
    """Everything that a rollout has to know of the service on this host. For the ports see C(ports_of)."""
    position, ports = observe_switch(layout, given)
    slots = observe_slots(layout)
    releases = _installed.releases(layout)
    return {
        "releases": releases,
        "endpoints": {name: said for name in releases if (said := endpoint_of(layout, name))},
        "current": release_of(_files.read_link(layout.current)),
        "previous": release_of(_files.read_link(layout.previous)),
        "slots": slots,
        "switch": position,
        "serves_at": ports[0].public if position in SLOTS and slots[position]["running"] else 0,
        "memory": memory_of(_files.read_text("/proc/meminfo") or ""),
        "lasts": position != ABSENT
        and ports == ports_at(layout, position, ports, given)
        and switch_lasts(layout, ports, position),
        "retired": os.path.exists(layout.retired),
    }


def endpoint_of(layout: Layout, release: str) -> dict[str, t.Any]:
    """Where others reach the release, and the path that answers while it lives, if it says so."""
    said = _installed.manifest(layout, release)
    return {**said["ports"][0], "live_path": said.get("live_path", "")} if said.get("ports") else {}


def ports_of(layout: Layout, release: str, given: PortList) -> PortList:
    """The ports that a release was staged with; the given ones where it says nothing, or there is none."""
    said = _installed.manifest(layout, release).get("ports") if release else None
    return [Ports(**port) for port in said] if said else given


def ports_at(layout: Layout, position: str, now: PortList, given: PortList) -> PortList:
    """The ports that belong to a position: those of the release in the slot. What is closed are those of ``now``."""
    return ports_of(layout, release_in(layout, position), given) if position in SLOTS else now


def observe_switch(layout: Layout, given: PortList) -> tuple[str, PortList]:
    """The position of the switch in the kernel, and the ports that it has.

    The position is V(absent) as well where nftables is not installed yet.
    """
    try:
        listing = _nft.list_table(layout.switch_table)
    except FileNotFoundError:
        return ABSENT, given
    # Each slot by the release in it first: a release may have the ports of another one the other way round.
    for slot in SLOTS:
        release = release_in(layout, slot)
        own = ports_of(layout, release, given)
        if release and position_of(listing, own) == slot:
            return slot, own
    for ports in (given, *(ports_of(layout, release, given) for release in _installed.releases(layout))):
        position = position_of(listing, ports)
        if position != ABSENT:
            return position, ports
    return ABSENT, given


def switch_lasts(layout: Layout, ports: PortList, position: str) -> bool:
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
