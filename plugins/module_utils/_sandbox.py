# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What a service of ours may not do on its host, as directives of its unit."""

from __future__ import annotations

import typing as t

# For a program that writes its own state and talks to the network. It may still read what its user may read.
SANDBOX: dict[str, t.Any] = {
    "CapabilityBoundingSet": "",
    "DevicePolicy": "closed",
    "KeyringMode": "private",
    "LimitCORE": 0,
    "LockPersonality": True,
    "MemoryDenyWriteExecute": True,
    "NoNewPrivileges": True,
    "PrivateDevices": True,
    "PrivateIPC": True,
    "PrivateMounts": True,
    "PrivateTmp": True,
    "ProcSubset": "pid",
    "ProtectClock": True,
    "ProtectControlGroups": True,
    "ProtectHome": True,
    "ProtectHostname": True,
    "ProtectKernelLogs": True,
    "ProtectKernelModules": True,
    "ProtectKernelTunables": True,
    "ProtectProc": "invisible",
    "ProtectSystem": "strict",
    "RemoveIPC": True,
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces": True,
    "RestrictRealtime": True,
    "RestrictSUIDSGID": True,
    "SystemCallArchitectures": "native",
    # An error that a program can report, not a signal that kills it.
    "SystemCallErrorNumber": "EPERM",
    "SystemCallFilter": [
        "@system-service",
        "~@privileged @obsolete @keyring @aio @memlock @setuid @chown",
        # What sets the scheduling of threads stays: some programs say what it is by default, or make no thread.
        "~ioprio_set mbind migrate_pages move_pages sched_setaffinity set_mempolicy setpriority",
        "~memfd_create userfaultfd",
    ],
    "UMask": "0077",
}


def sandboxed(directives: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The directives of a service with the sandbox around it; what they say themselves counts."""
    return {**SANDBOX, **directives}
