# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs as their operators read them; each transcript stands here as it is printed."""

from __future__ import annotations

import typing as t
from textwrap import dedent

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._steps import Event
from ansible_collections.evenkeel.fleet.plugins.module_utils._transcript import (
    COUNTERS,
    Line,
    Transcript,
    host_list,
    progress,
)

OLD, NEW = "1.0.0-aaaaaaaaaaaa", "1.1.0-bbbbbbbbbbbb"
FLEET = "evenkeel.fleet."


class Run:
    """Feeds a transcript as the callback plugin does, task by task."""

    def __init__(self, hosts: int, check: bool = False) -> None:
        self.hosts = [f"app{number}" for number in range(1, hosts + 1)]
        self.transcript = Transcript(check)
        self.lines: list[Line] = []
        self.counts = {host: dict.fromkeys(COUNTERS, 0) for host in self.hosts}
        self.batch: int | None = None

    def play(self, name: str) -> None:
        self.lines += self.transcript.play(name)

    def task(self, name: str, action: str, hosts: t.Sequence[str], result: t.Any, **more: t.Any) -> None:
        self.lines += self.transcript.task(name, action, self.batch)
        for host in hosts:
            self.one(name, action, host, result(host) if callable(result) else result, **more)

    def one(
        self, name: str, action: str, host: str, result: dict[str, t.Any], said: str = "", rest: str = "", **more: t.Any
    ) -> None:
        outcome = more.pop("outcome", "changed" if result.get("changed") else "ok")
        event = Event(host, action, name, outcome, result, at=100.0, seconds=1.0, **more)
        self.lines += self.transcript.result(event, said, rest)
        counted = {"failed": "failures", "unreachable": "unreachable", "ignored": "ignored"}.get(outcome, "ok")
        self.counts[host][counted] += 1
        self.counts[host]["changed"] += outcome == "changed"

    def plan(self) -> None:
        hosts = {
            host: {
                "service": "notes",
                "release_from": OLD,
                "release_to": NEW,
                "new_slot": "green",
                "batch": min(number, 1),
            }
            for number, host in enumerate(self.hosts)
        }
        result = {"rollout": "r1", "owner": "ann@control", "needed": True, "hosts": hosts}
        self.task("app : plan | Plan the rollout", FLEET + "rollout_plan", self.hosts[:1], result, run_once=True)

    def stage(self) -> None:
        staged = {
            "changed": True,
            "id": NEW,
            "diff": {"before": {"releases": [OLD]}, "after": {"releases": [OLD, NEW]}},
        }
        self.task("app : prepare | Stage the release", FLEET + "release", self.hosts, staged)

    def verdict(self, phase: str, *failed: str) -> None:
        result = {"failed_services": list(failed)}
        self.task(f"app : {phase} | Judge", FLEET + "rollout_verdict", self.hosts[:1], result, run_once=True)

    def start(self, hosts: t.Sequence[str]) -> None:
        after = {"slot": "green", "release": NEW, "running": True}
        self.task("app : shift | Start it", FLEET + "slot", hosts, {"changed": True, "diff": {"after": after}})

    def gate(self, hosts: t.Sequence[str], seconds: float) -> None:
        self.task("app : shift | Examine it", FLEET + "health_gate", hosts, {"looks": 4, "seconds": seconds})

    def switch(self, hosts: t.Sequence[str], position: str, phase: str = "shift") -> None:
        result = {"changed": True, "position": position}
        self.task(f"app : {phase} | Move the switch", FLEET + "traffic_switch", hosts, result)

    def stop(self, hosts: t.Sequence[str], release: str, slot: str, phase: str, cut: int = 0) -> None:
        sides = {"before": {"release": release}, "after": {"slot": slot, "running": False}}
        result = {"changed": True, "connections": cut, "waited": 3.1, "diff": sides}
        self.task(f"app : {phase} | Stop the other instance", FLEET + "slot", hosts, result)

    def let_go(self, outcome: str) -> None:
        arguments = {"state": "released", "entry": {"outcome": outcome}}
        result = {"invocation": {"module_args": arguments}}
        self.task("app : settle | Release the lease", FLEET + "rollout_lease", self.hosts, result)

    def text(self) -> str:
        ended = self.transcript.end(self.counts, seconds=41.6, now=131.0)
        return "\n".join(line.text for line in [*self.lines, *ended]) + "\n"


def good_rollout(hosts: int, cut: int = 0) -> Run:
    run = Run(hosts)
    run.play("Roll out")
    run.stage()
    run.plan()
    for batch, members in enumerate([run.hosts[:1], run.hosts[1:]]):
        run.batch = batch
        run.verdict("batch")
        run.start(members)
        run.gate(members, 1.6)
        run.verdict("shift")
        run.switch(members, "green")
        run.gate(members, 1.5)
    run.batch = None
    run.verdict("settle")
    run.stop(run.hosts, OLD, "blue", "keep", cut)
    run.let_go("kept")
    return run


def test_a_good_rollout() -> None:
    assert good_rollout(3, cut=2).text() == dedent(f"""\
        PLAY [Roll out]
        app1, app2, app3: staged {NEW}
        batch 1 of 2: app1
        app1: started {NEW} in green, good after 1.6 s, moved the switch to green, good after 1.5 s
        batch 2 of 2: app2, app3
        app2: started {NEW} in green, good after 1.6 s, moved the switch to green, good after 1.5 s
        app3: started {NEW} in green, good after 1.6 s, moved the switch to green, good after 1.5 s
        app1: stopped {OLD} in blue after 3.1 s, which cut 2 connections
        app2: stopped {OLD} in blue after 3.1 s, which cut 2 connections
        app3: stopped {OLD} in blue after 3.1 s, which cut 2 connections
        notes {NEW}: kept on 3 hosts in 31.0 s, 6 connections cut
        3 hosts: ok=27 changed=12 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0 in 42 s
        """)


def test_a_good_rollout_of_ten_hosts_fits_forty_lines() -> None:
    lines = good_rollout(10).text().splitlines()
    others = 3 + 11  # the names of the other plays of site.yml, and the plan, which its own plugin prints
    assert len(lines) + others <= 40
    assert "app1, app2, app3 ... app10 (10 hosts): staged" in lines[1]


REFUSED = "not healthy after 20.0 s: GET http://127.0.0.1:8002/ready answered 503, wanted 200"


def refused_rollout() -> Run:
    run = Run(2)
    run.play("Roll out")
    run.plan()
    run.batch = 0
    run.verdict("batch")
    run.start(["app1"])
    refused = {
        "msg": REFUSED,
        "timeline": [{"at": 0.0, "ok": False, "text": "connection refused", "times": 1}, {"at": 0.5, "text": "503"}],
        "journal": ["notes starts", "no " * 100],
    }
    where = "roles/app/tasks/shift.yml:34"
    run.task("app : shift | Examine it", FLEET + "health_gate", ["app1"], refused, outcome="failed", path=where)
    run.task("app : shift | Remember why", "ansible.builtin.debug", ["app1"], {"msg": REFUSED}, said=REFUSED)
    run.batch = 1
    run.verdict("batch", "notes")
    run.task("app : shift | Start it", FLEET + "slot", [], {})
    run.batch = None
    run.switch(["app1"], "blue", "undo")
    run.stop(["app1"], NEW, "green", "undo")
    run.let_go("undone")
    said = {"msg": f"app1: {REFUSED}. notes {NEW} was not kept; every host is back on what it ran before."}
    run.task("app : settle | Fail", "ansible.builtin.fail", ["app1"], said, outcome="failed", run_once=True)
    return run


def test_a_refused_release() -> None:
    assert refused_rollout().text() == dedent(f"""\
        PLAY [Roll out]
        batch 1 of 2: app1
        app1: FAILED: {REFUSED}
            task     app : shift | Examine it
            file     roles/app/tasks/shift.yml:34
            before   started {NEW} in green
              0.0 s  connection refused
              0.5 s  503
            journal
              notes starts
              {("no " * 100)[:157]}...
        app1: moved the switch to blue, stopped {NEW} in green after 3.1 s
        FAILED: app1: {REFUSED}. notes {NEW} was not kept; every host is back on what it ran before.
        notes {NEW}: undone on 2 hosts in 31.0 s, 0 connections cut
        failed: app1
        2 hosts: ok=9 changed=3 unreachable=0 failed=2 skipped=0 rescued=0 ignored=0 in 42 s
        """)


def test_an_unreachable_host() -> None:
    run = Run(2)
    run.play("Roll out")
    lost = {"msg": "Failed to connect to the host via ssh"}
    run.task("app : observe | See what runs", FLEET + "rollout_info", ["app2"], lost, outcome="unreachable")
    assert run.text() == dedent("""\
        PLAY [Roll out]
        app2: UNREACHABLE: Failed to connect to the host via ssh
            task     app : observe | See what runs
        unreachable: app2
        2 hosts: ok=0 changed=0 unreachable=1 failed=0 skipped=0 rescued=0 ignored=0 in 42 s
        """)


def test_check_mode() -> None:
    run = Run(2, check=True)
    run.stage()
    run.plan()
    run.batch = 0
    run.verdict("batch")
    run.start(["app1"])
    run.task("app : shift | Examine it", FLEET + "health_gate", ["app1"], {"looks": 0, "seconds": 0.0})
    run.switch(["app1"], "green")
    run.batch = None
    run.verdict("settle")
    run.stop(["app1"], OLD, "blue", "keep")
    run.task("nginx : configure | Replace it", FLEET + "config_tree", ["app2"], {"changed": True})
    assert run.text() == dedent(f"""\
        app1, app2: would stage {NEW}
        app1: would start {NEW} in green, would move the switch to green
        app1: would stop {OLD} in blue
        app2: would change [nginx : configure | Replace it]
        2 hosts: ok=10 changed=6 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0 in 42 s
        """)


def test_what_changes_nothing_is_silent() -> None:
    run = Run(1)
    run.task("nginx : run | Start nginx", "ansible.builtin.systemd_service", ["app1"], {"changed": False})
    assert run.lines == []


def test_of_a_loop_the_items_that_changed_are_named() -> None:
    run = Run(1)
    run.task("Make directories", "ansible.builtin.file", ["app1"], {"changed": True}, items=("/a", "/b"))
    assert "app1: changed [Make directories] (/a, /b)\n" in run.text()


def test_of_a_loop_over_steps_each_is_told() -> None:
    run = Run(1)
    sides = {"before": {"release": OLD}, "after": {"slot": "blue", "running": False}}
    one = {"changed": True, "diff": sides, "ansible_loop_var": "slot"}
    run.task("app : stop | Stop it", FLEET + "slot", ["app1"], one)
    run.task("app : stop | Stop it", FLEET + "slot", ["app1"], {"changed": True, "results": [one]})
    assert run.text().splitlines()[0] == f"app1: stopped {OLD} in blue"


def test_tasks_of_a_free_strategy_may_take_turns() -> None:
    run = Run(2)
    for host, task in [("app1", "A"), ("app2", "A"), ("app1", "B"), ("app2", "B")]:
        run.task(task, "ansible.builtin.apt", [host], {"changed": True})
    assert run.text().splitlines()[:2] == ["app1, app2: changed [A]", "app1, app2: changed [B]"]


def test_the_same_failure_is_explained_once() -> None:
    run = Run(3)
    run.task("A", "ansible.builtin.command", run.hosts, {"msg": "no"}, outcome="failed", rest="    rc: 1")
    assert run.text().splitlines()[:6] == [
        *("app1: FAILED: no", "    task     A", "        rc: 1"),
        *("app2: FAILED: no", "app3: FAILED: no", "failed: app1, app2, app3"),
    ]


def test_a_command_failed_because_of_its_last_word() -> None:
    run = Run(1)
    result = {"msg": "non-zero return code", "stderr": "usage: ...\nno such file\n"}
    run.task("A", "ansible.builtin.command", ["app1"], result, outcome="failed", items=("b",))
    assert run.lines[0].text == "app1: FAILED: item b: non-zero return code: no such file"


def test_what_an_ignored_failure_was() -> None:
    run = Run(1)
    run.task("A", "ansible.builtin.command", ["app1"], {"msg": "no"}, outcome="ignored")
    assert run.lines == [Line("app1: ignored: no [A]", "skip")]


def test_a_failure_without_a_word() -> None:
    run = Run(1)
    run.task("A", "ansible.builtin.command", ["app1"], {}, outcome="failed")
    assert run.lines[0].text == "app1: FAILED: it did not say why"


def test_a_censored_result_stays_censored() -> None:
    run = Run(1)
    run.task("A", FLEET + "release", ["app1"], {"censored": "hidden", "changed": True})
    run.task("B", FLEET + "release", ["app1"], {"censored": "hidden"}, outcome="failed")
    assert run.text().splitlines()[:2] == ["app1: changed [A]", "app1: FAILED: hidden"]


@pytest.mark.parametrize(
    ("said", "once", "lines"),
    [
        ("all is well", False, ["app1: all is well"]),
        ("all is well", True, ["all is well"]),
        ("host  release\napp1  1.0.0\n", False, ["app1:", "host  release", "app1  1.0.0"]),
        ("host  release\napp1  1.0.0\n", True, ["host  release", "app1  1.0.0"]),
    ],
)
def test_what_a_task_says_is_printed_as_it_is(said: str, once: bool, lines: list[str]) -> None:
    run = Run(1)
    run.task("Say it", "ansible.builtin.debug", ["app1"], {"msg": said}, said=said, run_once=once)
    assert [line.text for line in run.lines] == lines


def test_a_difference_is_below_its_task() -> None:
    lines = Transcript().diff("app1", "nginx : configure | Replace it", "-a\n+b\n\n")
    assert [line.text for line in lines] == ["app1: [nginx : configure | Replace it]", "-a", "+b"]


def test_hosts_are_named_in_the_order_in_which_people_count() -> None:
    assert host_list(["app10", "app2", "app1"]) == "app1, app2, app10"
    assert host_list([f"app{n}" for n in range(12)]) == "app0, app1, app2 ... app11 (12 hosts)"


def test_progress_fits_its_line() -> None:
    assert progress("examine it", ["app2"], 3, 80) == "2/3 examine it: app2"
    assert len(progress("examine it", [f"app{n}" for n in range(50)], 50, 40)) < 40
