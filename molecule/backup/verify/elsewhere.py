"""The weekly test of the remote store on another host than those backed up: with a key that fits, and with another one.

It runs where the drill was, and the keys were made.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

CONFIG = Path("/etc/evenkeel-backup.json")
OTHER = Path("/run/evenkeel-verify.json")
WORK = Path("/var/lib/evenkeel-backup-verify")
METRICS = WORK / "metrics/evenkeel_backup.prom"


def tested_with(key: str) -> int:
    settings = json.loads(CONFIG.read_text())
    settings.update(work=str(WORK), metrics=str(METRICS.parent), schedules={"remote-test": "0 4 * * 0"}, pings={})
    OTHER.write_text(json.dumps({**settings, "identity": Path("/root", key).read_text()}))
    return subprocess.run(["evenkeel-backup", "--settings", OTHER, "job", "remote-test"], check=False).returncode


problems = []
for key, status in (("key2", 0), ("key3", 65)):
    if (found := tested_with(key)) != status:
        problems.append(f"{key}: ended with {found}, not {status}")
    if f'evenkeel_job_exit_code{{job="remote-test"}} {status}\n' not in METRICS.read_text():
        problems.append(f"{key}: the metric is not that of status {status}")
    if left := [str(path) for path in (WORK / "test", WORK / "throwaway") if path.exists()]:
        problems.append(f"{key}: data in clear is left in {left}")
OTHER.unlink()
shutil.rmtree(WORK)
print(json.dumps({"problems": problems}))
sys.exit(bool(problems))
