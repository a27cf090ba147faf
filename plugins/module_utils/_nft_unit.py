# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. The systemd unit that keeps an nft script in force."""

from __future__ import annotations


def nft_unit(description: str, script: str) -> str:
    """A unit that loads the script at boot, before the network, and whenever nftables.service has flushed it."""
    return f"""\
# Written by evenkeel.fleet.
[Unit]
Description={description}
DefaultDependencies=no
# nftables.service flushes every table when it starts, stops or reloads; ours has to come back each time.
After=nftables.service
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file {script}
ExecReload=/usr/sbin/nft --file {script}

[Install]
WantedBy=sysinit.target
"""
