#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_sentinel
short_description: Have a running Sentinel watch Redis servers
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Reads in Sentinel's own file what it watches, and tells the running Sentinel what is missing. The file itself is
    Sentinel's, and so are the ids and epochs in it.
  - Who is primary is Sentinel's matter too. The address given here counts only where it does not watch that name yet.
  - Nothing is ever restarted.
attributes:
  check_mode:
    description: Can run in check mode and predicts the commands.
    support: full
  diff_mode:
    description: Shows the commands, without passwords.
    support: full
options:
  path:
    description: Sentinel's own file.
    type: path
    default: /etc/redis/sentinel.conf
  port:
    description: Where Sentinel listens on loopback.
    type: int
    default: 26379
  password:
    description:
      - What clients and other Sentinels have to say to it, of letters, digits and the signs _ . ~ + = , @ / - and the
        colon.
    type: str
    required: true
  masters:
    description: What it is to watch. Everything else it watches no longer.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name under which clients ask for the primary.
        type: str
        required: true
      address:
        description: The address of the primary to begin with.
        type: str
        required: true
      port:
        description: Its port.
        type: int
        default: 6379
      user:
        description: As whom Sentinel logs in there.
        type: str
        required: true
      password:
        description: With which password; as for O(password).
        type: str
        required: true
      quorum:
        description: How many Sentinels have to find the primary unreachable.
        type: int
        required: true
      down_after:
        description: For how many seconds it has to be silent.
        type: float
        required: true
      failover_timeout:
        description: After how many seconds a failover that went wrong may be tried again.
        type: float
        required: true
"""

EXAMPLES = r"""
- name: Watch three servers of which cache1 begins as the primary
  evenkeel.fleet.redis_sentinel:
    password: "{{ vault_sentinel_password }}"
    masters:
      - name: notes
        address: 10.20.0.41
        user: sentinel
        password: "{{ vault_sentinel_redis_password }}"
        quorum: 2
        down_after: 10
        failover_timeout: 60
"""

RETURN = r"""
commands:
  description: The commands that were needed, without passwords.
  type: list
  elements: str
  returned: success
"""

import re
import typing as t

from ansible_collections.evenkeel.fleet.plugins.module_utils import _files, _redis, _sentinel
from ansible_collections.evenkeel.fleet.plugins.module_utils._quiet import QuietModule

SPEC: dict[str, t.Any] = {
    "path": {"type": "path", "default": "/etc/redis/sentinel.conf"},
    "port": {"type": "int", "default": 26379},
    "password": {"type": "str", "required": True, "no_log": True},
    "masters": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "default": 6379},
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "quorum": {"type": "int", "required": True},
            "down_after": {"type": "float", "required": True},
            "failover_timeout": {"type": "float", "required": True},
        },
    },
}

TIMEOUT = 20.0
# Sentinel writes its file without quotes.
WORD = re.compile(r"[A-Za-z0-9_.~+=:,@/-]+")


def wanted(masters: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, _sentinel.Master]:
    found = {}
    for master in masters:
        options = {
            "auth-user": master["user"],
            "auth-pass": word(master["password"], f"password of {master['name']}"),
            "down-after-milliseconds": str(round(master["down_after"] * 1000)),
            "failover-timeout": str(round(master["failover_timeout"] * 1000)),
        }
        name = word(master["name"], "name")
        found[name] = _sentinel.Master(master["address"], str(master["port"]), str(master["quorum"]), options)
    return found


def word(value: str, what: str) -> str:
    if not WORD.fullmatch(value):
        raise ValueError(f"the {what} is empty or has other characters than letters, digits and _ . ~ + = , @ / - :")
    return value


def tell(port: int, passwords: t.Sequence[str], commands: t.Sequence[_sentinel.Command]) -> None:
    """Log in with the first password that is right, and give the commands. Raises ValueError for what is refused."""
    for password in passwords:
        server = _redis.Server("127.0.0.1", port, password=password or None)
        said = _redis.ask(server, [("PING",), *(command.words for command in commands)], TIMEOUT)
        if len(said) == len(commands) + 1 and said[-1] == "+OK":
            return
        if len(said) > 1:
            raise ValueError(f"Sentinel refuses {commands[len(said) - 2].shown}: {said[-1][1:]}")
    raise ValueError(f"Sentinel on port {port} lets nobody in, neither with the password nor with that in its file")


def main() -> None:
    module = QuietModule(argument_spec=SPEC, supports_check_mode=True)
    params = module.params
    commands: list[_sentinel.Command] = []
    try:
        masters, password = wanted(params["masters"]), word(params["password"], "password")
        text = _files.read_text(params["path"])
        if text is None:
            raise ValueError(f"{params['path']} is not there; wanted the file of a Sentinel that runs")
        seen = _sentinel.parse(text)
        commands = _sentinel.plan(seen, masters, password)
        if commands and not module.check_mode:
            tell(params["port"], list(dict.fromkeys([seen.password, password, ""])), commands)
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    shown = [command.shown for command in commands]
    after = "".join(f"{line}\n" for line in shown)
    module.exit_json(changed=bool(commands), commands=shown, diff={"before": "", "after": after})


if __name__ == "__main__":
    main()
