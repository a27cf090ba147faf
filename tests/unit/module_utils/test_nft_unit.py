# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._nft_unit import DROP_IN, nft_unit


def test_the_script_is_loaded_at_boot() -> None:
    lines = nft_unit("The walls", "/etc/walls.nft").splitlines()
    assert "Description=The walls" in lines
    assert {"Before=network-pre.target shutdown.target", "WantedBy=sysinit.target"} <= set(lines)
    assert {"ExecStart=/usr/sbin/nft --file /etc/walls.nft", "After=nftables.service"} <= set(lines)


@pytest.mark.parametrize("verb", ["ExecStartPost", "ExecReload", "ExecStopPost"])
def test_all_scripts_come_back_with_nftables_even_if_one_does_not_load(verb: str, tmp_path: Path) -> None:
    (line,) = [line for line in DROP_IN.splitlines() if line.startswith(f"{verb}=")]
    (tmp_path / "switch").mkdir()
    for name in ("firewall", "switch/notes", "switch/other"):
        (tmp_path / f"{name}.nft").touch()
    nft = tmp_path / "nft"
    nft.write_text('#!/bin/sh\necho "$2"\n[ "${2##*/}" != notes.nft ]\n')
    os.chmod(nft, 0o755)
    # What systemd makes of it: words, and one dollar of two.
    words = shlex.split(line.partition("=")[2].replace("$$", "$"))
    command = [word.replace("/etc/evenkeel", str(tmp_path)).replace("/usr/sbin/nft", str(nft)) for word in words]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    loaded = [str(Path(path).relative_to(tmp_path)) for path in answer.stdout.split()]
    assert loaded == ["firewall.nft", "switch/notes.nft", "switch/other.nft"]
    assert (answer.returncode, answer.stderr) == (1, "")
