#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_config
short_description: Give a Postgres server its settings and rules of access, if it takes them
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Writes C(conf.d/50-evenkeel.conf), C(pg_hba.conf), and a drop-in of the server's systemd unit. Other files in
    C(conf.d) are left alone, and those that come later in the alphabet win.
  - Settings are examined before they are written. Rules are written, and taken back if the server would refuse them. In
    both cases the running server goes on as before, and the error names the variable.
  - The server is reloaded if it is behind its files, whoever changed them, so a run that was cut off is made up for.
  - What a reload cannot do waits for a restart, which happens only if O(restart) says so, or if the server has no
    databases yet. A server that does not start with new settings is started with those it ran with before.
attributes:
  check_mode:
    description: Can run in check mode and predicts which files would change; rules are not shown to the server then.
    support: full
  diff_mode:
    description: Shows the difference of every file.
    support: full
options:
  settings:
    description: Settings of the server by name.
    type: dict
    required: true
  own_settings:
    description: Names of those settings that errors call C(postgres_settings.<name>).
    type: list
    elements: str
    default: []
  rules:
    description: Lines of C(pg_hba.conf). In front of them comes that of the superuser, at the end all else is rejected.
    type: list
    elements: str
    default: []
  own_rules:
    description:
      - Further lines, which errors call C(postgres_hba[<number>]). After them come those of files in C(pg_hba.d) beside
        C(pg_hba.conf), whose names end in C(.conf).
    type: list
    elements: str
    default: []
  unit:
    description: Text of the drop-in.
    type: str
    required: true
  watch:
    description: Further files that the server reads, such as its certificate. If one is newer, the server is reloaded.
    type: list
    elements: path
    default: []
  memory:
    description: Bytes that the server may take. With O(memory_beside), more than 80 % of the host's memory is refused.
    type: int
    default: 0
  memory_beside:
    description: Bytes that Redis on the same host may take.
    type: int
    default: 0
  restart:
    description:
      - Whether the server is restarted if it needs that and has databases. V(later) is for whoever calls the module
        again, so that it does not warn of what is done then.
    type: str
    choices: [never, later, now]
    default: never
  replicas:
    description:
      - What the servers that copy this one run with, by the names of their hosts, of those settings of which a replica
        wants at least as much as its primary, such as C(max_connections). With O(restart=now), one that a replica has
        less of than this server would have is refused.
    type: dict
    default: {}
  patience:
    description:
      - A server that copies another keeps what that one has of these settings instead of less. How many seconds it
        waits for the other to have less.
    type: int
    default: 0
extends_documentation_fragment:
  - evenkeel.fleet.postgres
"""

EXAMPLES = r"""
- name: Let a reader in
  evenkeel.fleet.postgres_config:
    cluster: 17/main
    settings: {work_mem: 8MB}
    rules: ['hostssl notes reader 192.0.2.1/32 scram-sha-256']
    unit: ""
"""

RETURN = r"""
held:
  description: Settings of a replica that are to become less, and stay as they are until its primary has less.
  type: list
  elements: str
  returned: success
pending_restart:
  description: Settings that are written, but not in force until the server restarts.
  type: list
  elements: str
  returned: success
restarted:
  description: Whether the server was restarted.
  type: bool
  returned: success
"""

import contextlib
import grp
import os
import subprocess
import time
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.evenkeel.fleet.plugins.module_utils import _files, _postgres_tuning, _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils import _postgres_files as texts
from ansible_collections.evenkeel.fleet.plugins.module_utils import _postgres_replication as replication
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres_plan import literal
from ansible_collections.evenkeel.fleet.plugins.module_utils._psql import EMPTY, USER, Server
from ansible_collections.evenkeel.fleet.plugins.module_utils._trees import differences

SPEC: dict[str, t.Any] = {
    "cluster": {"type": "str", "required": True},
    "settings": {"type": "dict", "required": True},
    "own_settings": {"type": "list", "elements": "str", "default": []},
    "rules": {"type": "list", "elements": "str", "default": []},
    "own_rules": {"type": "list", "elements": "str", "default": []},
    "unit": {"type": "str", "required": True},
    "watch": {"type": "list", "elements": "path", "default": []},
    "memory": {"type": "int", "default": 0},
    "memory_beside": {"type": "int", "default": 0},
    "restart": {"type": "str", "choices": ["never", "later", "now"], "default": "never"},
    "replicas": {"type": "dict", "default": {}},
    "patience": {"type": "int", "default": 0},
}

# What was in force when a file was replaced stays beside it until the new one is accepted.
BEFORE = ".before-evenkeel"
CONFIGURATION = "/etc/postgresql"
DATA = "/var/lib/postgresql"
UNITS = "/etc/systemd/system"
# What was last in force as a whole, to start with if the server does not with something newer.
STARTED = "/var/lib/evenkeel/postgres"
UNIT = "the systemd unit"
MODE = 0o640

RELOAD_SECONDS = 20
# Recovery after a crash may take long; a server that is at it is not given up.
START_SECONDS = 300

REFUSED_RULES = """
SELECT json_build_object('line', line_number, 'error', error) FROM pg_hba_file_rules WHERE error IS NOT NULL;
"""

STATE = """
SELECT json_build_object(
  'stale', (SELECT max((pg_stat_file(file)).change) FROM unnest({files}) AS file) > pg_conf_load_time(),
  'loaded', pg_conf_load_time()::text,
  'running', (SELECT json_object_agg(name, setting) FROM pg_settings WHERE name = ANY ({bounded})),
  'pending', ARRAY(SELECT name FROM pg_settings WHERE pending_restart ORDER BY name),
  'unit', (pg_stat_file({unit})).modification > pg_postmaster_start_time(),
  'empty', {empty});
"""


class Config:
    def __init__(self, params: t.Mapping[str, t.Any]) -> None:
        self.params = params
        self.version, name = params["cluster"].split("/")
        self.server = Server(params["cluster"])
        self.service = f"postgresql@{self.version}-{name}"
        self.directory = f"{CONFIGURATION}/{params['cluster']}"
        self.settings = f"{self.directory}/conf.d/50-evenkeel.conf"
        self.rules = f"{self.directory}/pg_hba.conf"
        self.unit = f"{UNITS}/{self.service}.service.d/evenkeel.conf"
        self.held = self.hold()
        self.lines = texts.rule_lines(params["rules"], params["own_rules"], self.fragments())
        self.wanted = {
            self.settings: texts.settings_text({**params["settings"], **self.held}),
            self.rules: texts.rules_text(self.lines),
            self.unit: params["unit"],
        }
        self.there = {path: _files.read_text(path) or "" for path in self.wanted}
        self.accepted = {path: self.read(path) for path in self.wanted}

    def hold(self) -> dict[str, int]:
        """What a replica keeps for now although less is wanted, for it would not start with less than its primary."""
        end = time.monotonic() + self.params["patience"]
        while (held := replication.held(self.params["settings"], self.bounds())) and time.monotonic() < end:
            time.sleep(0.5)
        return held

    def bounds(self) -> dict[str, int]:
        words = [f"/usr/lib/postgresql/{self.version}/bin/pg_controldata", "-D", f"{DATA}/{self.params['cluster']}"]
        done = subprocess.run(words, capture_output=True, text=True, check=True, env={"LC_ALL": "C"})
        return replication.bounds(done.stdout)

    def fragments(self) -> dict[str, str]:
        folder = Path(self.directory, texts.FRAGMENTS)
        return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.conf"))}

    def read(self, path: str) -> str:
        """What was accepted, also where a run was cut off before the new text was."""
        before = _files.read_text(f"{path}{BEFORE}")
        return self.there[path] if before is None else before

    @property
    def changes(self) -> list[str]:
        return [path for path, text in self.wanted.items() if {self.accepted[path], self.there[path]} != {text}]

    def examine(self) -> None:
        """Raises ValueError for what can be told to be wrong before anything is written."""
        if self.params["memory"]:
            total = _postgres_tuning.total_memory(_files.read_text("/proc/meminfo") or "")
            if problem := _postgres_tuning.beyond(self.params["memory"], total, self.params["memory_beside"]):
                raise ValueError(problem)
        problems = texts.bad_rules(
            [*texts.own_lines(self.params["own_rules"]), *texts.fragment_lines(self.fragments())]
        )
        if self.settings in self.changes:
            problems += self.refused_settings()
        self.refuse(problems)

    def refuse(self, problems: t.Sequence[str]) -> None:
        if problems:
            raise ValueError(f"Postgres goes on with the files it has: {'; '.join(problems)}")

    def refused_settings(self) -> list[str]:
        scratch = f"{self.settings}.examined"
        if os.path.exists(scratch):
            os.unlink(scratch)
        _files.write_new(scratch, self.wanted[self.settings].encode(), 0o600)
        try:
            program = f"/usr/lib/postgresql/{self.version}/bin/postgres"
            data = f"{DATA}/{self.params['cluster']}"
            words = [program, "-C", "max_connections", "-D", data, "-c", f"config_file={scratch}"]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
        finally:
            os.unlink(scratch)
        return texts.refused_settings(done.stderr, self.params["own_settings"]) if done.returncode else []

    def write(self) -> None:
        """Put the files in place; the old ones are at hand until the server has nothing against the new ones."""
        for path in self.changes:
            if os.path.exists(path) and not os.path.exists(f"{path}{BEFORE}"):
                os.link(path, f"{path}{BEFORE}")
            self.put(path, self.wanted[path])
        refused = texts.refused_rules(self.lines, self.server.ask(REFUSED_RULES))
        if refused:
            for path in self.changes:
                self.put(path, self.accepted[path])
        for path in self.wanted:
            if os.path.exists(f"{path}{BEFORE}"):
                os.unlink(f"{path}{BEFORE}")
        self.refuse(refused)
        if self.unit in self.changes:
            _systemd.daemon_reload()

    def put(self, path: str, text: str) -> None:
        if path == self.unit:
            _files.write_file(path, text.encode(), 0o644)
        else:
            _files.write_file(path, text.encode(), MODE, grp.getgrnam(USER).gr_gid)

    def state(self) -> dict[str, t.Any]:
        paths = [self.settings, self.rules, *self.params["watch"]]
        files = f"ARRAY[{', '.join(map(literal, paths))}]"
        bounded = f"ARRAY[{', '.join(map(literal, replication.BOUNDED))}]"
        question = STATE.format(empty=EMPTY, files=files, unit=literal(self.unit), bounded=bounded)
        return t.cast("dict[str, t.Any]", self.server.ask(question)[0])

    def reload(self, before: str) -> dict[str, t.Any]:
        """Have the server read its files, and wait until it has done so later than before."""
        self.server.ask("SELECT to_json(pg_reload_conf());")
        end = time.monotonic() + RELOAD_SECONDS
        while (state := self.state())["loaded"] == before:
            if time.monotonic() > end:
                raise ValueError(f"{self.service} has not read its files within {RELOAD_SECONDS} s of being told to")
            time.sleep(0.1)
        return state

    def restart(self) -> None:
        """Start the server with what is new, or else with what it ran with before."""
        _systemd.daemon_reload()
        if not self.answers_after_restart():
            said = next(iter(self.server.complaints()), "see its log")
            for path in (self.settings, self.unit):
                self.put(path, _files.read_text(self.copy(path)) or self.accepted[path])
            _systemd.daemon_reload()
            back = "it runs again with" if self.answers_after_restart() else "nor does it with"
            raise ValueError(f"{self.service} does not start with its new settings, {back} those before: {said}")

    def refuse_to_overtake(self, running: t.Mapping[str, t.Any]) -> None:
        before = replication.overtaken(self.params["settings"], running, self.params["replicas"])
        if before:
            raise ValueError(f"{'; '.join(before)}. This server was not restarted; its replicas come first")

    def remember(self) -> None:
        """That the server runs with what is wanted now."""
        for path in (self.settings, self.unit):
            if _files.read_text(self.copy(path)) != self.wanted[path]:
                _files.write_file(self.copy(path), self.wanted[path].encode(), 0o600)

    @staticmethod
    def copy(path: str) -> str:
        return f"{STARTED}/{path.replace('/', '_')}"

    def answers_after_restart(self) -> bool:
        # Whether it runs is seen then, and the server's log says more of why it does not.
        with contextlib.suppress(OSError):
            _systemd.restart(self.service)
        return self.answers()

    def answers(self) -> bool:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            try:
                self.server.ask("SELECT to_json(1);")
            except ValueError:
                if not _systemd.is_running(_systemd.show(self.service)[0]):
                    return False
                time.sleep(0.2)
            else:
                return True
        return False


def keep(config: Config, check: bool) -> dict[str, t.Any]:
    config.examine()
    changes = config.changes
    result = {
        "changed": bool(changes),
        "diff": differences(config.accepted, config.wanted),
        "held": sorted(config.held),
        "pending_restart": [],
        "restarted": False,
    }
    if check:
        return result
    config.write()
    state = config.state()
    # Of a change in the second of the last reload the server's clock for files knows nothing.
    if state["stale"] or changes:
        result["changed"] = True
        state = config.reload(state["loaded"])
    pending = state["pending"] + ([UNIT] if state["unit"] else [])
    if pending and (state["empty"] or config.params["restart"] == "now"):
        config.refuse_to_overtake(state["running"])
        config.restart()
        result.update(changed=True, restarted=True)
        pending = config.state()["pending"]
    if not pending:
        config.remember()
    result["pending_restart"] = pending
    return result


def warnings(result: t.Mapping[str, t.Any]) -> list[str]:
    found = []
    if result["pending_restart"]:
        found.append(texts.waiting("Postgres", result["pending_restart"]))
    if result["held"]:
        found.append(f"As before until the primary has less, for a replica wants as much: {', '.join(result['held'])}")
    return found


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    result: dict[str, t.Any] = {}
    try:
        result = keep(Config(module.params), module.check_mode)
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    if module.params["restart"] == "never" or module.params["patience"]:
        for warning in warnings(result):
            module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
