"""What Ansible makes of a role's variables and templates, without a host."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template

CHECKOUT = Path(__file__).resolve().parents[2]

# Of what a play knows, as much as the roles ask.
PLAY: dict[str, Any] = {
    "ansible_check_mode": False,
    "ansible_facts": {"distribution_major_version": "13"},
    "ansible_managed": "Ansible managed",
    "groups": {"all": ["lb1", "app1"], "nginx": ["lb1"], "app": ["app1"], "notes": ["app1"]},
    "hostvars": {"lb1": {"ansible_host": "192.0.2.1"}, "app1": {"ansible_host": "192.0.2.2"}},
    "inventory_hostname": "lb1",
    "group_names": ["nginx"],
}


COLLECTIONS = str(CHECKOUT / ".collections")

# Ansible finds the filters of a collection only if it was the one to import the collection: import this first.
if COLLECTIONS not in sys.path:
    sys.path.insert(0, COLLECTIONS)
init_plugin_loader([COLLECTIONS])
LOADER = DataLoader()


class Role:
    """The variables of a role, defaults and derived ones."""

    def __init__(self, name: str) -> None:
        self.path = CHECKOUT / "roles" / name
        self.variables: dict[str, Any] = {}
        for part in ("defaults", "vars"):
            self.variables |= LOADER.load_from_file(str(self.path / part / "main.yml"), trusted_as_template=True)

    def evaluate(self, variable: str, **settings: Any) -> Any:
        return self._templar(settings).template(self.variables[variable])

    def template(self, path: str, **settings: Any) -> str:
        """A template of the role, by its path below templates/."""
        text = trust_as_template((self.path / "templates" / path).read_text(encoding="utf-8"))
        # In files, other than in YAML, Ansible takes backslashes as Jinja does.
        return f"{self._templar(settings).template(text, escape_backslashes=False)}\n"

    def _templar(self, settings: dict[str, Any]) -> Any:
        here = {"role_path": str(self.path), "ansible_search_path": [str(self.path)]}
        return Templar(LOADER, {**PLAY, **self.variables, **here, **settings})
