# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: pgbouncer_config
short_description: Files of a pgbouncer in front of a Postgres server
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Says for each user who may log in from where, as the server itself has it, and on how many connections.
  - Users and databases that do not go together are refused, settings that only the role may set, and hosts of which
    no address is known.
positional: users, groups, hostvars
options:
  connections:
    description: How many connections to the server it may open in all.
    type: int
    required: true
  port:
    description: The server's port.
    type: int
    default: 5432
  settings:
    description: Settings of the section C(pgbouncer).
    type: dict
    default: {}
extends_documentation_fragment:
  - evenkeel.fleet.inventory
  - evenkeel.fleet.postgres.access
"""

EXAMPLES = r"""
- name: Show who gets in
  ansible.builtin.debug:
    msg: "{{ (postgres_databases | evenkeel.fleet.pgbouncer_config(postgres_users, groups, hostvars, 160)).rules }}"
"""

RETURN = r"""
_value:
  description: The texts C(settings) and C(rules), and in C(users) the names of those who get in.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.evenkeel.fleet.plugins.module_utils import _pgbouncer
from ansible_collections.evenkeel.fleet.plugins.module_utils._inventory import addresses
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_users import databases_of, users_of

Mappings = t.Sequence[t.Mapping[str, t.Any]]


def _pgbouncer_config(
    databases: Mappings,
    users: Mappings,
    groups: t.Mapping[str, t.Any],
    hostvars: t.Mapping[str, t.Any],
    connections: int,
    port: int = 5432,
    settings: t.Mapping[str, t.Any] | None = None,
    tls: bool = True,
) -> dict[str, t.Any]:
    try:
        behind = databases_of(databases)
        known = users_of(users, behind)
        given = {"default_pool_size": _pgbouncer.share(connections, known), **(settings or {})}
        rules = _pgbouncer.rules(behind, known, lambda names: addresses(names, groups, hostvars), tls)
        return {
            "settings": _pgbouncer.settings_text(behind, known, port, given),
            "rules": _pgbouncer.rules_text(rules),
            "users": [user.name for user in [*_pgbouncer.pooled(known), *_pgbouncer.watchers(known)]],
        }
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"pgbouncer_config": _pgbouncer_config}
