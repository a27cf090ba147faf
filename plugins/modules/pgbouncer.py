#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: pgbouncer
short_description: Give the pgbouncer in front of a Postgres server its settings and users, if it takes them
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Writes C(pgbouncer.ini), C(pg_hba.conf) and C(userlist.txt) in C(/etc/evenkeel/pgbouncer), and a drop-in of the
    systemd unit that has it read these in place of Debian's.
  - New files are first given to another pgbouncer that nobody reaches. What that one has something against is never
    written, and the running one goes on as before.
  - It knows its users by what the server keeps of their passwords, and never a password. A server that copies another
    is waited for until it has heard of them.
  - The running one reads its files anew, which nobody notices. It does so also if it is behind them, so a run that was
    cut off is made up for.
attributes:
  check_mode:
    description: Can run in check mode and predicts which files would change; nothing is tried out then.
    support: full
  diff_mode:
    description: Shows the difference of every file, of users their names.
    support: full
options:
  settings:
    description: Text of C(pgbouncer.ini), as P(evenkeel.fleet.pgbouncer_config#filter) makes it.
    type: str
    required: true
  rules:
    description: Text of C(pg_hba.conf), made by the same.
    type: str
    required: true
  users:
    description: Those who get in.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the user.
        type: str
        required: true
      password:
        description: The user's password.
        type: str
        required: true
  unit:
    description: Text of the drop-in.
    type: str
    required: true
  watch:
    description: Further files that it reads, such as its certificate. If one has changed, it reads all of them anew.
    type: list
    elements: path
    default: []
  restart:
    description: Whether it may be restarted, which ends all connections once what they are at is done.
    type: bool
    default: false
extends_documentation_fragment:
  - evenkeel.fleet.postgres
"""

EXAMPLES = r"""
- name: Have services share connections
  evenkeel.fleet.pgbouncer:
    cluster: 17/main
    settings: "{{ files.settings }}"
    rules: "{{ files.rules }}"
    users: [{name: notes_a, password: "{{ vault_notes_database_password_a }}"}]
    unit: ""
  vars:
    files: "{{ postgres_databases | evenkeel.fleet.pgbouncer_config(postgres_users, groups, hostvars, 160) }}"
"""

RETURN = r"""
pending_restart:
  description: What is written, but not in force until pgbouncer restarts.
  type: list
  elements: str
  returned: success
restarted:
  description: Whether pgbouncer was started, or restarted.
  type: bool
  returned: success
"""

import grp
import hashlib
import os
import re
import time
import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils import _files, _pooler, _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils import _pgbouncer as texts
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_files import waiting
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_plan import HIDDEN, literal
from ansible_collections.evenkeel.fleet.plugins.module_utils._psql import Server
from ansible_collections.evenkeel.fleet.plugins.module_utils._quiet import QuietModule
from ansible_collections.evenkeel.fleet.plugins.module_utils._trees import differences

SPEC: dict[str, t.Any] = {
    "cluster": {"type": "str", "required": True},
    "settings": {"type": "str", "required": True},
    "rules": {"type": "str", "required": True},
    "users": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
        },
    },
    "unit": {"type": "str", "required": True},
    "watch": {"type": "list", "elements": "path", "default": []},
    "restart": {"type": "bool", "default": False},
}

SERVICE = "pgbouncer.service"
UNIT = f"/etc/systemd/system/{SERVICE}.d/evenkeel.conf"
# What the running one was last told to read.
APPLIED = "/var/lib/evenkeel/pgbouncer/applied"
PID = f"{texts.SOCKETS}/pgbouncer.pid"

PATIENCE = 30

VERIFIERS = "SELECT json_object_agg(rolname, rolpassword) FROM pg_authid WHERE rolcanlogin AND rolname = ANY ({names});"


class Pooler:
    def __init__(self, params: t.Mapping[str, t.Any]) -> None:
        self.params = params
        self.server = Server(params["cluster"])
        self.passwords = {user["name"]: user["password"] for user in params["users"]}

    def verifiers(self, patience: float) -> dict[str, str]:
        """What the server keeps of the users' passwords. One that copies another hears of them a little later."""
        names = f"ARRAY[{', '.join(map(literal, self.passwords))}]::text[]"
        end = time.monotonic() + patience
        while True:
            found = self.server.ask(VERIFIERS.format(names=names))[0] or {}
            missing = texts.unknown(self.passwords, found)
            if not missing or time.monotonic() > end:
                break
            time.sleep(0.2)
        if missing and patience:
            raise ValueError(
                f"Postgres {self.params['cluster']} does not have the passwords of {', '.join(missing)} as they are "
                "wanted; a replica has those of its primary, so see that it follows"
            )
        return {name: verifier for name, verifier in found.items() if name not in missing}

    def wanted(self, verifiers: t.Mapping[str, str]) -> dict[str, str]:
        return {
            texts.SETTINGS: self.params["settings"],
            texts.RULES: self.params["rules"],
            texts.USERS: texts.users_text(verifiers),
            UNIT: self.params["unit"],
        }

    def digest(self, files: t.Mapping[str, str]) -> str:
        """Of all that is read when it is told to read its files."""
        read = [text for path, text in files.items() if path != UNIT]
        read += [_files.read_text(path) or "" for path in self.params["watch"]]
        return hashlib.sha256("\0".join(read).encode()).hexdigest()

    def write(self, files: t.Mapping[str, str], changed: t.Collection[str]) -> None:
        group = grp.getgrnam(_pooler.ACCOUNT).gr_gid
        for path in changed:
            if path == UNIT:
                _files.write_file(path, files[path].encode(), 0o644)
                _systemd.daemon_reload()
            else:
                _files.write_file(path, files[path].encode(), 0o640, group)

    def pending(self) -> list[str]:
        """What only a restart puts in force: some settings, and the unit if it is newer than the process."""
        unit = ["the systemd unit"] if os.stat(UNIT).st_mtime > os.stat(PID).st_mtime else []
        return texts.pending(_pooler.console("SHOW CONFIG"), self.params["settings"]) + unit

    def restart(self) -> None:
        _systemd.restart(SERVICE)
        end = time.monotonic() + PATIENCE
        while not _pooler.answers(texts.SOCKETS):
            if time.monotonic() > end:
                said = _systemd.journal(SERVICE, 3)
                raise ValueError(f"{SERVICE} does not answer within {PATIENCE} s of its start: {' '.join(said)}")
            time.sleep(0.1)


def keep(pooler: Pooler, check: bool) -> dict[str, t.Any]:
    files = pooler.wanted(pooler.verifiers(0 if check else PATIENCE))
    there = {path: _files.read_text(path) or "" for path in files}
    changed = [path for path in files if files[path] != there[path]]
    runs = os.path.exists(PID)
    behind = not runs or _files.read_text(APPLIED) != pooler.digest(files)
    hidden = [
        {path: re.sub('SCRAM[^"]*', HIDDEN, text) for path, text in texts_of.items()} for texts_of in (there, files)
    ]
    result = {
        "changed": bool(changed) or behind,
        "diff": differences(*hidden),
        "pending_restart": [],
        "restarted": False,
    }
    if check:
        return result
    if set(changed) - {UNIT}:
        _pooler.try_out({path: text for path, text in files.items() if path != UNIT})
    pooler.write(files, changed)
    if not runs:
        pooler.restart()
        result["restarted"] = True
    elif behind:
        _pooler.console("RELOAD")
    if behind:
        _files.write_file(APPLIED, pooler.digest(files).encode(), 0o600)
    pending = pooler.pending()
    if pending and pooler.params["restart"]:
        pooler.restart()
        result.update(changed=True, restarted=True)
        pending = pooler.pending()
    result["pending_restart"] = pending
    return result


def main() -> None:
    module = QuietModule(argument_spec=SPEC, supports_check_mode=True)
    result: dict[str, t.Any] = {}
    try:
        result = keep(Pooler(module.params), module.check_mode)
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    if result["pending_restart"]:
        module.warn(waiting("pgbouncer", result["pending_restart"]))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
