"""For each alert, what it is raised by and what not: series as promtool takes them, a minute between two values."""

from __future__ import annotations

from dataclasses import dataclass

Series = dict[str, str]


@dataclass(frozen=True)
class Case:
    alert: str
    bad: Series
    good: Series
    after: str = "20m"


NOTES = 'job="service", service="notes", host="app1"'
SITE = 'job="site", site="notes", host="lb1"'
NODE = 'job="node", host="db1"'


def requests(errors: int, path: str = "/notes") -> Series:
    name = f"http_requests_total{{{NOTES}"
    return {
        f'{name}, path="{path}", status="500"}}': f"0+{errors}x30",
        f'{name}, path="/notes", status="200"}}': f"0+{100 - errors}x30",
    }


def latency(within_a_second: int) -> Series:
    name = f"http_request_duration_seconds_bucket{{{NOTES}, le="
    return {
        f'{name}"1"}}': f"0+{within_a_second}x30",
        f'{name}"2.5"}}': "0+100x30",
        f'{name}"+Inf"}}': "0+100x30",
    }


def gauge(name: str, bad: float, good: float, labels: str = NODE) -> tuple[Series, Series]:
    return {f"{name}{{{labels}}}": f"{bad}x30"}, {f"{name}{{{labels}}}": f"{good}x30"}


def share(part: str, whole: str, bad: float, good: float, labels: str = NODE) -> tuple[Series, Series]:
    of = {f"{whole}{{{labels}}}": "100x30"}
    return {f"{part}{{{labels}}}": f"{bad}x30", **of}, {f"{part}{{{labels}}}": f"{good}x30", **of}


DISK = f'{NODE}, fstype="ext4", mountpoint="/"'
FLEET = f'{NODE}, file="/var/lib/prometheus/node-exporter/evenkeel_fleet.prom"'
JOB = f'{NODE}, exported_job="backup"'
# What was last seen long ago: time begins at 0, and cases are looked at after 1200 seconds.
AGO, NOW, LATER = 0, 1200, 100 * 86400

CASES = [
    Case("HostDown", *gauge("up", 0, 1)),
    Case("ExporterDown", *gauge("up", 0, 1, 'job="redis", host="db1"')),
    Case("InstanceDown", *gauge("up", 0, 1, NOTES)),
    Case("ServiceErrors", requests(errors=6), requests(errors=4)),
    # What probes are told says nothing of users.
    Case("ServiceErrors", requests(errors=6), requests(errors=6, path="/ready")),
    Case("ServiceSlow", latency(within_a_second=94), latency(within_a_second=96)),
    Case("RolloutAbandoned", *gauge("evenkeel_rollout_expires_timestamp_seconds", AGO, LATER)),
    Case(
        "RolloutLong",
        {f"evenkeel_rollout_taken_timestamp_seconds{{{NODE}}}": "1x90"},
        {f"evenkeel_rollout_taken_timestamp_seconds{{{NODE}}}": "_x60 1x30"},
        after="90m",
    ),
    Case("UnitFailed", *gauge("evenkeel_unit_failed", 1, 0)),
    Case("DiskFull", *share("node_filesystem_avail_bytes", "node_filesystem_size_bytes", 19, 21, DISK)),
    Case("DiskReadOnly", *gauge("node_filesystem_readonly", 1, 0, DISK)),
    Case("MemoryShort", *share("node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes", 9, 11)),
    Case("MetricsStale", *gauge("node_textfile_mtime_seconds", AGO, NOW, FLEET)),
    Case("MetricsStale", *gauge("node_textfile_scrape_error", 1, 0)),
    Case("MonitoringBroken", *gauge("prometheus_config_last_reload_successful", 0, 1)),
    Case(
        "MonitoringBroken",
        {f'alertmanager_notifications_failed_total{{{NODE}, integration="email"}}': "0+1x30"},
        {f'alertmanager_notifications_failed_total{{{NODE}, integration="email"}}': "7x30"},
    ),
    Case("NginxDown", *gauge("nginx_up", 0, 1)),
    Case(
        "CertificateExpires",
        *gauge("evenkeel_certificate_expiry_timestamp_seconds", 13 * 86400, 15 * 86400, f'{NODE}, site="notes"'),
    ),
    Case(
        "CertificateExpires",
        *gauge("probe_ssl_earliest_cert_expiry", 13 * 86400, 15 * 86400, SITE),
    ),
    Case("SiteDown", *gauge("probe_success", 0, 1, SITE)),
    Case("SiteSlow", *gauge("probe_duration_seconds", 1.1, 0.9, SITE)),
    Case("PostgresDown", *gauge("pg_up", 0, 1)),
    Case("PostgresReplicaStopped", *gauge("evenkeel_postgres_replica_streaming", 0, 1)),
    Case("PostgresReplicaBehind", *gauge("evenkeel_postgres_replica_lag_seconds", 31, 29)),
    Case("PostgresSlotLost", *gauge("evenkeel_postgres_slot_lost", 1, 0, f'{NODE}, slot="db2"')),
    Case("PostgresConnections", *share("evenkeel_postgres_connections", "evenkeel_postgres_connections_max", 81, 79)),
    Case("PostgresJobFailed", *gauge("evenkeel_postgres_job_failures", 1, 0, JOB)),
    Case("RedisDown", *gauge("redis_up", 0, 1)),
    Case("RedisReplicaBehind", *gauge("redis_master_link_up", 0, 1)),
    Case("RedisReplicaBehind", *gauge("redis_master_last_io_seconds_ago", 31, 5)),
    Case(
        "BackupOverdue",
        {
            f"evenkeel_job_success_timestamp_seconds{{{JOB}}}": f"{AGO}x30",
            f"evenkeel_job_interval_seconds{{{JOB}}}": "500x30",
        },
        {
            f"evenkeel_job_success_timestamp_seconds{{{JOB}}}": f"{AGO}x30",
            f"evenkeel_job_interval_seconds{{{JOB}}}": "700x30",
        },
    ),
    Case("BackupDamaged", *gauge("evenkeel_backup_copies", 1, 0, f'{NODE}, set="notes", state="damaged"')),
    Case(
        "BackupTooRare",
        {
            f"evenkeel_backup_loss_seconds{{{NODE}}}": "3700x30",
            f'evenkeel_backup_target_seconds{{{NODE}, target="rpo"}}': "3600x30",
        },
        {
            f"evenkeel_backup_loss_seconds{{{NODE}}}": "3500x30",
            f'evenkeel_backup_target_seconds{{{NODE}, target="rpo"}}': "3600x30",
        },
    ),
    Case(
        "BackupLeft",
        {f'evenkeel_backup_left{{job="node", host="db{number}", set="notes"}}': "1x30" for number in (1, 2)},
        # Who led is lost, and the next one has not begun yet.
        {
            'evenkeel_backup_left{job="node", host="db1", set="notes"}': "0x5",
            'evenkeel_backup_left{job="node", host="db2", set="notes"}': "1x30",
        },
    ),
    Case("BackupSuspicious", *gauge("evenkeel_backup_shrunk", 1, 0, f'{NODE}, set="notes"')),
    Case("BackupSuspicious", *gauge("evenkeel_backup_retention_stopped", 1, 0, f'{NODE}, set="notes"')),
    Case(
        "BackupSilent",
        {f"up{{{NODE}}}": "1x30"},
        {f"up{{{NODE}}}": "1x30", f"evenkeel_job_success_timestamp_seconds{{{JOB}}}": "1x30"},
    ),
]
