# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How exporters are run, and what is told that no exporter tells."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._monitoring import EXPORTERS
from ansible_collections.evenkeel.fleet.plugins.module_utils._unit import unit_text
from rendering import Role

ROLE = Path(__file__).resolve().parents[4] / "roles/exporters"
MOST_EXPOSED = 14

ON_ALL = {
    "group_names": ["nginx", "postgres", "redis"],
    "postgres_users": [{"name": "watcher", "password": "a:b\\c", "access": "monitoring"}],
    "redis_users": [{"name": "watcher", "passwords": ["a'b", "old"], "access": "monitoring"}],
    "redis_password": "admin",
}


def evaluate(variable: str, **settings: t.Any) -> t.Any:
    return Role("exporters").evaluate(variable, **{**ON_ALL, **settings})


@pytest.fixture(scope="module")
def program() -> t.Any:
    spec = importlib.util.spec_from_file_location("fleet_metrics", ROLE / "files/fleet_metrics.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", [*EXPORTERS, "fleet"])
def test_little_is_left_open(name: str, tmp_path: Path) -> None:
    made = evaluate("__exporters_fleet_service") if name == "fleet" else evaluate("__exporters_drop_ins")[name]
    service = made["Service"] if name == "fleet" else {"User": "prometheus", **made["Service"]}
    unit = tmp_path / "thing.service"
    unit.write_text(unit_text({"Service": service}))
    command = ["systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={MOST_EXPOSED}", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_password_is_in_a_unit() -> None:
    text = "".join(evaluate("__exporters_files").values())
    assert not [word for word in ("a:b", "a'b", "admin") if word in text]


def test_passwords_are_as_their_programs_read_them() -> None:
    written = evaluate("__exporters_passwords")
    assert written["postgres"] == r"*:*:*:*:a\:b\\c"
    # Of Debian 12 and of Debian 13.
    assert json.loads(written["redis"]) == dict.fromkeys(
        ["redis://127.0.0.1:6379", "redis://watcher@127.0.0.1:6379"], "a'b"
    )


def test_whoever_logs_in_is_started_anew_with_another_password() -> None:
    units = [f"prometheus-{name}-exporter.service" for name in ("postgres", "redis")]
    assert list(evaluate("__exporters_logging_in")) == units
    assert set(units) < set(evaluate("__exporters_units"))


def test_a_redis_without_users_lets_everybody_in_by_its_password() -> None:
    written = evaluate("__exporters_passwords", redis_users=[])
    assert json.loads(written["redis"]) == {"redis://127.0.0.1:6379": "admin"}


def test_over_tls_where_redis_listens_with_nothing_else() -> None:
    unit = evaluate("__exporters_files", redis_tls="files")["redis.conf"]
    assert "--redis.addr=rediss://127.0.0.1:6380" in unit
    assert "--skip-tls-verification" in unit


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({}, ""),
        ({"postgres_users": [{"name": "notes", "password": "x"}]}, "postgres_users has nobody"),
        ({"postgres_users": [{"name": "watcher", "access": "monitoring"}]}, "postgres_users has nobody"),
        ({"redis_users": [{"name": "notes", "passwords": ["x"]}]}, "redis_users has nobody"),
        ({"group_names": ["nginx"], "postgres_users": [], "redis_users": []}, ""),
    ],
)
def test_servers_that_let_no_exporter_in_are_refused(settings: dict[str, t.Any], complaint: str) -> None:
    problems = evaluate("__exporters_problems", **settings)
    assert problems[0].startswith(complaint) if complaint else problems == []


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_they_listen_at_one_address(address: str) -> None:
    unit = evaluate("__exporters_files", exporters_listen_address=address)["node.conf"]
    place = f"[{address}]" if ":" in address else address
    assert f"--web.listen-address={place}:9100 " in unit


def test_the_release_of_a_service(program: t.Any, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to("releases/1.0.0-0123456789ab")
    found = program.service_samples("notes", tmp_path, tmp_path)
    assert found == [("evenkeel_release_info", {"service": "notes", "release": "1.0.0-0123456789ab"}, 1)]


def test_a_rollout_that_has_not_ended(program: t.Any, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/lease.json").write_text(json.dumps({"taken": 1, "expires": 61, "owner": "a"}))
    assert program.service_samples("notes", tmp_path, tmp_path) == [
        ("evenkeel_rollout_taken_timestamp_seconds", {"service": "notes"}, 1.0),
        ("evenkeel_rollout_expires_timestamp_seconds", {"service": "notes"}, 61.0),
    ]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"taken": "x"}', '{"taken": null, "expires": 1}'])
def test_a_lease_that_cannot_be_read_is_none(program: t.Any, text: str, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/lease.json").write_text(text)
    assert program.service_samples("notes", tmp_path, tmp_path) == []


def test_what_is_written_is_what_prometheus_reads(program: t.Any, tmp_path: Path) -> None:
    listing = "notes@blue.service loaded failed failed A service\ndev-a\\x2db.device loaded failed failed B\n"
    program.write(tmp_path, program.render(program.failed_units(listing)))
    lines = (tmp_path / program.NAME).read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        'evenkeel_unit_failed{unit="notes@blue.service"} 1',
        'evenkeel_unit_failed{unit="dev-a\\\\x2db.device"} 1',
    ]
