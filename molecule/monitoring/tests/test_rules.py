"""The rules that the role writes, with its own limits, as the promtool of a host judges them."""

from __future__ import annotations

import io
import json
import re
import subprocess
import tarfile
from typing import Any

import fleet
from rendering import Role
from rule_cases import CASES, Series
from trial import Service

HOSTVARS = {"app1": {"app_name": "notes", "app_port": 8000}, "db1": {}}
INVENTORY = {
    "groups": {"all": ["app1", "db1"], "app": ["app1"], "backup": ["db1"]},
    "hostvars": HOSTVARS,
    "__monitoring_backed_up": '"db1"',
}
PLACE = "/tmp/evenkeel-rules"
# It is raised for ever.
ALWAYS = {"Heartbeat"}


def rules() -> dict[str, str]:
    files: dict[str, str] = Role("monitoring").evaluate("__monitoring_rules", **INVENTORY)
    return files


def judged(name: str, alert: str, series: Series, after: str, raised: bool) -> dict[str, Any]:
    """That the alert is raised or not, as promtool wants to be told."""
    raising = [{"labels": "{}", "value": 1}] if raised else []
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'sum(ALERTS{{alertname="{alert}", alertstate="firing"}})',
                "eval_time": after,
                "exp_samples": raising,
            }
        ],
    }


def test_every_alert_has_its_case() -> None:
    alerts = {name for text in rules().values() for name in re.findall(r"- alert: (\w+)", text)}
    assert alerts - ALWAYS == {case.alert for case in CASES}


def test_each_is_raised_by_what_is_bad_and_by_nothing_good(notes: Service) -> None:
    tests = [judged(f"{case.alert}, bad", case.alert, case.bad, case.after, True) for case in CASES]
    tests += [judged(f"{case.alert}, good", case.alert, case.good, case.after, False) for case in CASES]
    tests.append(judged("Heartbeat", "Heartbeat", {}, "1m", True))
    files = rules()
    # JSON is YAML.
    files["cases.yml"] = json.dumps({"rule_files": list(files), "evaluation_interval": "1m", "tests": tests})
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    script = f"rm -rf {PLACE} && mkdir {PLACE} && cd {PLACE} && tar x && promtool test rules cases.yml"
    command = ["docker", "exec", "--interactive", fleet.container(notes.fleet, "mon1"), "sh", "-c", script]
    done = subprocess.run(command, input=packed.getvalue(), capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
