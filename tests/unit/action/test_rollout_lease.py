# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.action.rollout_lease import ActionModule, has_ended, process_name

Act = t.Callable[..., dict[str, t.Any]]

WANTED = {"service": "notes", "rollout": "r2", "owner": "ann@control"}


def test_a_process_that_runs_has_not_ended() -> None:
    assert not has_ended(process_name(os.getpid()))


def test_a_process_that_has_ended_is_known_even_if_its_number_is_used_again() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    name = process_name(child.pid)
    assert not has_ended(name)
    child.communicate(b"\n")
    assert has_ended(name)
    world = name.rpartition(" ")[0].rpartition(" ")[0]
    assert has_ended(f"{world} {os.getpid()} 1"), "we did not start one tick after the boot"


@pytest.mark.parametrize("name", ["", "another-boot pid:[4026531836] 1 1", "nonsense", "a b c"])
def test_of_a_process_of_another_machine_nothing_is_known(name: str) -> None:
    assert not has_ended(name)


class Answers:
    """What the module says each time it is run, and what it was asked."""

    def __init__(self, *answers: dict[str, t.Any]) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, t.Any]] = []

    def __call__(self, module_name: str, module_args: dict[str, t.Any], **_more: t.Any) -> t.Any:
        assert module_name == "evenkeel.fleet.rollout_lease"
        self.asked.append(module_args)
        return self.answers.pop(0)


def held_by(process: str) -> dict[str, t.Any]:
    return {"failed": True, "held": True, "holder": {"rollout": "r1", "process": process}}


def ask(act: Act, monkeypatch: pytest.MonkeyPatch, *answers: dict[str, t.Any]) -> tuple[dict[str, t.Any], Answers]:
    said = Answers(*answers)
    monkeypatch.setattr(ActionModule, "_execute_module", said)
    return act(ActionModule, {}, **WANTED), said


def test_a_free_lease_is_taken_in_the_name_of_the_run(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    result, said = ask(act, monkeypatch, {"changed": False})
    assert not result.get("failed")
    assert [asked["process"] for asked in said.asked] == [process_name(os.getppid())]


def test_one_that_a_living_process_holds_is_left_alone(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    result, said = ask(act, monkeypatch, held_by(process_name(os.getpid())))
    assert result["failed"]
    assert len(said.asked) == 1


def test_one_of_a_dead_process_is_asked_for_again(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    world = process_name(os.getpid()).rpartition(" ")[0].rpartition(" ")[0]
    result, said = ask(act, monkeypatch, held_by(f"{world} {os.getpid()} 1"), {"changed": False})
    assert not result.get("failed")
    assert [asked.get("dead") for asked in said.asked] == [None, "r1"]
