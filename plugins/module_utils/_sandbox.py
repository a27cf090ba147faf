# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What a service may not do on its host, as directives of its unit: only here."""

from __future__ import annotations

import typing as t

# For a program that writes its own state and talks to the network. It may still read what its user may read. A unit
# that needs more says so itself.
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
        "~@privileged @resources @obsolete @keyring @aio @memlock @setuid @chown",
        # No mount option reaches a program in memory, and page faults in its hands help to break into the kernel.
        "~memfd_create userfaultfd",
    ],
    "UMask": "0077",
}


def sandboxed(directives: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The directives of a service with the sandbox around it; what they say themselves counts."""
    return {**SANDBOX, **directives}
