# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: postgres_rules
short_description: Lines of pg_hba.conf for the users of a Postgres server
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Says for each user who may log in from where, and to which databases.
  - Users and databases that do not go together are refused, and lines that let nobody in.
positional: users, groups, hostvars
options:
  own:
    description: Lines of one's own, which are examined and not returned.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - evenkeel.fleet.inventory
  - evenkeel.fleet.postgres.access
"""

EXAMPLES = r"""
- name: Show who gets in
  ansible.builtin.debug:
    msg: "{{ postgres_databases | evenkeel.fleet.postgres_rules(postgres_users, groups, hostvars) }}"
"""

RETURN = r"""
_value:
  description: The lines, without one that rejects the rest.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.evenkeel.fleet.plugins.module_utils._inventory import addresses
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_files import bad_rules, own_lines
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_users import access_rules, databases_of, users_of

Mappings = t.Sequence[t.Mapping[str, t.Any]]


def _postgres_rules(
    databases: Mappings,
    users: Mappings,
    groups: t.Mapping[str, t.Any],
    hostvars: t.Mapping[str, t.Any],
    tls: bool = True,
    own: t.Iterable[str] = (),
) -> list[str]:
    try:
        if problems := bad_rules(own_lines(own)):
            raise ValueError("; ".join(problems))
        wanted = databases_of(databases)
        return access_rules(wanted, users_of(users, wanted), lambda names: addresses(names, groups, hostvars), tls)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"postgres_rules": _postgres_rules}
