# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever a user sets is refused by name, or stands in the file that a role writes and means what was set.

Each file is made with plain words and with hostile ones in their places. Read as its program reads it, the second has
the same words as the first but for these. The scenario fuzz tries the same on the programs.
"""

from __future__ import annotations

import copy
import re
import shlex
import typing as t
from dataclasses import dataclass
from functools import cache

import pytest
import read_back
from ansible_collections.evenkeel.fleet.plugins.module_utils._formats import FORMATS
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_files import settings_text
from ansible_collections.evenkeel.fleet.plugins.module_utils._settings import malformed_values, select
from ansible_collections.evenkeel.fleet.plugins.module_utils._unit import unit_text
from hostile import BITS, HUGE
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from rendering import Role

# Where a number is wanted only digits pass, and these end no word. Some of them switch parts of a file on and off.
NUMBERS = {
    *("port", "count", "positive_count", "number", "positive_number", "proportion", "size", "nginx_connections"),
    *("batch", "hosts_available", "status_pattern"),
}

# One plain word for each format; {} keeps those of different settings apart.
PLAIN = {
    "identifier": "word{}",
    "sql_identifier": "word{}",
    "user_name": "word{}",
    "server_name": "word{}.test",
    "address": "word{}.test",
    "email_address": "word{}@example.com",
    "header_name": "X-Word{}",
    "setting_name": "word{}",
    "nginx_path": "/word{}",
    "nginx_size": "4{}m",
    "nginx_seconds": "4{}s",
    "duration": "4{}s",
    "absolute_path": "/word{}",
    "path_glob": "/word{}/*.log",
    "file_mode": "0640",
    "unit_pattern": "word{}@*.service",
    "network": "198.51.100.{}",
    "url": "https://word{}.test/",
    "cron_schedule": "{} 1 1 1 1",
    "redis_pattern": "word{}:*",
    "rclone_remote": "word{}:",
    "mail_recipient": "word{}",
    "single_line": "some word{}",
    "trimmed_line": "some word{}",
    "nginx_text": "some word{}",
    "interface_address": "198.51.100.{}/24",
    "interface": "word{}",
    "log_size": "4{}M",
    "file_name": "word{}",
    "unquoted": "word{}",
    "option_name": "word{}",
    "service_name": "word{}",
    "version": "1.{}",
    "environment_name": "WORD{}",
    "memory_limit": "4{}M",
    "cpu_quota": "4{}%",
    "relative_path": "word{}",
    "url_path": "/word{}",
    "metric_name": "word{}",
    "artifact": "word{}",
    "sha256": f"{'a' * 62}{{}}",
    "minisign_key": f"RW{'a' * 52}{{}}",
}


@dataclass(frozen=True)
class Written:
    """What a role writes: settings, how to make files of them, and how their programs read these."""

    settings: dict[str, t.Any]
    make: t.Callable[[Role, dict[str, t.Any]], dict[str, str]]
    readers: dict[str, t.Callable[[str], list[str]]]

    def read(self, files: dict[str, str]) -> list[str]:
        return [word for name, reader in self.readers.items() for word in reader(files[name])]


def from_template(path: str) -> t.Callable[[Role, dict[str, t.Any]], dict[str, str]]:
    return lambda role, settings: {"": role.template(path, **settings)}


def from_templates(**paths: str) -> t.Callable[[Role, dict[str, t.Any]], dict[str, str]]:
    return lambda role, settings: {name: role.template(path, **settings) for name, path in paths.items()}


def from_variable(name: str) -> t.Callable[[Role, dict[str, t.Any]], dict[str, str]]:
    return lambda role, settings: t.cast("dict[str, str]", role.evaluate(name, **settings))


def unbracketed(read: t.Callable[[str], list[str]]) -> t.Callable[[str], list[str]]:
    """Without the brackets that addresses of IPv6 have before a port."""
    return lambda text: [re.sub(r"\[([0-9A-Fa-f:.]+)\](?=:\d)", r"\1", word) for word in read(text)]


def read_app_unit(text: str) -> list[str]:
    """With the words of the command as the program gets them; elsewhere nothing is quoted."""
    words = read_back.unit(text)
    at = words.index("ExecStart") + 1
    command = [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(words[at])]
    return [*words[:at], *command, *words[at + 1 :]]


def read_redis(text: str) -> list[str]:
    """Of passwords in the rules of users there are only hashes."""
    return [re.sub("^#[0-9a-f]{64}$", "<hash>", word) for word in read_back.redis(text)]


def read_nginx(text: str) -> list[str]:
    return [read_back.nginx_evaluated(word) for word in read_back.nginx(text)]


SITE = {
    "name": "a",
    "server_names": ["a"],
    "hosts": ["notes"],
    "port": 8000,
    "listen": 80,
    "proxy_paths": ["a"],
    "health_path": "a",
    "private_paths": ["a"],
    "static_root": "a",
    "max_body_size": "a",
    "connect_timeout": "a",
    "send_timeout": "a",
    "read_timeout": "a",
    "content_security_policy": "a",
    "headers": {"X-Fixed": "a"},
    "maintenance_page": "a",
    "tls": "acme",
    "request_rate": 1,
}
# By the role that writes them.
WRITTEN = {
    "nginx": Written(
        {"nginx_sites": [SITE], "nginx_trusted_proxies": ["a"], "nginx_unlimited_addresses": ["a"]},
        lambda role, settings: t.cast("dict[str, str]", role.evaluate("__nginx_files", **settings)),
        {
            "nginx.conf": read_nginx,
            "nginx.service.conf": read_back.unit,
            "expiry": read_back.shell,
            "issue": read_back.shell,
        },
    ),
    "logrotate": Written(
        {
            "logrotate_logs": [
                {"name": "a", "paths": ["a"], "owner": "a", "group": "a", "mode": "a", "signal_unit": "a"}
            ]
        },
        from_template("etc/logrotate.d/evenkeel.j2"),
        {"": read_back.logrotate},
    ),
    "backup": Written(
        {
            "backup_databases": ["a"],
            "backup_engine": "pgbackrest",
            "backup_archive_passphrase": "a",
            "backup_archive_remote_options": {"fixed": "a"},
        },
        lambda role, settings: {
            "remote cron": role.template("etc/cron.d/evenkeel-backup.j2", **settings),
            # Where the copies of others are tried, nothing is backed up.
            **from_templates(cron="etc/cron.d/evenkeel-backup.j2", pgbackrest="etc/pgbackrest/pgbackrest.conf.j2")(
                role, {**settings, "backup_remote_test_schedule": ""}
            ),
        },
        {"remote cron": read_back.cron, "cron": read_back.cron, "pgbackrest": read_back.ini},
    ),
    "keepalived": Written(
        {"keepalived_addresses": ["a"], "keepalived_interface": "a", "keepalived_peers": ["all"]},
        from_variable("__keepalived_files"),
        {"keepalived.conf": read_back.keepalived, "keepalived.service.conf": read_back.unit, "serves": read_back.shell},
    ),
    "logs": Written(
        {
            "logs_receiver": "lb1",
            "logs_files": [{"name": "a", "paths": ["a"]}],
            "__logs_certificates": {"stdout": "a key"},
        },
        lambda role, settings: {
            **from_variable("__logs_files")(role, settings),
            **from_variable("__logs_journal_files")(role, settings),
        },
        {
            "rsyslog.conf": read_back.rsyslog,
            "evenkeel-logs.service": read_back.unit,
            "50-evenkeel.conf": read_back.journald,
        },
    ),
    "log_receiver": Written(
        {
            "log_receiver_classes": [{"name": "a", "programs": ["a"], "keep_days": 7}],
            # The inventory's own plugin knows no other inventory.
            "__log_receiver_hosts": ["lb1", "app1"],
            "__log_receiver_certificates": {"expires": {"lb1": 1}},
            "__log_receiver_lookups": {"results": []},
        },
        lambda role, settings: {
            **from_variable("__log_receiver_tree")(role, settings),
            **from_templates(logrotate="etc/logrotate.d/evenkeel-log-receiver.j2")(role, settings),
        },
        {
            "rsyslog.conf": read_back.rsyslog,
            "evenkeel-log-receiver.service": read_back.unit,
            "logrotate": read_back.logrotate,
        },
    ),
    "etcd": Written(
        {"etcd_members": ["all"], "etcd_settings": {"fixed": "a"}},
        from_template("etc/default/etcd.j2"),
        {"": read_back.assignments},
    ),
    "patroni": Written(
        {
            "patroni_members": ["all"],
            "patroni_etcd": ["all"],
            "patroni_password": "a",
            "patroni_replication_password": "a",
            "patroni_rewind_password": "a",
            # Of the role postgres, whose variables it takes along.
            "postgres_listen_addresses": ["192.0.2.1"],
            "__postgres_loopback": [],
            "__postgres_rules": [],
            "__postgres_settings": {},
            "__postgres_version": "17",
        },
        from_template("etc/patroni/config.yml.j2"),
        {"": read_back.yaml},
    ),
    "monitoring": Written(
        {
            "monitoring_hosts": ["all"],
            "monitoring_services": [],
            "monitoring_sites": [],
            "monitoring_limits": {"down_for": "a", "latency_for": "a"},
            "monitoring_receivers": [{"name": "a", "webhook_configs": [{"url": "a"}]}],
        },
        lambda role, settings: {
            **from_variable("__monitoring_files")(role, settings),
            **from_templates(alertmanager="etc/prometheus/evenkeel-alertmanager.yml.j2")(role, settings),
        },
        {
            "prometheus.yml": unbracketed(read_back.yaml),
            "rules/hosts.yml": read_back.yaml,
            "rules/services.yml": read_back.yaml,
            "alertmanager": read_back.yaml,
            "blackbox.yml": read_back.yaml,
            "apply": read_back.shell,
            "prometheus.conf": unbracketed(read_back.unit),
            "prometheus-alertmanager.conf": unbracketed(read_back.unit),
            "prometheus-blackbox-exporter.conf": unbracketed(read_back.unit),
        },
    ),
    "exporters": Written(
        {"group_names": ["nginx"]},
        from_variable("__exporters_files"),
        {
            "node.conf": unbracketed(read_back.unit),
            "nginx.conf": unbracketed(read_back.unit),
            "apply": read_back.shell,
            "evenkeel-fleet-metrics.service": read_back.unit,
        },
    ),
    "app": Written(
        {
            "app_name": "a",
            "app_port": 8000,
            "app_command": ["a", "a"],
            "app_credentials": {"KEY": "x"},
            "app_watchdog": "30s",
            "app_notify": True,
            "app_cpu_quota": "50%",
        },
        lambda role, settings: {"": unit_text(role.evaluate("__app_unit", **settings))},
        {"": read_app_unit},
    ),
    "postgres": Written(
        {
            "postgres_settings": {"fixed": "a"},
            "postgres_listen_addresses": ["a"],
            "postgres_memory": "1G",
            "postgres_pgbouncer_settings": {"fixed": "a"},
        },
        lambda role, settings: {
            "": settings_text(role.evaluate("__postgres_settings", **settings)),
            "pgbouncer.ini": role.evaluate("__postgres_pgbouncer", **settings)["settings"],
            "cron": role.template("etc/cron.d/evenkeel-postgres.j2", **settings),
        },
        {"": read_back.postgres, "pgbouncer.ini": read_back.pgbouncer, "cron": read_back.cron},
    ),
    "redis": Written(
        {
            "redis_password": "a",
            "redis_listen_addresses": ["a"],
            "redis_settings": {"fixed": "a"},
            "redis_users": [{"name": "a", "passwords": ["fixed"], "keys": ["a"]}],
        },
        from_template("etc/redis/redis.conf.j2"),
        {"": read_redis},
    ),
}


def put(where: t.Any, path: str, value: t.Any) -> None:
    """Set what a path such as x[].y or x.* leads to."""
    *steps, last = re.findall(r"\[0?\]|[^.\[\]]+", path)
    places = {"[]": -1, "[0]": 0}
    for step in steps:
        where = where[places.get(step, step)]
    where[next(iter(where)) if last == "*" else places.get(last, last)] = value


@cache
def role_of(name: str) -> Role:
    return Role(name)


def formats_of(name: str) -> dict[str, str]:
    """The format at each path that leads somewhere in its settings or the role's own, numbers and keys aside."""
    role = role_of(name)
    formats: dict[str, str] = role.variables[f"__{name}_formats"]
    known = {**role.variables, **WRITTEN[name].settings}
    return {
        path: wanted.removesuffix("?")
        for path, wanted in formats.items()
        if select(known, path) and "(" not in path and wanted.removesuffix("?") not in NUMBERS
    }


def filled(name: str, values: dict[str, str]) -> dict[str, t.Any]:
    """Its settings with these values at their paths."""
    own = WRITTEN[name].settings
    tops = {re.split(r"[.\[]", path)[0] for path in values}
    made = copy.deepcopy({**own, **{top: role_of(name).variables[top] for top in tops if top not in own}})
    for path, value in values.items():
        put(made, path, value)
    return made


@cache
def plain_words(name: str) -> dict[str, str]:
    formats = formats_of(name)
    words = {path: PLAIN[wanted].format(number + 10) for number, (path, wanted) in enumerate(formats.items())}
    assert malformed_values(filled(name, words), formats) == []
    return words


def read(name: str, values: dict[str, str]) -> list[str]:
    """The words of what the role makes of plain words, and of these values where it gets some."""
    settings = filled(name, {**plain_words(name), **values})
    return WRITTEN[name].read(WRITTEN[name].make(role_of(name), settings))


HOSTILE = st.lists(st.sampled_from(BITS) | st.text(max_size=4), min_size=1, max_size=6).map("".join)


def hostile_to(format_name: str) -> st.SearchStrategy[str]:
    """Values of any kind, and the strangest that the format lets through."""
    return HOSTILE | st.from_regex(FORMATS[format_name].pattern, fullmatch=True).map(lambda text: text[:200])


@pytest.mark.parametrize("name", WRITTEN)
def test_a_value_is_refused_by_name_or_means_itself(name: str) -> None:
    formats, words = formats_of(name), plain_words(name)
    plain = read(name, {})

    # To make an example smaller would take minutes, and what it shows is found in the difference of the words.
    @settings(max_examples=10, phases=[Phase.explicit, Phase.generate])
    @given(st.fixed_dictionaries({path: hostile_to(wanted) for path, wanted in formats.items()}))
    def check(values: dict[str, str]) -> None:
        accepted = {}
        for path, value in values.items():
            problems = malformed_values(filled(name, {path: value}), {path: formats[path]})
            assert all(problem.startswith(re.split(r"[.\[]", path)[0]) for problem in problems)
            # With a slash at its end, a path and what is below it are the same.
            if value and not problems and not (formats[path] == "nginx_path" and value.endswith("/")):
                accepted[path] = value
        assume(accepted)
        meant = {words[path]: value for path, value in accepted.items()}
        pattern = re.compile("|".join(re.escape(word) for word in sorted(meant, key=len, reverse=True)))
        assert read(name, accepted) == [pattern.sub(lambda match: meant[match[0]], word) for word in plain]

    check()


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_megabyte_is_refused(name: str) -> None:
    assert not [value for value in HUGE if FORMATS[name].accepts(value)]


# What no file above has: modules get it, or a file in JSON or YAML that a program makes; or the site above, its own.
ELSEWHERE = {
    "app": {
        *("app_artifact_sha256", "app_artifact_checksums", "app_artifact_signature", "app_artifact_minisign_key"),
        *("app_artifact_gpg_keyring", "app_artifact_path", "app_artifact_proxy", "app_port_variable", "app_live_path"),
        *("app_ready_path", "app_metrics_path", "app_metrics_requests", "app_metrics_status_label"),
        *("app_metrics_latency", "app_metrics_prometheus_url"),
    },
    "backup": {
        *("backup_databases[]", "backup_directory", "backup_work_directory", "backup_cluster_full_every"),
        *("backup_timeout", "backup_rpo", "backup_rto", "backup_remote", "backup_host", "backup_metrics_directory"),
        "backup_mail_to",
    },
    # Names of rules, and of services that there are none of above.
    "logrotate": {"logrotate_logs[].name"},
    "monitoring": {"monitoring_service_interval", "monitoring_limits.latency_for"},
    "nginx": {
        *("nginx_maintenance_site", "nginx_proxy_connect_timeout", "nginx_proxy_send_timeout"),
        "nginx_proxy_read_timeout",
    },
    "postgres": {"postgres_promote"},
    # There is only its hash.
    "redis": {"redis_users[].passwords[]"},
}


@pytest.mark.parametrize("name", WRITTEN)
def test_each_value_stands_in_what_is_read(name: str) -> None:
    """Of a value that is in none of the files, the test above would say nothing."""
    text = " ".join(read(name, {}))
    missing = {path for path, word in plain_words(name).items() if word not in text}
    assert missing == ELSEWHERE.get(name, set())
