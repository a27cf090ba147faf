#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_lease
short_description: Take, renew or release the right to change a service on a host
version_added: 1.0.0
description:
  - Keeps two rollouts apart. While one holds the lease of a service on a host, others are refused with its name, and
    M(evenkeel.fleet.slot), M(evenkeel.fleet.traffic_switch) and M(evenkeel.fleet.release) change nothing for them.
    For the rollout that holds it, each change that these make renews it.
  - A lease ends when it is released, when its time is over, or when the controller that took it sees that the process
    which did so has ended.
attributes:
  check_mode:
    description: Can run in check mode; refuses as it would without, but takes and releases nothing.
    support: full
  diff_mode:
    description: Has nothing to show in diff mode.
    support: none
options:
  state:
    description: V(held) takes or renews the lease, V(released) releases it and writes O(entry) into the journal.
    type: str
    choices: [held, released]
    default: held
  rollout:
    description: Id of the rollout.
    type: str
    required: true
  owner:
    description: Who is at work, for people. Required for O(state=held).
    type: str
  process:
    description: The process at work. Filled in on the controller.
    type: str
    default: ""
  ttl:
    description: For how many seconds the lease is valid unless it is renewed.
    type: int
    default: 300
  dead:
    description: Id of a rollout whose process has ended. Filled in on the controller.
    type: str
    default: ""
  renew:
    description: Whether to fail unless the rollout holds the lease already. One that lost it must not go on.
    type: bool
    default: false
  seize:
    description:
      - Whether to take the lease from a rollout that is at work, which then changes nothing any more. For emergencies.
    type: bool
    default: false
  ports:
    description: The ports of the service; given, the module also returns RV(seen).
    type: list
    elements: dict
    suboptions:
      public:
        description: Port at which others reach the service.
        type: int
        required: true
      blue:
        description: Port of the instance in the slot V(blue).
        type: int
        required: true
      green:
        description: Port of the instance in the slot V(green).
        type: int
        required: true
  entry:
    description: What to write into the journal, such as the releases and the outcome.
    type: dict
    default: {}
extends_documentation_fragment:
  - evenkeel.fleet.service
"""

EXAMPLES = r"""
- name: Let nobody else change notes
  evenkeel.fleet.rollout_lease:
    service: notes
    rollout: 20260102T030405Z-a1b2
    owner: deploy@control

- name: Let others change notes again
  evenkeel.fleet.rollout_lease:
    service: notes
    rollout: 20260102T030405Z-a1b2
    state: released
    entry: {outcome: kept, to: 1.1.0-6b86b273ff34}
"""

RETURN = r"""
holder:
  description: The lease that is held now; empty if there is none.
  type: dict
  returned: always
  sample:
    rollout: 20260102T030405Z-a1b2
    owner: deploy@control
    process: ""
    taken: 1767323045.1
    expires: 1767323345.1
    ttl: 300
seen:
  description: What runs on the host, as M(evenkeel.fleet.rollout_info) returns it; nobody else changes it any more.
  type: dict
  returned: when O(ports) is given and O(state=held)
"""

import time
import typing as t
from contextlib import nullcontext
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.evenkeel.fleet.plugins.module_utils import _instances, _state
from ansible_collections.evenkeel.fleet.plugins.module_utils._arguments import PORTS, SERVICE
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import Layout
from ansible_collections.evenkeel.fleet.plugins.module_utils._lease import HeldError, Lease, renew, take
from ansible_collections.evenkeel.fleet.plugins.module_utils._switch import Ports

SPEC: dict[str, t.Any] = {
    **SERVICE,
    "state": {"type": "str", "choices": ["held", "released"], "default": "held"},
    "rollout": {"type": "str", "required": True},
    "owner": {"type": "str"},
    "process": {"type": "str", "default": ""},
    "ttl": {"type": "int", "default": 300},
    "dead": {"type": "str", "default": ""},
    "seize": {"type": "bool", "default": False},
    "renew": {"type": "bool", "default": False},
    "ports": {**PORTS["ports"], "required": False},
    "entry": {"type": "dict", "default": {}},
}


def hold(module: AnsibleModule, layout: Layout, held: Lease | None) -> Lease:
    params, now = module.params, time.time()
    wanted = Lease.begun(params["rollout"], params["owner"], params["process"], now, params["ttl"])
    # In check mode there is none to renew.
    renewing = params["renew"] and not module.check_mode
    lease = renew(held, wanted) if renewing else take(held, wanted, params["dead"], params["seize"])
    if not module.check_mode:
        if held is not None and held.rollout != lease.rollout:
            _state.record(layout, entry_of(held, now, {"outcome": "abandoned"}))
        _state.write_lease(layout, lease)
    return lease


def entry_of(held: Lease, now: float, said: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    seconds = round(now - held.taken, 1)
    return {**said, "at": round(now, 1), "rollout": held.rollout, "owner": held.owner, "seconds": seconds}


def let_go(module: AnsibleModule, layout: Layout, held: Lease | None) -> Lease | None:
    """A lease that went to somebody else meanwhile is not ours to release."""
    params, now = module.params, time.time()
    if held is None or held.rollout != params["rollout"]:
        return held
    if not module.check_mode:
        if params["entry"]:
            _state.record(layout, entry_of(held, now, params["entry"]))
        _state.drop_lease(layout)
    return None


def main() -> None:
    module = AnsibleModule(
        argument_spec=SPEC,
        supports_check_mode=True,
        required_if=[("state", "held", ["owner"])],
    )
    act = {"held": hold, "released": let_go}[module.params["state"]]
    held: Lease | None = None
    result: dict[str, t.Any] = {"changed": False, "holder": {}}
    try:
        layout = Layout.of(module.params["service"], module.params["root"])
        with nullcontext() if module.check_mode else _state.locked(layout):
            held = _state.read_lease(layout)
            lease = act(module, layout, held)
        result["holder"] = asdict(lease) if lease else {}
        if module.params["ports"] and module.params["state"] == "held":
            result["seen"] = _instances.observe(layout, [Ports(**port) for port in module.params["ports"]])
    except HeldError as exc:
        module.fail_json(msg=str(exc), held=True, holder=asdict(t.cast("Lease", held)))
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc), **result)
    # A lease leaves nothing behind that a second run would find changed.
    module.exit_json(**result)


if __name__ == "__main__":
    main()
