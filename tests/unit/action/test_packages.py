# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.action.packages import ActionModule

Act = t.Callable[..., dict[str, t.Any]]

LOOK, APT = "evenkeel.fleet.packages", "ansible.builtin.apt"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, t.Any]]:
    """What was asked of which module, on a host without nginx."""
    seen: dict[str, dict[str, t.Any]] = {}

    def execute(_self: t.Any, module_name: str, module_args: dict[str, t.Any], **_more: t.Any) -> dict[str, t.Any]:
        seen[module_name] = module_args
        if module_name == APT:
            return {"changed": True, "stdout": "installed"}
        lacking = [name for name in module_args["names"] if name == "nginx"]
        return {"changed": bool(lacking), "missing": lacking}

    monkeypatch.setattr(ActionModule, "_execute_module", execute)
    return seen


def test_apt_is_not_asked_where_nothing_is_missing(act: Act, asked: dict[str, dict[str, t.Any]]) -> None:
    assert act(ActionModule, {}, names=["cron"]) == {"changed": False, "missing": []}
    assert list(asked) == [LOOK]


def test_apt_installs_what_is_missing_and_nothing_else(act: Act, asked: dict[str, dict[str, t.Any]]) -> None:
    assert act(ActionModule, {}, names=["cron", "nginx"]) == {
        "changed": True,
        "stdout": "installed",
        "missing": ["nginx"],
    }
    assert asked[APT] == {"name": ["nginx"], "install_recommends": False, "update_cache": True}


def test_services_are_not_started_if_that_is_not_wanted(act: Act, asked: dict[str, dict[str, t.Any]]) -> None:
    act(ActionModule, {}, names=["nginx"], start=False)
    assert asked[APT]["policy_rc_d"] == 101


def test_in_check_mode_nothing_is_installed(
    act: Act, asked: dict[str, dict[str, t.Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ansible.playbook.task.Task.check_mode", True)
    assert act(ActionModule, {}, names=["nginx"]) == {"changed": True, "missing": ["nginx"]}
    assert list(asked) == [LOOK]


def test_a_failed_look_is_told(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {"failed": True, "msg": "there is no dpkg-query on this host; wanted Debian"}
    monkeypatch.setattr(ActionModule, "_execute_module", lambda *_args, **_more: refused)
    assert act(ActionModule, {}, names=["nginx"]) == refused
