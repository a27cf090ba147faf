#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: slot
short_description: Start or stop an instance of a release in a slot
version_added: 1.0.0
description:
  - Puts a release into a slot, V(blue) or V(green), and starts it there, or stops it and empties the slot.
  - A started slot is enabled, so that a reboot in the middle of a rollout finds every instance that it needs.
  - A release that is not whole is refused before anything is stopped.
  - Before an instance is stopped, the connections to it get time to end.
  - The slot that the switch points to is never given another release and never stopped.
attributes:
  check_mode:
    description: Can run in check mode and predicts whether anything would change.
    support: full
  diff_mode:
    description: Shows the slot's release and state.
    support: full
options:
  slot:
    description: The slot to work on.
    type: str
    choices: [blue, green]
    required: true
  state:
    description: Whether an instance runs in the slot.
    type: str
    choices: [started, stopped]
    default: started
  release:
    description: Id of the release to start. Required for O(state=started).
    type: str
  drain_timeout:
    description:
      - How many seconds to wait, before an instance is stopped, until nothing is connected to it any more.
      - Connections that are open then are counted in RV(connections) and end with the instance.
    type: int
    default: 30
extends_documentation_fragment:
  - evenkeel.fleet.service
  - evenkeel.fleet.service.rollout
  - evenkeel.fleet.service.ports
"""

EXAMPLES = r"""
- name: Start a release in the slot green
  evenkeel.fleet.slot:
    service: notes
    ports: [{public: 8000, blue: 8001, green: 8002}]
    slot: green
    release: 1.1.0-5feceb66ffc8

- name: Stop what runs in the slot blue
  evenkeel.fleet.slot:
    service: notes
    ports: [{public: 8000, blue: 8001, green: 8002}]
    slot: blue
    state: stopped
"""

RETURN = r"""
slots:
  description: What is in each slot, by slot, as it was before the module acted.
  type: dict
  returned: always
  sample:
    blue: {release: 1.0.0-5feceb66ffc8, running: true, state: active, restarts: 0, enabled: true}
    green: {release: "", running: false, state: inactive, restarts: 0, enabled: false}
unit:
  description: Name of the systemd unit of the slot.
  type: str
  returned: always
  sample: notes@green.service
connections:
  description: How many connections were open when the instance was stopped.
  type: int
  returned: when an instance was stopped
waited:
  description: How many seconds the module waited for connections to end.
  type: float
  returned: when an instance was stopped
journal:
  description: The last lines that the instance wrote.
  type: list
  elements: str
  returned: when the instance did not start
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.evenkeel.fleet.plugins.module_utils import (
    _connections,
    _files,
    _installed,
    _instances,
    _state,
    _systemd,
)
from ansible_collections.evenkeel.fleet.plugins.module_utils._answer import ending_of
from ansible_collections.evenkeel.fleet.plugins.module_utils._arguments import PORTS, ROLLOUT, SERVICE
from ansible_collections.evenkeel.fleet.plugins.module_utils._drain import wait_until_drained
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import Layout
from ansible_collections.evenkeel.fleet.plugins.module_utils._switch import Ports

SPEC: dict[str, t.Any] = {
    **SERVICE,
    **ROLLOUT,
    **PORTS,
    "slot": {"type": "str", "choices": ["blue", "green"], "required": True},
    "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
    "release": {"type": "str"},
    "drain_timeout": {"type": "int", "default": 30},
}

JOURNAL_LINES = 20


def is_as_wanted(now: t.Mapping[str, t.Any], state: str, release: str | None) -> bool:
    if state == "started":
        return bool(now["running"] and now["enabled"] and now["release"] == release)
    return not (now["running"] or now["enabled"] or now["release"])


def check_release(layout: Layout, release: str) -> None:
    """Refuse a release that cannot be started, while whatever runs still does."""
    if not _installed.is_whole(layout, release):
        raise ValueError(
            f"release {release} is not staged, or not whole, in {layout.release(release)}; stage it first. "
            "Nothing was stopped"
        )


def start(layout: Layout, slot: str, release: str) -> None:
    directory = layout.release(release)
    unit = layout.unit(slot)
    _files.replace_link(layout.slot(slot), f"../releases/{release}/{slot}")
    _files.replace_link(layout.unit_link(slot), f"{directory}/{layout.unit_template}")
    _files.replace_link(layout.enabled_link(slot), f"../{unit}")
    _systemd.daemon_reload()
    _systemd.forget_failure(unit)
    try:
        _systemd.start(unit)
    except OSError as exc:
        # systemctl itself says no more than that it failed.
        if ending := ending_of(_systemd.journal(unit, JOURNAL_LINES)):
            raise OSError(f"{unit} did not stay up: {ending}") from exc
        raise


def drain_and_stop(layout: Layout, slot: str, ports: t.Sequence[Ports], timeout: int) -> dict[str, t.Any]:
    numbers = {port.of(slot) for port in ports}
    connections, waited = wait_until_drained(
        lambda: _connections.count_on_host(numbers), timeout=timeout, now=time.monotonic, sleep=time.sleep
    )
    _systemd.stop(layout.unit(slot))
    return {"connections": connections, "waited": waited}


def clear(layout: Layout, slot: str) -> None:
    unit = layout.unit(slot)
    _systemd.forget_failure(unit)
    for link in (layout.enabled_link(slot), layout.unit_link(slot), layout.slot(slot)):
        _files.remove_link(link)
    _systemd.daemon_reload()


def main() -> None:
    module = AnsibleModule(
        argument_spec=SPEC,
        supports_check_mode=True,
        required_if=[("state", "started", ["release"])],
    )
    slot, state, release = (module.params[name] for name in ("slot", "state", "release"))
    result: dict[str, t.Any] = {}
    try:
        layout = Layout.of(module.params["service"], module.params["root"])
        slots = _instances.observe_slots(layout)
        now = slots[slot]
        changed = not is_as_wanted(now, state, release)
        result = {
            "changed": changed,
            "slots": slots,
            "unit": layout.unit(slot),
            "diff": {
                "before": {"slot": slot, "release": now["release"], "running": now["running"]},
                "after": {"slot": slot, "release": release or "", "running": state == "started"},
            },
        }
        if changed:
            _state.check_write(layout, module)
        if changed and not module.check_mode:
            ports = [Ports(**port) for port in module.params["ports"]]
            carries_traffic = _instances.observe_switch(layout, ports)[0] == slot
            if carries_traffic and (state == "stopped" or now["release"] != release):
                raise ValueError(
                    f"slot {slot} of {layout.service} carries the traffic (release {now['release'] or 'none'}); "
                    "move the switch to the other slot first"
                )
            if state == "started":
                check_release(layout, release)
            # A run that was killed here may have left a slot whose unit systemd knows no more and refuses to stop.
            if now["running"] and (state == "stopped" or now["release"] != release):
                own = _instances.ports_of(layout, now["release"], ports)
                result |= drain_and_stop(layout, slot, own, module.params["drain_timeout"])
            if state == "started":
                start(layout, slot, release)
            else:
                clear(layout, slot)
    except (ValueError, OSError) as exc:
        if state == "started" and "unit" in result:
            result["journal"] = _systemd.journal(result["unit"], JOURNAL_LINES)
        module.fail_json(**{**result, "msg": str(exc)})
    module.exit_json(**result)


if __name__ == "__main__":
    main()
