#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: traffic_switch
short_description: Move the switch of a service
version_added: 1.0.0
description:
  - The switch is an nftables table of the service's own that sends new connections for the public port to one slot,
    or refuses them. Moving it is one kernel transaction; established connections stay where they are.
  - The position survives a reboot, and whatever becomes of C(nftables.service). No other table is touched.
  - It leads to where the release in the slot listens, and has the public ports which that release was staged with.
    V(closed) closes the public ports that it has now.
  - Nobody but the host itself can reach the port of a slot directly.
attributes:
  check_mode:
    description: Can run in check mode and predicts whether the switch would move.
    support: full
  diff_mode:
    description: Shows the position.
    support: full
options:
  position:
    description: The slot that receives new connections, or V(closed) to refuse them.
    type: str
    choices: [blue, green, closed]
    required: true
extends_documentation_fragment:
  - evenkeel.fleet.service
  - evenkeel.fleet.service.rollout
  - evenkeel.fleet.service.ports
"""

EXAMPLES = r"""
- name: Send new connections to the slot green
  evenkeel.fleet.traffic_switch:
    service: notes
    ports: [{public: 8000, blue: 8001, green: 8002}]
    position: green
"""

RETURN = r"""
position:
  description: Position of the switch.
  type: str
  returned: success
  sample: green
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.evenkeel.fleet.plugins.module_utils import (
    _files,
    _instances,
    _nft,
    _state,
    _systemd,
)
from ansible_collections.evenkeel.fleet.plugins.module_utils._arguments import PORTS, ROLLOUT, SERVICE
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import SWITCH_UNIT_FILE, Layout
from ansible_collections.evenkeel.fleet.plugins.module_utils._nft_unit import DROP_IN, DROP_IN_FILE
from ansible_collections.evenkeel.fleet.plugins.module_utils._switch import (
    POSITIONS,
    UNIT,
    Ports,
    check_ports,
    ruleset,
)

SPEC: dict[str, t.Any] = {
    **SERVICE,
    **ROLLOUT,
    **PORTS,
    "position": {"type": "str", "choices": list(POSITIONS), "required": True},
}


def persist(layout: Layout, rules: str) -> None:
    """Have the position survive: the rules in a file, and units that load it at boot and with nftables.service."""
    _files.write_file(layout.switch_file, rules.encode(), 0o644)
    _systemd.keep_units({SWITCH_UNIT_FILE: UNIT, DROP_IN_FILE: DROP_IN})
    if _files.read_link(layout.switch_enabled_link) != SWITCH_UNIT_FILE:
        _files.replace_link(layout.switch_enabled_link, SWITCH_UNIT_FILE)


def move(layout: Layout, ports: t.Sequence[Ports], position: str) -> None:
    # The file first: a crash between the two leaves a switch that the next boot or the next run moves on.
    persist(layout, ruleset(layout.switch_table, ports, position))
    _nft.load(layout.switch_file)
    # It loads the same file once more, as it will at boot.
    _systemd.start(layout.switch_unit)


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    position = module.params["position"]
    result: dict[str, t.Any] = {}
    try:
        layout = Layout.of(module.params["service"], module.params["root"])
        given = [Ports(**port) for port in module.params["ports"]]
        check_ports(given)
        seen, now = _instances.observe_switch(layout, given)
        ports = _instances.ports_at(layout, position, now, given)
        changed = (seen, now) != (position, ports) or not _instances.switch_lasts(layout, ports, position)
        if changed:
            _state.check_write(layout, module)
        if changed and not module.check_mode:
            move(layout, ports, position)
        result = {
            "changed": changed,
            "position": position,
            "diff": {"before": {"position": seen}, "after": {"position": position}},
        }
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
