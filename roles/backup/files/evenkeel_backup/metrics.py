# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Prometheus gets to see, in the format of node-exporter's textfile collector."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

NAME = "evenkeel_backup.prom"
HELP = {
    "evenkeel_job_start_timestamp_seconds": "When the job last began.",
    "evenkeel_job_success_timestamp_seconds": "When the job last succeeded; alert when it is two intervals ago.",
    "evenkeel_job_duration_seconds": "How long the last run took.",
    "evenkeel_job_exit_code": "Exit status of the last run.",
    "evenkeel_job_failures": "Failed runs in a row.",
    "evenkeel_job_running": "Whether a run is going on.",
    "evenkeel_job_skipped_total": "Runs that found the one before still going on.",
    "evenkeel_job_interval_seconds": "Longest time between two runs by the schedule.",
    "evenkeel_job_timeout_seconds": "How long a run may take.",
    "evenkeel_backup_taken_timestamp_seconds": "The moment whose data the newest good backup holds.",
    "evenkeel_backup_age_seconds": "Age of the newest good backup when this was written.",
    "evenkeel_backup_left": "Whether the set is left to another host, which leads.",
    "evenkeel_backup_bytes": "Size of the newest good backup.",
    "evenkeel_backup_duration_seconds": "How long the newest good backup took.",
    "evenkeel_backup_verified_timestamp_seconds": "When the newest backup verified at this level was taken.",
    "evenkeel_backup_copies": "Backups by state.",
    "evenkeel_backup_remote_copies": "Complete copies in the remote store.",
    "evenkeel_backup_shrunk": "Whether the newest backup is suspiciously small.",
    "evenkeel_backup_retention_stopped": "Whether retention mistrusts the clock or the history, and removes nothing.",
    "evenkeel_backup_loss_seconds": "How much can be lost at worst, by schedule and measured duration.",
    "evenkeel_backup_restore_seconds": "How long the last test restore took.",
    "evenkeel_backup_target_seconds": "The declared target.",
    "evenkeel_backup_archive_lag_seconds": "How long the oldest WAL had waited to be archived.",
    "evenkeel_backup_archive_waiting_bytes": "WAL that waited to be archived.",
    "evenkeel_backup_archive_broken": "Whether something was wrong with the archive of WAL.",
    "evenkeel_backup_free_bytes": "Free space beyond the reserve, where the backups are.",
}


@dataclass
class Metrics:
    samples: dict[str, list[tuple[dict[str, str], float]]] = field(default_factory=dict)

    def add(self, name: str, value: float, **labels: str) -> None:
        self.samples.setdefault(name, []).append((labels, float(value)))

    def render(self) -> str:
        lines = []
        for name, text in HELP.items():
            if name in self.samples:
                kind = "counter" if name.endswith("_total") else "gauge"
                lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
                lines += [f"{name}{_labels(labels)} {value:.15g}" for labels, value in self.samples[name]]
        return "\n".join(lines) + "\n"


def _labels(labels: t.Mapping[str, str]) -> str:
    escaped = {
        key: value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") for key, value in labels.items()
    }
    return "{" + ",".join(f'{key}="{value}"' for key, value in escaped.items()) + "}" if labels else ""
