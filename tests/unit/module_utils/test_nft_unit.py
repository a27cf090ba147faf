# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from ansible_collections.evenkeel.fleet.plugins.module_utils._nft_unit import nft_unit


def test_the_script_is_loaded_at_boot_and_with_nftables() -> None:
    lines = nft_unit("The walls", "/etc/walls.nft").splitlines()
    assert "Description=The walls" in lines
    assert {"Before=network-pre.target shutdown.target", "WantedBy=sysinit.target"} <= set(lines)
    for verb, why in (("ExecStart", "After"), ("ExecReload", "ReloadPropagatedFrom")):
        assert f"{verb}=/usr/sbin/nft --file /etc/walls.nft" in lines
        assert f"{why}=nftables.service" in lines
