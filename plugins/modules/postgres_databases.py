#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_databases
short_description: Keep the databases of a Postgres server, and who may do what in them
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Makes databases, their owners and extensions, and users who act for an owner, read, back up, watch or replicate.
  - The server gets a SCRAM verifier of a password, never the password. Whether it has the right one is found out by
    deriving it anew with the same salt, so a second run changes nothing.
  - A user the module has made and that is listed no longer may not log in any longer. Nothing is dropped.
  - A replica has what its primary has, and is refused.
attributes:
  check_mode:
    description: Can run in check mode and predicts the statements, except inside databases that are not there yet.
    support: full
  diff_mode:
    description: Shows the statements, without passwords.
    support: full
options:
  databases:
    description: The databases.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the database.
        type: str
        required: true
      owner:
        description: The role that owns it; by default one of the same name. It logs in only if it is one of O(users).
        type: str
      extensions:
        description: Extensions to create in it.
        type: list
        elements: str
        default: []
  users:
    description: The users.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the user.
        type: str
        required: true
      password:
        description: The user's password. One without cannot log in.
        type: str
      access:
        description:
          - V(application) acts as the owner of its databases, whose is what it makes. V(read_only) reads them.
          - V(backup) reads everything, V(monitoring) the server's statistics. V(replica) copies the server.
        type: str
        choices: [application, read_only, backup, monitoring, replica]
        default: application
      databases:
        description: Names of the databases for V(application) and V(read_only); by default those the user owns.
        type: list
        elements: str
extends_documentation_fragment:
  - evenkeel.fleet.postgres
"""

EXAMPLES = r"""
- name: Let two users act for the owner of a database, of which one is about to be retired
  evenkeel.fleet.postgres_databases:
    cluster: 17/main
    databases:
      - {name: notes}
    users:
      - {name: notes_a, password: "{{ vault_notes_password_a }}", databases: [notes]}
      - {name: notes_b, password: "{{ vault_notes_password_b }}", databases: [notes]}
"""

RETURN = r"""
statements:
  description: The statements that were needed, without passwords.
  type: list
  elements: str
  returned: success
"""

import os
import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils import _postgres_plan as planning
from ansible_collections.evenkeel.fleet.plugins.module_utils import _postgres_users, _scram
from ansible_collections.evenkeel.fleet.plugins.module_utils._psql import Server
from ansible_collections.evenkeel.fleet.plugins.module_utils._quiet import QuietModule

SPEC: dict[str, t.Any] = {
    "cluster": {"type": "str", "required": True},
    "databases": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "owner": {"type": "str"},
            "extensions": {"type": "list", "elements": "str", "default": []},
        },
    },
    "users": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "password": {"type": "str", "no_log": True},
            "access": {"type": "str", "choices": list(_postgres_users.ACCESS), "default": _postgres_users.APPLICATION},
            "databases": {"type": "list", "elements": "str"},
        },
    },
}

# Of the server's own database; its statistics are for whoever looks after the server.
OWN = _postgres_users.Database("postgres", "postgres", extensions=("pg_stat_statements",))


def verifier(password: str) -> str:
    return _scram.verifier(password, os.urandom(16))


def keep(server: Server, params: t.Mapping[str, t.Any], check: bool) -> list[str]:
    """Have the server as wanted; the statements that took, as people may see them."""
    databases = _postgres_users.databases_of(params["databases"])
    users = _postgres_users.users_of(params["users"], databases)
    state = planning.state_of(server.ask(planning.STATE)[0])
    statements = planning.plan(state, users, databases, verifier)
    if not check:
        execute(server, [statement.sql for statement in statements])
    shown = [statement.shown for statement in statements]
    for database in [OWN, *databases]:
        names = planning.readers(users, database.name)
        if (names or database.extensions) and not (check and database.name not in state.owners):
            copying = planning.replicas(users) if database == OWN else []
            inside = server.ask(planning.missing_inside(database, names, copying), database.name)
            if not check:
                execute(server, inside, database.name)
            shown += inside
    return shown


def execute(server: Server, statements: t.Sequence[str], database: str = "postgres") -> None:
    if statements:
        server.ask("".join(f"{statement};\n" for statement in statements), database)


def main() -> None:
    module = QuietModule(argument_spec=SPEC, supports_check_mode=True)
    server = Server(module.params["cluster"])
    try:
        if server.is_replica():
            raise ValueError(
                f"Postgres {server.cluster} copies another server and takes no writes. If it should, run the playbook "
                "promote; if not, say in postgres_primary which host it copies"
            )
        shown = keep(server, module.params, module.check_mode)
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    after = "".join(f"{statement}\n" for statement in shown)
    module.exit_json(changed=bool(shown), statements=shown, diff={"before": "", "after": after})


if __name__ == "__main__":
    main()
