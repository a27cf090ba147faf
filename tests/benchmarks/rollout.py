"""Measure rollouts on fleets of containers: rollout.py [--hosts 3 10 30] boots each fleet in turn and prints a line.

Gates ask for the health that role app asks for by default; `--gate 1` asks for 1 s instead.

It ends with what is beyond its target, if anything is, and with 1 then.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import fleet
import yaml
from trial import TASK_BY_TASK, Run, Service

NAME = f"{os.environ.get('FLEET_PREFIX', 'evenkeel')}-benchmark"
PORT = 8000
DEFAULTS = Path("roles/app/defaults/main.yml")
LIMIT = 1200  # seconds that no run of a playbook takes

NOTES = {
    "app_name": "notes",
    "app_version": "1.0.0",
    "app_artifact": "{{ fleet_artifacts }}/notes-{{ app_version }}.tar.gz",
    "app_artifact_sha256": "{{ fleet_checksums['notes-' ~ app_version ~ '.tar.gz'] }}",
    "app_port": PORT,
    "app_version_path": "/version",
}
# Two gates of a batch, before and after users have the release, and for how many seconds each wants it healthy.
GATES = ("app_gate_min_healthy", "app_bake_min_healthy")

COLUMNS = {
    "hosts": "{:.0f}",
    "nothing s": "{:.1f}",
    "tasks/host": "{:.0f}",
    "update s": "{:.1f}",
    "controller s": "{:.1f}",
    "before s": "{:.1f}",
    "batch 1 s": "{:.1f}",
    "batch 2 s": "{:.1f}",
    "overhead s": "{:.1f}",
    "after s": "{:.1f}",
    "tasks/batch": "{:.1f}",
    "undo s": "{:.1f}",
}

FEW, MANY = 3, 30
# The most that a figure may be: of any fleet, of one of few hosts, and the update of one of many in updates of those.
TARGETS = {"tasks/host": 10.0}
TARGETS_OF_FEW = {"overhead s": 3.0, "undo s": 5.0}
UPDATES_OF_FEW = 4.0


def describe(directory: Path, hosts: int, gates: Mapping[str, float]) -> None:
    """A fleet of so many app hosts and nothing else, of both Debian releases in turn."""
    names = [f"app{number}" for number in range(1, hosts + 1)]
    images = {name: {"fleet_image": ("bookworm", "trixie")[number % 2]} for number, name in enumerate(names)}
    notes = {"hosts": dict.fromkeys(names)}
    inventory = {"all": {"hosts": images, "children": {"app": {"children": {"notes": notes}}}}}
    (directory / "group_vars").mkdir(parents=True)
    (directory / "hosts.yml").write_text(yaml.safe_dump(inventory, sort_keys=False))
    (directory / "group_vars/notes.yml").write_text(yaml.safe_dump({**NOTES, **gates}, sort_keys=False))


def roll(service: Service, reports: Path, **settings: Any) -> tuple[Run, dict[str, Any]]:
    """Roll out, and return the report of the rollout with the run; an empty one if there was nothing to do."""
    environment = TASK_BY_TASK | {"EVENKEEL_REPORT_DIR": str(reports)}
    known = set(reports.glob("*.json"))
    run = service.begin("site.yml", "--tags", "app", environment=environment, **settings).end(LIMIT)
    new = sorted(set(reports.glob("*.json")) - known)
    return run, json.loads(new[0].read_text()) if new else {}


def processor_seconds() -> float:
    """What all playbooks so far have taken of this machine's processors; those of the hosts are none of them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def wanted(what: str, run: Run, good: bool = True) -> None:
    if (run.status == 0) != good:
        raise OSError(f"{what} did not {'succeed' if good else 'fail'}:\n{run.output}")


def steps(report: dict[str, Any]) -> list[dict[str, Any]]:
    """All steps of a rollout on all hosts, each with the batch of its host."""
    hosts = report["services"]["notes"]["hosts"]
    return [step | {"batch": host["batch"]} for host in hosts.values() for step in host["steps"]]


def span(taken: list[dict[str, Any]]) -> tuple[float, float]:
    return min(step["at"] - step["seconds"] for step in taken), max(step["at"] for step in taken)


def update_figures(run: Run, ended: float, report: dict[str, Any], healthy: float) -> dict[str, float]:
    """Where the time of an update went: before the first batch, in each batch, whose gates want so many seconds of
    health, and after the last one.
    """
    shifts = [step for step in steps(report) if "shift | " in step["task"]]
    first, second = (span([step for step in shifts if step["batch"] == batch]) for batch in (1, 2))
    return {
        "update s": run.seconds,
        "before s": run.seconds - (ended - first[0]),
        "batch 1 s": first[1] - first[0],
        # From the end of the one before, so that what lies between them counts.
        "batch 2 s": second[1] - first[1],
        "overhead s": (second[1] - first[0]) / 2 - healthy,
        "after s": ended - second[1],
        "tasks/batch": len(re.findall(r"(?m)^TASK \[.*shift \| ", run.output)) / 2,
    }


def undo_seconds(report: dict[str, Any]) -> float:
    """From the gate's verdict to the last switch that was moved back."""
    taken = steps(report)
    failed: float = min(step["at"] for step in taken if step["step"] == "failure")
    return max(float(step["at"]) for step in taken if step["step"] == "switch" and step["at"] > failed) - failed


def measure(hosts: int, directory: Path, gates: Mapping[str, float]) -> dict[str, float]:
    service = Service(NAME, "notes", port=0, host_port=PORT)
    describe(directory / "fleet", hosts, gates)
    reports = directory / "reports"
    reports.mkdir()
    fleet.up(NAME, str(directory / "fleet"), str(service.inventory))
    run, _report = roll(service, reports)
    wanted("setting the fleet up", run)

    run, _report = roll(service, reports)
    wanted("a run with nothing to do", run)
    figures = {"hosts": float(hosts), "nothing s": run.seconds}
    figures["tasks/host"] = float(max(run.tasks.values()))

    before = processor_seconds()
    run, report = roll(service, reports, app_version="1.1.0")
    wanted("the update", run)
    figures |= update_figures(run, time.time(), report, sum(gates.values()))
    figures["controller s"] = processor_seconds() - before

    # The last host refuses it once users have it, on that host as on all others.
    answered = {"url": f"http://127.0.0.1:{PORT}/version", "json": {"version": "1.1.0"}}
    probes = f"{{{{ [{answered}] if inventory_hostname == 'app{hosts}' else [] }}}}"
    short = dict.fromkeys(GATES, 1) | {"app_gate_timeout": 3}
    run, report = roll(service, reports, app_version="1.0.0", app_gate_probes=probes, **short)
    wanted("the broken update", run, good=False)
    figures["undo s"] = undo_seconds(report)
    versions = set(service.versions().values())
    if versions != {"1.1.0"}:
        raise OSError(f"wanted every host back on 1.1.0, found {', '.join(versions)}")
    return figures


def beyond(measured: Iterable[Mapping[str, float]]) -> list[str]:
    """What is worse than its target, in words. A target of fleets that were not measured says nothing."""
    fleets = {int(figures["hosts"]): figures for figures in measured}
    targets = [(hosts, name, most) for hosts in fleets for name, most in TARGETS.items()]
    if FEW in fleets:
        targets += [(FEW, name, most) for name, most in TARGETS_OF_FEW.items()]
        if MANY in fleets:
            targets.append((MANY, "update s", UPDATES_OF_FEW * fleets[FEW]["update s"]))
    return [
        f"{name} is {fleets[hosts][name]:.1f} with {hosts} hosts, wanted at most {most:.1f}"
        for hosts, name, most in targets
        if fleets[hosts][name] > most
    ]


def row(cells: list[str]) -> str:
    return "  ".join(cell.rjust(len(name)) for cell, name in zip(cells, COLUMNS, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, nargs="+", default=[3, 10, 30], help="how many hosts each fleet has")
    parser.add_argument("--gate", type=float, help="seconds of health that each gate wants; by default the role's")
    arguments = parser.parse_args()
    fleets = arguments.hosts
    defaults = yaml.safe_load(DEFAULTS.read_text())
    gates = {name: defaults[name] if arguments.gate is None else arguments.gate for name in GATES}
    # Whoever loses patience leaves nothing behind either.
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit("benchmark: told to stop."))
    if min(fleets) < 2 or max(fleets) > 200:
        parser.error("wanted fleets of 2 to 200 hosts, for a canary and the rest")
    print(row(list(COLUMNS)), flush=True)
    measured = []
    for hosts in fleets:
        with tempfile.TemporaryDirectory() as directory:
            try:
                figures = measure(hosts, Path(directory), gates)
            finally:
                fleet.down(NAME, str(fleet.CACHE / NAME / "inventory"))
        measured.append(figures)
        print(row([form.format(figures[name]) for name, form in COLUMNS.items()]), flush=True)
    if worse := beyond(measured):
        sys.exit("\n".join(f"benchmark: {what}" for what in worse))


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        sys.exit(f"benchmark: {problem}")
