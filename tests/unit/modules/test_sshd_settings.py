# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils import _systemd
from ansible_collections.evenkeel.fleet.plugins.modules import sshd_settings

SETTINGS = {"PermitRootLogin": False}


class Place:
    """A host whose sshd takes every configuration, but does not always reload."""

    def __init__(self, root: Path) -> None:
        self.main, self.file = root / "sshd_config", root / "sshd_config.d/00-evenkeel.conf"
        self.reloads = True

    def reload(self, unit: str) -> None:
        if not self.reloads:
            raise OSError(f"systemctl reload -- {unit} failed")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = Place(tmp_path)
    included = f"{tmp_path}/sshd_config.d/*.conf"
    place.main.write_text(f"Include {included}\n")
    monkeypatch.setattr(sshd_settings, "MAIN", str(place.main))
    monkeypatch.setattr(sshd_settings, "INCLUDED", included)
    monkeypatch.setattr(sshd_settings, "PATH", str(place.file))
    monkeypatch.setattr(sshd_settings, "SSHD", "/bin/true")
    monkeypatch.setattr(_systemd, "reload", place.reload)
    monkeypatch.setattr(os, "fchown", lambda *_arguments: None)
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    return place


@pytest.mark.parametrize("before", [None, "X11Forwarding yes\n"])
def test_what_sshd_has_not_taken_does_not_stay(run: t.Any, place: Place, before: str | None) -> None:
    if before:
        place.file.parent.mkdir()
        place.file.write_text(before)
    place.reloads = False
    assert run(sshd_settings, settings=SETTINGS)["failed"]
    assert (place.file.read_text() if place.file.exists() else None) == before
    place.reloads = True
    assert run(sshd_settings, settings=SETTINGS)["changed"]
    assert "PermitRootLogin no\n" in place.file.read_text()
    assert not run(sshd_settings, settings=SETTINGS)["changed"]


@pytest.mark.parametrize(
    ("above", "complaint"),
    [
        ("PermitRootLogin yes\n", "has PermitRootLogin above its line"),
        ("Match User ops\n", "has Match above its line"),
        (None, "has no line 'Include"),
    ],
)
def test_settings_that_nothing_would_come_of(run: t.Any, place: Place, above: str | None, complaint: str) -> None:
    place.main.write_text(above + place.main.read_text() if above else "Port 22\n")
    assert complaint in run(sshd_settings, settings=SETTINGS)["msg"]
    assert not place.file.exists()
