# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. The systemd unit that keeps an nft script in force."""

from __future__ import annotations

import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils._sandbox import sandboxed
from ansible_collections.evenkeel.fleet.plugins.module_utils._unit import unit_text


def nft_unit(description: str, script: str) -> str:
    """A unit that loads the script at boot, before the network, and whenever nftables.service has flushed it."""
    sections: dict[str, dict[str, t.Any]] = {
        "Unit": {
            "Description": description,
            "DefaultDependencies": False,
            # nftables.service flushes every table when it starts, stops or reloads; ours has to come back each time.
            "After": "nftables.service",
            "PartOf": "nftables.service",
            "ReloadPropagatedFrom": "nftables.service",
            "Before": "network-pre.target shutdown.target",
            "Wants": "network-pre.target",
            "Conflicts": "shutdown.target",
        },
        "Service": sandboxed(
            {
                "Type": "oneshot",
                "RemainAfterExit": True,
                "ExecStart": f"/usr/sbin/nft --file {script}",
                "ExecReload": f"/usr/sbin/nft --file {script}",
                # Tables are the network's, not a user's.
                "CapabilityBoundingSet": "CAP_NET_ADMIN",
                "RestrictAddressFamilies": "AF_NETLINK",
                "NoExecPaths": "/",
                "ExecPaths": "/usr/sbin/nft /usr/lib /usr/lib64",
                # It would wait for whatever clears /tmp, and the walls stand before that.
                "PrivateTmp": None,
            }
        ),
        "Install": {"WantedBy": "sysinit.target"},
    }
    return f"# Written by evenkeel.fleet.\n{unit_text(sections)}"
