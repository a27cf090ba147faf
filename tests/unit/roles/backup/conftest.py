# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program as it lies in the role, on the path like on a host; and a host with uploads to work on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "roles/backup/files"))

from evenkeel_backup import exchange, job, keep, schedule, settings


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> settings.Settings:
    # No systemd here that would do it in a process of its own.
    monkeypatch.setattr(exchange, "apart", lambda _name, paths, stamp: exchange.exchange(paths, stamp))
    uploads = tmp_path / "srv/uploads"
    uploads.mkdir(parents=True)
    (uploads / "file").write_bytes(b"first")
    made = settings.Settings(
        host="db1",
        directory=tmp_path / "backups",
        work=tmp_path / "work",
        metrics=tmp_path / "metrics",
        jobs={"backup": settings.Job("backup", schedule.parse("0 2 * * *"), 1)},
        files=(settings.Files("uploads", (str(uploads),)),),
        keep=keep.Policy(),
        recheck=1 << 30,
    )
    job.prepare(made)
    made.directory.mkdir()
    return made
