#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: patroni_config
short_description: Keep the settings that the members of a Patroni cluster share
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Waits until the member runs and the cluster has a leader, and has Patroni merge those settings that differ.
  - Settings that nobody names here stay. Those of C(postgresql.parameters) are all named here, or taken out.
  - Nothing is restarted, and nobody else leads afterwards.
attributes:
  check_mode:
    description: Can run in check mode and predicts the change.
    support: full
  diff_mode:
    description: Shows the settings before and after.
    support: full
options:
  url:
    description: The member's own REST API, such as V(http://10.20.0.31:8008).
    type: str
    required: true
  user:
    description: Who may change settings.
    type: str
    required: true
  password:
    description: With which password.
    type: str
    required: true
  config:
    description: The settings, as C(patronictl edit-config) shows them.
    type: dict
    required: true
  catch_up:
    description:
      - Whether to wait until the member has certainly read the settings as they are now, so that RV(pending_restart)
        is about these. Takes up to two of its rounds, C(loop_wait).
    type: bool
    default: false
  timeout:
    description: For how many seconds to wait for the member and the leader.
    type: float
    default: 300
"""

EXAMPLES = r"""
- name: Have whoever takes over know all that was acknowledged
  evenkeel.fleet.patroni_config:
    url: http://10.20.0.31:8008
    user: evenkeel
    password: "{{ vault_patroni_password }}"
    config:
      synchronous_mode: true
"""

RETURN = r"""
leads:
  description: Whether this member is the leader.
  type: bool
  returned: success
pending_restart:
  description: Whether settings wait until this member's Postgres restarts.
  type: bool
  returned: success
"""

import base64
import json
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.evenkeel.fleet.plugins.module_utils import _http, _patroni

SPEC: dict[str, t.Any] = {
    "url": {"type": "str", "required": True},
    "user": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "config": {"type": "dict", "required": True},
    "catch_up": {"type": "bool", "default": False},
    "timeout": {"type": "float", "default": 300.0},
}

WHOLE = ("postgresql.parameters",)
PAUSE = 2.0
ROUNDS = 2
CONFLICT = 409


class Api:
    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}

    def ask(self, path: str, method: str = "GET", body: t.Any = None) -> tuple[int, dict[str, t.Any]]:
        """The status and what it says, if that is more than text. Raises OSError or, when not let in, ValueError."""
        sent = None if body is None else json.dumps(body)
        reply = _http.ask(_http.Request(f"{self.url}{path}", method, self.headers, sent, timeout=20))
        if reply.status in (401, 403):
            raise ValueError(f"{self.url} does not take the user and password for its settings")
        return reply.status, json.loads(reply.body) if reply.body.startswith("{") else {}


def wait_for_leader(
    api: Api, timeout: float, now: t.Callable[[], float], sleep: t.Callable[[float], None]
) -> tuple[_patroni.Member, dict[str, t.Any]]:
    """The member once it runs, and the cluster's settings once there is a leader. Raises ValueError when it is late."""
    deadline = now() + timeout
    while True:
        try:
            member = _patroni.member_of(api.ask("/patroni")[1])
            cluster = api.ask("/cluster")[1]
            status, config = api.ask("/config")
            seen = f"state {member.state}, role {member.role}"
            if member.running and status == 200 and _patroni.has_leader(cluster):
                return member, config
        except OSError as exc:
            seen = str(exc)
        if now() + PAUSE > deadline:
            raise ValueError(
                f"{api.url}: wanted a member that runs in a cluster with a leader within {timeout:.0f} s, seen {seen}; "
                "journalctl -u patroni says why"
            )
        sleep(PAUSE)


def give(api: Api, changes: t.Mapping[str, t.Any]) -> bool:
    """Have Patroni merge them; false if another member was given something between the look and this."""
    status, _said = api.ask("/config", "PATCH", changes)
    if status not in (200, CONFLICT):
        raise ValueError(f"{api.url} refuses the settings with status {status}; see journalctl -u patroni")
    return status == 200


def caught_up(
    api: Api, timeout: float, now: t.Callable[[], float], sleep: t.Callable[[float], None]
) -> _patroni.Member:
    """The member after two more of its rounds: one may have read the settings before, and acts on them at its end."""
    deadline = now() + timeout
    rounds: set[t.Any] = set()
    while True:
        said = api.ask("/patroni")[1]
        rounds.add(said.get("dcs_last_seen"))
        if len(rounds) > ROUNDS:
            return _patroni.member_of(said)
        if now() + PAUSE > deadline:
            raise ValueError(
                f"{api.url}: wanted a member that reads the settings anew within {timeout:.0f} s, but it was last seen "
                f"to do so at {said.get('dcs_last_seen')}; journalctl -u patroni says why"
            )
        sleep(PAUSE)


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    params = module.params
    result: dict[str, t.Any] = {}
    try:
        api = Api(params["url"], params["user"], params["password"])
        while True:
            member, seen = wait_for_leader(api, params["timeout"], time.monotonic, time.sleep)
            changes = _patroni.patch(seen, params["config"], WHOLE)
            if not changes or module.check_mode or give(api, changes):
                break
        if params["catch_up"] and not module.check_mode:
            member = caught_up(api, params["timeout"], time.monotonic, time.sleep)
        result = {
            "changed": bool(changes),
            "leads": member.leads,
            "pending_restart": member.pending_restart,
            "diff": {"before": seen, "after": _patroni.merged(seen, changes)},
        }
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
