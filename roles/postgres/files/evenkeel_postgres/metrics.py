# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Prometheus gets to see, in the format of node-exporter's textfile collector."""

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path

HELP = {
    "evenkeel_postgres_replica": "Whether the server copies another.",
    "evenkeel_postgres_replica_streaming": "Whether a replica receives from its primary at this moment.",
    "evenkeel_postgres_replica_lag_bytes": "What a replica has received and not applied yet.",
    "evenkeel_postgres_replica_lag_seconds": "Age of what a replica applied last, 0 if it has applied all it received.",
    "evenkeel_postgres_slot_active": "Whether somebody receives through the slot.",
    "evenkeel_postgres_slot_retained_bytes": "What the primary keeps for the slot.",
    "evenkeel_postgres_slot_lost": "Whether what the slot wants is gone, and its replica has to be filled anew.",
    "evenkeel_postgres_connections": "Connections of clients.",
    "evenkeel_postgres_connections_max": "The setting max_connections.",
    "evenkeel_postgres_database_bytes": "Size of a database.",
    "evenkeel_postgres_pending_restart": "Settings that wait for a restart.",
    "evenkeel_postgres_job_success_timestamp_seconds": "When the job last succeeded.",
    "evenkeel_postgres_job_failures": "What the last run of the job could not do.",
}

Sample = tuple[str, dict[str, str], float]

SERVER = """
SELECT pg_is_in_recovery()::int AS replica,
  CASE WHEN pg_is_in_recovery() THEN
    (SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming') END AS replica_streaming,
  pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) AS replica_lag_bytes,
  CASE WHEN NOT pg_is_in_recovery() THEN NULL
    WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
    ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END AS replica_lag_seconds,
  (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
  current_setting('max_connections')::int AS connections_max,
  (SELECT count(*) FROM pg_settings WHERE pending_restart) AS pending_restart
"""
SLOTS = """
SELECT slot_name, active::int, (wal_status = 'lost')::int AS lost,
  pg_wal_lsn_diff(
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn) AS retained
FROM pg_replication_slots
"""
DATABASES = "SELECT datname, pg_database_size(oid) AS bytes FROM pg_database WHERE NOT datistemplate"

Rows = t.Sequence[t.Mapping[str, t.Any]]


def server_samples(server: t.Mapping[str, t.Any], slots: Rows, databases: Rows) -> list[Sample]:
    samples: list[Sample] = [
        (f"evenkeel_postgres_{name}", {}, float(value)) for name, value in server.items() if value is not None
    ]
    for slot in slots:
        label = {"slot": str(slot["slot_name"])}
        samples.append(("evenkeel_postgres_slot_active", label, float(slot["active"])))
        samples.append(("evenkeel_postgres_slot_lost", label, float(slot["lost"] or 0)))
        samples.append(("evenkeel_postgres_slot_retained_bytes", label, float(slot["retained"] or 0)))
    for database in databases:
        label = {"database": str(database["datname"])}
        samples.append(("evenkeel_postgres_database_bytes", label, float(database["bytes"])))
    return samples


def job_samples(job: str, now: float, failures: int, before: str) -> list[Sample]:
    """How a job went; before is what was written of it the last time, and tells when it succeeded last."""
    succeeded = re.search(r"^evenkeel_postgres_job_success_timestamp_seconds\S* (\S+)$", before, re.MULTILINE)
    samples: list[Sample] = [("evenkeel_postgres_job_failures", {"job": job}, float(failures))]
    if succeeded or not failures:
        last = float(succeeded[1]) if succeeded and failures else now
        samples.append(("evenkeel_postgres_job_success_timestamp_seconds", {"job": job}, last))
    return samples


def render(samples: t.Iterable[Sample]) -> str:
    lines = []
    found = list(samples)
    for name, text in HELP.items():
        mine = [(labels, value) for each, labels, value in found if each == name]
        if mine:
            lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
            lines += [f"{name}{_labels(labels)} {value:.15g}" for labels, value in mine]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: t.Mapping[str, str]) -> str:
    pairs = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def read(directory: str, name: str) -> str:
    path = Path(directory, f"{name}.prom")
    return path.read_text(encoding="utf-8") if path.exists() else ""


def write(directory: str, name: str, text: str) -> None:
    """Replace the file in one step, for the exporter may read at any moment."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    fresh = Path(directory, f"{name}.prom.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o644)
    os.replace(fresh, Path(directory, f"{name}.prom"))
