# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: redis_acl
short_description: ACL rules of the users of a Redis server
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Turns users into the rules that C(ACL SETUSER) and C(redis.conf) want. Of passwords they hold hashes.
options:
  _input:
    description: Users with C(name), C(passwords), and perhaps C(access) and C(keys), as the role C(redis) has them.
    type: list
    elements: dict
    required: true
  admin:
    description: Name of the user who may do everything.
    type: str
    required: true
  password:
    description: The admin's password.
    type: str
    required: true
  nameless:
    description: Whether whoever names no user gets in.
    type: bool
    required: true
  only_first:
    description: Whether only the first of a user's passwords lets him in.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the rules of a user
  ansible.builtin.debug:
    msg: "{{ [user] | evenkeel.fleet.redis_acl(admin='root', password='secret', nameless=false) }}"
  vars:
    user: {name: notes, passwords: [old, new], keys: ["notes:*"]}
"""

RETURN = r"""
_value:
  description: The rules of each user by name.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.evenkeel.fleet.plugins.module_utils._redis_acl import acl


def _redis_acl(
    users: t.Sequence[t.Mapping[str, t.Any]], admin: str, password: str, nameless: bool, only_first: bool = False
) -> dict[str, str]:
    try:
        return acl(users, admin, password, nameless, only_first)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"redis_acl": _redis_acl}
