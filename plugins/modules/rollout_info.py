#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_info
short_description: Say what runs where
version_added: 1.0.0
description:
  - Reports the releases of a service on a host, what is in its slots, and the position of its switch.
options:
  entries:
    description: How many entries of the journal to return.
    type: int
    default: 10
  user:
    description: User that the service runs as.
    type: str
  verify:
    description: Whether to read all releases, so as to tell which of them are damaged.
    type: bool
    default: false
  ready_path:
    description: Path to look at once, at the public port, to say whether the service is ready.
    type: str
extends_documentation_fragment:
  - evenkeel.fleet.service
  - evenkeel.fleet.service.ports
  - evenkeel.fleet.attributes.read_only
"""

EXAMPLES = r"""
- name: See what runs
  evenkeel.fleet.rollout_info:
    service: notes
    ports: [{public: 8000, blue: 8001, green: 8002}]
  register: seen
"""

RETURN = r"""
service:
  description: Name of the service.
  type: str
  returned: success
prepared:
  description: Whether nftables and O(user), if given, are on the host.
  type: bool
  returned: success
ready:
  description: Whether O(ready_path) answered 200; null without it.
  type: bool
  returned: success
answer:
  description: What O(ready_path) answered; empty without it.
  type: str
  returned: success
releases:
  description: Ids of the staged releases, oldest first.
  type: list
  elements: str
  returned: success
endpoints:
  description:
    - For each release that was staged with ports, the first of them, in public and in each slot, and the path that
      answers while it lives.
  type: dict
  returned: success
  sample:
    1.0.0-5feceb66ffc8: {public: 8000, blue: 8001, green: 8002, live_path: /health}
damaged:
  description: Ids of the releases whose files are not those they were staged with.
  type: list
  elements: str
  returned: with O(verify=true)
current:
  description: Id of the release that the host settled on; empty before the first rollout.
  type: str
  returned: success
previous:
  description: Id of the release before the current one.
  type: str
  returned: success
slots:
  description: What is in each slot, by slot.
  type: dict
  returned: success
  sample:
    blue: {release: 1.0.0-5feceb66ffc8, running: true, state: active, restarts: 0, enabled: true, memory: 8388608}
    green: {release: "", running: false, state: inactive, restarts: 0, enabled: false, memory: 0}
switch:
  description: Position of the switch, V(blue), V(green), V(closed) or V(absent).
  type: str
  returned: success
serves_at:
  description: Port at which users reach an instance that runs, by the switch; 0 where they reach none.
  type: int
  returned: success
port_refusal:
  description: Why the service cannot be reached at the given public port while it runs; empty where it can.
  type: str
  returned: success
memory:
  description: Memory of the host in bytes, in all and as much as a new program can get.
  type: dict
  returned: success
  sample: {total: 4294967296, available: 2147483648}
lasts:
  description: Whether the position of the switch survives a reboot.
  type: bool
  returned: success
retired:
  description: Whether the host was retired, so that no rollout starts anything on it.
  type: bool
  returned: success
lease:
  description: The lease that a rollout holds or held when it ended too early; empty if there is none.
  type: dict
  returned: success
journal:
  description: The last entries of the journal, oldest first.
  type: list
  elements: dict
  returned: success
  sample:
    - {at: 1767323055.0, rollout: 20260102T030405Z-a1b2, owner: deploy@control, outcome: kept, seconds: 9.8}
"""

import pwd
import time
import typing as t
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.evenkeel.fleet.plugins.module_utils import _installed, _instances, _nft, _state
from ansible_collections.evenkeel.fleet.plugins.module_utils._arguments import PORTS, SERVICE
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import Layout
from ansible_collections.evenkeel.fleet.plugins.module_utils._lease import LONGEST
from ansible_collections.evenkeel.fleet.plugins.module_utils._preflight import port_refusal
from ansible_collections.evenkeel.fleet.plugins.module_utils._probes import ready_probe
from ansible_collections.evenkeel.fleet.plugins.module_utils._switch import Ports

SPEC: dict[str, t.Any] = {
    **SERVICE,
    **PORTS,
    "entries": {"type": "int", "default": 10},
    "user": {"type": "str"},
    "verify": {"type": "bool", "default": False},
    "ready_path": {"type": "str"},
}


def has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    result: dict[str, t.Any] = {}
    try:
        layout = Layout.of(module.params["service"], module.params["root"])
        ports = [Ports(**port) for port in module.params["ports"]]
        lease = _state.read_lease(layout)
        path = module.params["ready_path"]
        seen = _instances.observe(layout, ports)
        moves = seen["serves_at"] not in (0, ports[0].public)
        answer = ready_probe(f"http://127.0.0.1:{seen['serves_at'] or ports[0].public}{path}")() if path else None
        result = {
            "service": layout.service,
            "prepared": _nft.is_installed() and (not module.params["user"] or has_user(module.params["user"])),
            "ready": answer.ok if answer else None,
            "answer": answer.text if answer else "",
            **seen,
            "port_refusal": port_refusal(layout.service, seen["serves_at"], ports[0].public) if moves else "",
            "lease": {**asdict(lease), "live": lease.is_live(time.time(), LONGEST)} if lease else {},
            "journal": _state.history(layout, module.params["entries"]),
        }
        if module.params["verify"]:
            result["damaged"] = [name for name in seen["releases"] if not _installed.is_whole(layout, name)]
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
