# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of a host no exporter tells, for node-exporter's textfile collector: releases, rollouts and failed units.

fleet_metrics.py DIRECTORY [SERVICE=ROOT ...]   write DIRECTORY/evenkeel_fleet.prom
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

NAME = "evenkeel_fleet.prom"
HELP = {
    "evenkeel_release_info": "The release of a service that is current.",
    "evenkeel_rollout_taken_timestamp_seconds": "When the rollout began that has not ended.",
    "evenkeel_rollout_expires_timestamp_seconds": "When its lease ends; a rollout at work renews it before.",
    "evenkeel_unit_failed": "A unit of systemd that failed, and that nobody starts again.",
}
Sample = tuple[str, Mapping[str, str], float]


def service_samples(name: str, root: Path, state: Path) -> list[Sample]:
    samples: list[Sample] = []
    current = root / "current"
    if current.is_symlink():
        release = os.readlink(current).rstrip("/").rpartition("/")[2]
        samples.append(("evenkeel_release_info", {"service": name, "release": release}, 1))
    try:
        lease = json.loads((state / name / "lease.json").read_text(encoding="utf-8"))
        times = {what: float(lease[what]) for what in ("taken", "expires")}
    except (FileNotFoundError, NotADirectoryError):
        times = {}
    except (KeyError, TypeError, ValueError):
        # What cannot be read is no lease to a rollout either.
        times = {}
    labels = {"service": name}
    return samples + [(f"evenkeel_rollout_{what}_timestamp_seconds", labels, at) for what, at in times.items()]


def failed_units(listing: str) -> list[Sample]:
    """From what C(systemctl list-units --state=failed --plain --no-legend) says."""
    names = [line.split()[0] for line in listing.splitlines() if line.strip()]
    return [("evenkeel_unit_failed", {"unit": name}, 1) for name in names]


def render(samples: Iterable[Sample]) -> str:
    found = list(samples)
    lines = []
    for name, text in HELP.items():
        lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
        lines += [f"{name}{_labels(labels)} {value:.15g}" for each, labels, value in found if each == name]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Mapping[str, str]) -> str:
    escaped = {key: re.sub(r'(["\\])', r"\\\1", value) for key, value in labels.items()}
    return "{" + ",".join(f'{key}="{value}"' for key, value in escaped.items()) + "}"


def write(directory: Path, text: str) -> None:
    """Replace the file in one step, for the exporter may read at any moment."""
    fresh = directory / f"{NAME}.new"
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o644)
    os.replace(fresh, directory / NAME)


def main() -> None:
    directory, *services = sys.argv[1:]
    command = ["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"]
    samples = failed_units(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    for service in services:
        name, _equals, root = service.partition("=")
        samples += service_samples(name, Path(root), Path("/var/lib/evenkeel"))
    write(Path(directory), render(samples))


if __name__ == "__main__":
    main()
