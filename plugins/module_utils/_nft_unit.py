# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What keeps an nft script in force: a unit at boot, and nftables.service itself."""

from __future__ import annotations

import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils._sandbox import sandboxed
from ansible_collections.evenkeel.fleet.plugins.module_utils._unit import unit_text

# nftables.service flushes every table when it starts, stops or reloads, ours among them.
DROP_IN_FILE = "/etc/systemd/system/nftables.service.d/evenkeel.conf"
# A script that does not load keeps none of the others from it.
_LOAD = (
    "/bin/sh -c 'for rules in /etc/evenkeel/firewall.nft /etc/evenkeel/switch/*.nft; do "
    '[ ! -e "$$rules" ] || /usr/sbin/nft --file "$$rules" || failed=1; done; exit "$${failed:-0}"\''
)
DROP_IN = f"""\
# Written by evenkeel.fleet: what nftables.service has flushed comes back.
[Service]
ExecStartPost={_LOAD}
ExecReload={_LOAD}
ExecStopPost={_LOAD}
"""


def nft_unit(description: str, script: str) -> str:
    """A unit that loads the script at boot, before the network."""
    sections: dict[str, dict[str, t.Any]] = {
        "Unit": {
            "Description": description,
            "DefaultDependencies": False,
            "After": "nftables.service",
            "Before": "network-pre.target shutdown.target",
            "Wants": "network-pre.target",
            "Conflicts": "shutdown.target",
        },
        "Service": sandboxed(
            {
                "Type": "oneshot",
                "RemainAfterExit": True,
                "ExecStart": f"/usr/sbin/nft --file {script}",
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
