"""What operators do beside updates, in the order in which they stand here."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import fleet
import pytest
from load import Load
from trial import Service

# The spare host as one of the service's; the later --limit is the one that counts.
WITH_APP3 = ("-i", str(Path(__file__).parents[1] / "inventory/with_app3.yml"), "--limit", "all")
EVERYTHING = "/"

BALANCERS = ("lb1", "lb2")
# The machine of a test has to bear clients of both.
USERS = ("--verify", "--rate", "150")


def status_of(notes: Service) -> dict[str, str]:
    """The lines of the table by host."""
    lines = notes.play("playbooks/status.yml", *WITH_APP3).output.splitlines()
    return {line.split()[0]: line for line in lines if line.startswith("app")}


def ask(notes: Service, path: str) -> tuple[int, dict[str, str], str]:
    url = f"http://{fleet.addresses_of(notes.inventory)['lb1']}:{notes.port}{path}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, dict(answer.headers), answer.read().decode()


def app3(notes: Service) -> str:
    return fleet.addresses_of(notes.inventory)["app3"]


def on_app3(notes: Service, command: str) -> str:
    return fleet.ssh(notes.fleet, app3(notes), command)


def balanced(notes: Service) -> list[str]:
    """The balancers that send requests to the spare host."""
    # Only what is in force: the configuration before that stays beside it.
    spare = f"grep --recursive --fixed-strings 'server {app3(notes)}:' /etc/nginx/evenkeel/current/ || true"
    addresses = fleet.addresses_of(notes.inventory)
    return [name for name in BALANCERS if fleet.ssh(notes.fleet, addresses[name], f"sudo {spare}")]


def test_a_new_host_serves_as_soon_as_it_is_listed(
    notes: Service, strict: Callable[..., Load], nobody_noticed: Callable[..., None]
) -> None:
    """The balancers are reloaded for it, which closes idle connections; clients have closed theirs before."""
    users = [strict(notes, *USERS, balancer=balancer) for balancer in BALANCERS]
    done = notes.play("site.yml", *WITH_APP3)
    reports = [one.end() for one in users]
    assert done.status == 0, done.output
    assert "app3: started 1.0.0-" in done.output
    for report in reports:
        nobody_noticed(report)
        assert report["by_instance"]["app3"] > 0


def test_too_few_hosts_are_never_left(notes: Service) -> None:
    done = notes.play("playbooks/scale_in.yml", *WITH_APP3, app_retire="app2,app3")
    assert done.status != 0
    assert "notes would be served by app1; it wants at least 2 (app_min_available). Nothing was stopped" in done.output
    assert all(" yes " in line for line in status_of(notes).values())


def test_a_host_is_retired_and_removed_and_comes_back(
    notes: Service, strict: Callable[..., Load], nobody_noticed: Callable[..., None]
) -> None:
    users = [strict(notes, *USERS, balancer=balancer) for balancer in BALANCERS]
    done = notes.play("playbooks/scale_in.yml", *WITH_APP3, app_retire="app3", app_drain_timeout=6)
    assert done.status == 0, done.output
    assert "app3 serves nobody any more" in done.output
    retired = status_of(notes)
    assert retired["app3"].endswith("closed  retired")

    releases = on_app3(notes, "sudo ls /opt/notes/releases")
    assert releases
    without = {"app_environment": {"TRIAL": "without app3"}}
    done = notes.play("site.yml", "--tags", "app", *WITH_APP3, **without)
    assert done.status == 0, done.output
    # Columns are as wide as what all hosts have in them.
    assert status_of(notes)["app3"].split() == retired["app3"].split()
    assert on_app3(notes, "sudo ls /opt/notes/releases") == releases

    assert balanced(notes) == [*BALANCERS]
    done = notes.play("site.yml", "--limit", "all", **without)
    assert done.status == 0, done.output
    assert balanced(notes) == []

    assert notes.play("playbooks/scale_in.yml", *WITH_APP3, app_unretire="app3").status == 0
    done = notes.play("site.yml", *WITH_APP3)
    assert done.status == 0, done.output
    assert " yes " in status_of(notes)["app3"]
    assert balanced(notes) == [*BALANCERS]
    for one in users:
        nobody_noticed(one.end())


def test_a_rollout_is_put_on_record(
    notes: Service, strict: Callable[..., Load], nobody_noticed: Callable[..., None], tmp_path: Path
) -> None:
    users = strict(notes)
    done = notes.begin(
        *("site.yml", "--tags", "app", *WITH_APP3),
        environment={"EVENKEEL_REPORT_DIR": str(tmp_path)},
        app_version="1.1.0",
        app_drain_timeout=6,
    ).end()
    report = users.end()
    assert done.status == 0, done.output
    nobody_noticed(report)
    data, junit = (path.read_text() for path in sorted(tmp_path.iterdir()))
    rollout = json.loads(data)
    service = rollout["services"]["notes"]
    assert (rollout["outcome"], list(service["hosts"])) == ("kept", ["app1", "app2", "app3"])
    assert [step["step"] for step in service["hosts"]["app1"]["steps"]] == [
        *("stage", "start", "gate", "switch", "gate", "gate", "stop", "record"),
    ]
    # A websocket lasts longer than any pool of a balancer; those that were open on an old instance are counted.
    assert service["cut_connections"] == report["websockets"]["closed_by_server"] == 8
    assert "8 connections cut" in done.output
    assert junit.count("<testcase") == 25


def test_maintenance_is_a_page_and_no_reload(notes: Service) -> None:
    address = fleet.addresses_of(notes.inventory)["lb1"]
    workers = fleet.ssh(notes.fleet, address, "pgrep --parent $(cat /run/nginx/nginx.pid)")
    assert workers

    def maintain(state: str) -> None:
        wanted = {"nginx_maintenance": state, "nginx_maintenance_site": "notes"}
        done = notes.play("playbooks/maintenance.yml", "--limit", "all", **wanted)
        assert done.status == 0, done.output

    maintain("on")
    status, headers, page = ask(notes, EVERYTHING)
    assert (status, "Retry-After" in headers, "Maintenance" in page) == (503, True, True)
    assert ask(notes, "/health")[0] == 200
    maintain("off")
    assert ask(notes, EVERYTHING)[0] == 200
    assert fleet.ssh(notes.fleet, address, "pgrep --parent $(cat /run/nginx/nginx.pid)") == workers


@pytest.mark.parametrize("service", ["", "note"])
def test_nothing_stops_without_its_name(notes: Service, service: str) -> None:
    done = notes.play("playbooks/emergency_stop.yml", *WITH_APP3, app_emergency_stop=service)
    assert done.status != 0
    assert "wants the name of the service to stop, one of notes, or all. Nothing was stopped" in done.output
    assert ask(notes, EVERYTHING)[0] == 200


def test_an_emergency_waits_for_no_rollout(notes: Service) -> None:
    rollout = notes.begin("site.yml", "--tags", "app", *WITH_APP3, app_version="1.0.0", app_gate_min_healthy=12)
    rollout.wait_for_output("batch 1 of 2:")
    stopped = notes.play("playbooks/emergency_stop.yml", *WITH_APP3, app_emergency_stop="notes")
    lost = rollout.end()
    assert stopped.status == 0, stopped.output
    assert lost.status != 0
    assert "does not hold the lease any more" in lost.output
    assert all(line.split()[2] == "nothing" and " closed" in line for line in status_of(notes).values())
    assert ask(notes, EVERYTHING)[0] == 502

    started = notes.play("playbooks/restart.yml", *WITH_APP3)
    assert started.status == 0, started.output
    assert all(line.split()[2].startswith("1.1.0-") and " yes " in line for line in status_of(notes).values())
