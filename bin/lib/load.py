"""The strict client at work: load that begins with the first request sent and ends with a report."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import fleet


class Load:
    """Sends requests to a URL until it is told to end; every one that fails counts."""

    def __init__(self, url: str, name: str, *options: str) -> None:
        self.report = fleet.LOGS / f"{name}.json"
        self.report.unlink(missing_ok=True)
        self.log = fleet.LOGS / f"{name}.log"
        self.since = time.monotonic()
        with self.log.open("w") as log:
            self.client = subprocess.Popen(
                [
                    *(str(fleet.CACHE / "artifacts/strict_client"), "--url", url, "--duration", "1h"),
                    *("--progress", "--report", str(self.report), *options),
                ],
                stdout=log,
                stderr=log,
            )
        fleet.wait_for("the first requests", self.sends)

    def sends(self) -> bool:
        if self.client.poll() is not None:
            raise OSError(f"the strict client gave up: {self.log.read_text().strip()}")
        return bool(self.log.read_text())

    def end(self, at_least: float = 0) -> dict[str, Any]:
        """Stop once it ran for that many seconds, and say what came of it."""
        time.sleep(max(0.0, self.since + at_least - time.monotonic()))
        self.client.terminate()
        self.client.wait(timeout=60)
        report: dict[str, Any] = json.loads(self.report.read_text())
        return report
