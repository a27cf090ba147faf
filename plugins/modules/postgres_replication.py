#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_replication
short_description: Have a Postgres server copy another, or take over from it
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - A server that copies already is left alone, except that its slot on the primary is made if it is missing.
  - A server without databases of its own is filled with C(pg_basebackup), beside its own directory. One with data is
    refused, unless O(rejoin) or O(rebuild) says that it may be lost. So is a replica that has copied what its primary
    has given up, because that was restored to an earlier moment.
attributes:
  check_mode:
    description: Can run in check mode and says whether anything would change.
    support: full
  diff_mode:
    description: Has nothing to show in diff mode.
    support: none
options:
  state:
    description:
      - V(following) copies the primary. V(fenced) stops, and takes no writes when it is started again. V(primary) takes
        over.
    type: str
    choices: [following, fenced, primary]
    default: following
  connection:
    description: How the primary is reached, as a connection string without password. For O(state=following).
    type: str
    default: ""
  user:
    description: As whom O(connection) logs in.
    type: str
    default: ""
  password:
    description: The password of O(user).
    type: str
    default: ""
  password_file:
    description: The password file that O(connection) names.
    type: path
    default: /var/lib/postgresql/evenkeel.pgpass
  primary:
    description: What errors call the primary.
    type: str
    default: the primary
  slot:
    description: Name of the slot on the primary, which keeps what this server has not received yet.
    type: str
    default: ""
  rejoin:
    description:
      - Whether a server that takes writes, and has the same data as the primary, may lose what it has written since the
        primary took over from it.
    type: bool
    default: false
  rebuild:
    description:
      - Whether a server with databases of its own, or a replica that receives nothing, may lose them. Its directory is
        kept beside the new one.
    type: bool
    default: false
  received:
    description: Place in the log of the former primary that must have arrived before this server takes over.
    type: str
    default: ""
  streaming:
    description:
      - Whether a server that takes over is to receive something from its primary at this moment, for then none of it is
        missing; or nothing, because V(lost) is said of a primary. One that vanished without a word is given up after
        C(wal_receiver_timeout), a minute by Postgres' default.
    type: str
    choices: [wanted, lost, any]
    default: any
extends_documentation_fragment:
  - evenkeel.fleet.postgres
"""

EXAMPLES = r"""
- name: Take over
  evenkeel.fleet.postgres_replication:
    cluster: 17/main
    state: primary
"""

RETURN = r"""
action:
  description: What was done, which is C(keep), C(clone), C(rewind), C(fence) or C(promote).
  type: str
  returned: success
checkpoint:
  description: Where the log of a fenced server ends.
  type: str
  returned: O(state=fenced)
  sample: 0/3000060
"""

import os
import pwd
import shutil
import subprocess
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.evenkeel.fleet.plugins.module_utils import _files, _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils import _postgres_replication as replication
from ansible_collections.evenkeel.fleet.plugins.module_utils._psql import USER, Server, as_user

SPEC: dict[str, t.Any] = {
    "cluster": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["following", "fenced", "primary"], "default": "following"},
    "connection": {"type": "str", "default": ""},
    "user": {"type": "str", "default": ""},
    "password": {"type": "str", "default": "", "no_log": True},
    "password_file": {"type": "path", "default": "/var/lib/postgresql/evenkeel.pgpass", "no_log": False},
    "primary": {"type": "str", "default": "the primary"},
    "slot": {"type": "str", "default": ""},
    "rejoin": {"type": "bool", "default": False},
    "rebuild": {"type": "bool", "default": False},
    "received": {"type": "str", "default": ""},
    "streaming": {"type": "str", "choices": ["wanted", "lost", "any"], "default": "any"},
}

DATA = "/var/lib/postgresql"

STREAMING = "SELECT to_json(EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'));"
REPLAYED = """
SELECT json_build_array(
  pg_last_wal_replay_lsn(),
  pg_size_bytes(current_setting('wal_segment_size')),
  (SELECT coalesce(json_agg(name), '[]') FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'));
"""
NOTHING_SAID = "it does not"
STATE_SECONDS = 60
# In its first run a primary is still being set up.
PRIMARY_SECONDS = 300


class Host:
    def __init__(self, params: t.Mapping[str, t.Any]) -> None:
        self.params = params
        version, name = params["cluster"].split("/")
        self.server = Server(params["cluster"])
        self.unit = f"postgresql@{version}-{name}"
        self.programs = f"/usr/lib/postgresql/{version}/bin"
        self.data = f"{DATA}/{version}/{name}"
        self.config = f"/etc/postgresql/{version}/{name}/postgresql.conf"

    def run(self, *words: str) -> str:
        """Run one of Postgres' programs as its user. Raises ValueError with its words."""
        program, *rest = words
        done = subprocess.run(
            [f"{self.programs}/{program}", *rest], capture_output=True, text=True, check=False, cwd="/", **as_user({})
        )
        if done.returncode:
            raise ValueError(f"{program}: {(done.stderr or done.stdout).strip()}")
        return str(done.stdout).strip()

    @property
    def marked(self) -> bool:
        """Whether it is a replica when it is started."""
        return os.path.exists(f"{self.data}/standby.signal")

    def described(self) -> replication.Data:
        return replication.data_of(self.run("pg_controldata", "--pgdata", self.data))

    def wait(self, question: str, what: str) -> None:
        """Until the server answers true. Raises ValueError with what was wanted."""
        end = time.monotonic() + STATE_SECONDS
        while True:
            try:
                if self.server.ask(question)[0]:
                    return
                seen = [NOTHING_SAID, *self.server.complaints()][-1]
            except ValueError as exc:
                seen = str(exc)
            if time.monotonic() > end:
                raise ValueError(f"{self.unit} was to {what} within {STATE_SECONDS} s: {seen}")
            time.sleep(0.2)

    # ---- following

    def ask_primary(self, command: str) -> str:
        wanted = f"dbname=replication replication=true connect_timeout=10 {self.params['connection']}"
        return self.run("psql", "-XAtqw", "--set=VERBOSITY=terse", f"--command={command}", f"--dbname={wanted}")

    def reach_primary(self) -> str:
        """Whether the primary copies a server itself, C(on) or C(off), once it answers."""
        end = time.monotonic() + PRIMARY_SECONDS
        while True:
            try:
                return self.ask_primary("SHOW in_hot_standby")
            except ValueError as exc:
                if time.monotonic() > end:
                    raise ValueError(f"{self.params['primary']} does not let this server copy it: {exc}") from None
            time.sleep(1)

    def keep_password(self) -> bool:
        path = self.params["password_file"]
        line = replication.password_line(self.params["user"], self.params["password"])
        if _files.read_text(path) == line:
            return False
        account = pwd.getpwnam(USER)
        scratch = f"{path}.new"
        if os.path.exists(scratch):
            os.unlink(scratch)
        _files.write_new(scratch, line.encode(), 0o600)
        os.chown(scratch, account.pw_uid, account.pw_gid)
        os.replace(scratch, path)
        return True

    def keep_slot(self) -> None:
        self.change_slot(f"CREATE_REPLICATION_SLOT {self.params['slot']} PHYSICAL", "already exists")

    def drop_slot(self) -> None:
        self.change_slot(f"DROP_REPLICATION_SLOT {self.params['slot']}", "does not exist")

    def change_slot(self, command: str, done: str) -> None:
        try:
            self.ask_primary(command)
        except ValueError as exc:
            if done not in str(exc):
                raise

    def action(self) -> str:
        rebuild, rejoin = bool(self.params["rebuild"]), bool(self.params["rejoin"])
        primary = str(self.params["primary"])
        try:
            replica = self.server.is_replica()
        except ValueError:
            if not (rebuild and self.marked):
                raise
            # A replica that reaches no state it can answer from, or is just about to.
            return replication.KEEP if self.follows(rebuild) else replication.CLONE
        if replica and self.server.ask(STREAMING)[0]:
            return replication.KEEP
        if not replica and self.reach_primary() == "on":
            raise ValueError(
                f"{primary} copies a server itself. If this one has taken over from it, make it postgres_primary"
            )
        system, timeline = self.ask_primary("IDENTIFY_SYSTEM").split("|")[:2]
        here, empty = self.described(), self.server.is_empty()
        if replica and here.system == system and not self.parted(int(timeline)) and self.follows(rebuild):
            return replication.KEEP
        return replication.decide(here, empty, primary, system, rebuild, rejoin, replica)

    def parted(self, primary: int) -> bool:
        """Whether this replica has copied what its primary, now on that timeline, has given up."""
        place, size, segments = self.server.ask(REPLAYED)[0]
        history = self.ask_primary(f"TIMELINE_HISTORY {primary}") if primary > 1 else ""
        at = replication.position(place)
        return replication.parted(replication.timeline_at(segments, at, size), at, primary, history)

    def follows(self, rebuild: bool) -> bool:
        """Whether a replica is left to go on by itself. One that may be filled anew has some time to prove it."""
        if rebuild:
            try:
                self.wait(STREAMING, f"copy {self.params['primary']}")
            except ValueError:
                return False
        return True

    def clone(self) -> None:
        """Fill a directory beside the server's own, and let them change places only when it is complete."""
        fresh, aside = f"{self.data}.new", f"{self.data}.before-{time.strftime('%Y%m%dT%H%M%S')}"
        empty = not self.marked and self.server.is_empty()
        if os.path.lexists(fresh):
            shutil.rmtree(fresh)
        # A slot that has kept too much is good for nothing any more.
        self.drop_slot()
        self.keep_slot()
        how = ["--wal-method=stream", "--checkpoint=fast", "--no-password", f"--slot={self.params['slot']}"]
        self.run("pg_basebackup", f"--pgdata={fresh}", *how, f"--dbname={self.params['connection']}")
        self.mark(fresh)
        _systemd.stop(self.unit)
        os.rename(self.data, aside)
        os.rename(fresh, self.data)
        _systemd.start(self.unit)
        self.wait(STREAMING, f"copy {self.params['primary']}")
        if empty:
            shutil.rmtree(aside)

    def rewind(self) -> None:
        """Give up what this server has written since the primary took over."""
        self.keep_slot()
        _systemd.stop(self.unit)
        source = f"dbname=postgres {self.params['connection']}"
        words = [f"--target-pgdata={self.data}", f"--source-server={source}", f"--config-file={self.config}"]
        try:
            self.run("pg_rewind", *words)
        except ValueError as exc:
            rebuild = replication.ASKED_TO_REBUILD
            raise ValueError(f"{exc}. The server stays stopped; to fill it anew instead, {rebuild}") from None
        self.mark(self.data)
        _systemd.start(self.unit)
        self.wait(STREAMING, f"copy {self.params['primary']}")

    def mark(self, data: str) -> None:
        """Whoever starts this server starts a replica."""
        account = pwd.getpwnam(USER)
        path = f"{data}/standby.signal"
        if not os.path.exists(path):
            _files.write_new(path, b"", 0o600)
            os.chown(path, account.pw_uid, account.pw_gid)


def follow(host: Host, check: bool) -> dict[str, t.Any]:
    if check and not os.path.exists(host.params["password_file"]):
        # Without a password the primary cannot be asked, and there has been nothing to copy it for.
        return {"changed": True, "action": replication.CLONE}
    changed = not check and host.keep_password()
    action = host.action()
    changed = changed or action != replication.KEEP
    if not check:
        if action == replication.CLONE:
            host.clone()
        elif action == replication.REWIND:
            host.rewind()
        elif not host.server.ask(STREAMING)[0]:
            host.keep_slot()
    return {"changed": changed, "action": action}


def fence(host: Host, check: bool) -> dict[str, t.Any]:
    """Stop the server, all it has written sent, and see that it is no primary when it is started again."""
    marked = host.marked
    if check:
        return {"changed": not marked, "action": "fence", "checkpoint": ""}
    _systemd.stop(host.unit)
    said = host.described()
    if not said.shut_down:
        raise ValueError(f"{host.unit} has stopped, but not in order; see its log. Nothing else was done")
    host.mark(host.data)
    return {"changed": not marked, "action": "fence", "checkpoint": said.checkpoint}


def promote(host: Host, check: bool) -> dict[str, t.Any]:
    if not host.server.is_replica():
        return {"changed": False, "action": replication.KEEP}
    wanted, primary = host.params["streaming"], host.params["primary"]
    if wanted != "any":
        streaming = host.server.ask(STREAMING)[0]
        if wanted == "wanted" and not streaming:
            raise ValueError(f"{host.unit} does not receive anything from {primary} at this moment; see its log")
        if wanted == "lost" and streaming:
            raise ValueError(
                f"{host.unit} receives what {primary} writes, so that is not lost: two that take writes would part for "
                "good. Stop it; if it went just now, try again in a minute"
            )
    if not check:
        received = host.params["received"]
        if received:
            place = int(replication.position(received))
            host.wait(
                f"SELECT to_json(pg_last_wal_replay_lsn() - '0/0'::pg_lsn > {place});",
                f"have all that the former primary has written, up to {received} (to go back to that one, remove "
                "standby.signal from its directory and start it)",
            )
        host.server.ask(f"SELECT to_json(pg_promote(true, {STATE_SECONDS}));")
        host.wait("SELECT to_json(NOT pg_is_in_recovery());", "take writes")
        # pg_rewind believes the control file, which tells of the new history only from the next checkpoint on.
        host.server.ask("CHECKPOINT;")
    return {"changed": True, "action": "promote"}


DO = {"following": follow, "fenced": fence, "primary": promote}


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    result: dict[str, t.Any] = {}
    try:
        result = DO[module.params["state"]](Host(module.params), module.check_mode)
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
