# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import importlib
import json
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils import basic
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.evenkeel.fleet.plugins.module_utils._quiet import QuietModule

MODULES = Path(__file__).resolve().parents[3] / "plugins/modules"
SECRET = "wat:ch'er\\ %d\""
USERS = {"users": {"type": "list", "elements": "dict", "options": {"password": {"type": "str", "no_log": True}}}}


def logged(module: type[AnsibleModule], monkeypatch: pytest.MonkeyPatch) -> str:
    said: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda _self, text, **_more: said.append(str(text)))
    with patch_module_args({"users": [{"password": SECRET}]}):
        module(USERS)
    return " ".join(said)


def test_what_a_module_was_called_with_is_not_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    assert logged(QuietModule, monkeypatch) == "Invoked; what with is not told, for there are secrets in it"


def test_ansible_itself_would_log_such_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it does not, nothing has to be quiet any more."""
    assert "wat:ch" in logged(AnsibleModule, monkeypatch)


def has_inner_secrets(options: t.Mapping[str, t.Any], inner: bool = False) -> bool:
    return any(
        (inner and option.get("no_log") is True) or has_inner_secrets(option.get("options", {}), inner=True)
        for option in options.values()
    )


@pytest.mark.parametrize("name", sorted(path.stem for path in MODULES.glob("*.py") if path.stem != "__init__"))
def test_modules_with_secrets_inside_of_lists_are_quiet(name: str) -> None:
    module = importlib.import_module(f"ansible_collections.evenkeel.fleet.plugins.modules.{name}")
    if has_inner_secrets(getattr(module, "SPEC", {})):
        assert hasattr(module, "QuietModule"), json.dumps(sorted(module.SPEC))
