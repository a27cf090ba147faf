#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: health_gate
short_description: Wait until probes have been good for long enough, or say why they were not
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Looks at all probes again and again. The gate opens after O(successes) good looks in a row that span
    O(min_healthy) seconds; a bad look starts the count anew.
  - It fails when that has not happened within O(timeout) seconds, or at once when a unit has failed or restarted.
  - A probe that is missing or unreadable counts as bad.
attributes:
  check_mode:
    description: Looks at nothing in check mode, for the instance may not be there yet, and succeeds.
    support: full
  diff_mode:
    description: Has nothing to show in diff mode.
    support: none
options:
  probes:
    description: What must hold, all at once.
    type: list
    elements: dict
    required: true
    suboptions:
      type:
        description:
          - V(http) sends a request from the host.
          - V(tcp) opens a connection.
          - V(unit) wants a systemd unit active, as the same process as at the first look and never restarted.
        type: str
        choices: [http, tcp, unit]
        default: http
      url:
        description: Where to send the request of a probe of type V(http).
        type: str
      method:
        description: Method of the request.
        type: str
        default: GET
      headers:
        description: Headers of the request.
        type: dict
        default: {}
      status:
        description: Which statuses are good.
        type: list
        elements: int
        default: [200]
      json:
        description:
          - Paths into the JSON body, such as C(data.version), and the value wanted at each.
        type: dict
        default: {}
      body:
        description: Regular expression that the body must match somewhere.
        type: str
      address:
        description: Address for a probe of type V(tcp).
        type: str
        default: 127.0.0.1
      port:
        description: Port for a probe of type V(tcp).
        type: int
      unit:
        description: Name of the unit for a probe of type V(unit).
        type: str
      timeout:
        description: Within how many seconds a probe must be answered.
        type: float
        default: 5
  successes:
    description: How many good looks in a row open the gate.
    type: int
    default: 3
  interval:
    description: Seconds between two looks.
    type: float
    default: 0.5
  min_healthy:
    description: How many seconds the good looks must span at least.
    type: float
    default: 0
  timeout:
    description: After how many seconds the gate fails.
    type: float
    default: 60
  journal_of:
    description: Unit whose last lines are returned when the gate fails.
    type: str
"""

EXAMPLES = r"""
- name: Let nobody reach the new release before it is ready and of the right version
  evenkeel.fleet.health_gate:
    probes:
      - url: http://127.0.0.1:8002/ready
        json: {database: true}
      - url: http://127.0.0.1:8002/version
        json: {version: 1.1.0}
      - type: unit
        unit: notes@green.service
    min_healthy: 10
    timeout: 300
    journal_of: notes@green.service
"""

RETURN = r"""
healthy:
  description: Whether the gate opened.
  type: bool
  returned: always
cause:
  description: What was wrong at the last bad look; empty when the gate opened.
  type: str
  returned: always
looks:
  description: How often the probes were looked at.
  type: int
  returned: always
seconds:
  description: How long it took.
  type: float
  returned: always
timeline:
  description: What was seen when. Equal looks in a row are one entry.
  type: list
  elements: dict
  returned: always
  sample: [{at: 0.0, ok: false, text: "GET http://127.0.0.1:8002/ready answered 503, wanted 200", times: 3}]
journal:
  description: The last lines of O(journal_of).
  type: list
  elements: str
  returned: on failure
"""

import time
import typing as t
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.evenkeel.fleet.plugins.module_utils import _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils._gate import Policy, Verdict, together, watch
from ansible_collections.evenkeel.fleet.plugins.module_utils._probes import probe_of

SPEC: dict[str, t.Any] = {
    "probes": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "type": {"type": "str", "choices": ["http", "tcp", "unit"], "default": "http"},
            "url": {"type": "str"},
            "method": {"type": "str", "default": "GET"},
            "headers": {"type": "dict", "default": {}},
            "status": {"type": "list", "elements": "int", "default": [200]},
            "json": {"type": "dict", "default": {}},
            "body": {"type": "str"},
            "address": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int"},
            "unit": {"type": "str"},
            "timeout": {"type": "float", "default": 5},
        },
        "required_if": [("type", "http", ["url"]), ("type", "tcp", ["port"]), ("type", "unit", ["unit"])],
    },
    "successes": {"type": "int", "default": 3},
    "interval": {"type": "float", "default": 0.5},
    "min_healthy": {"type": "float", "default": 0},
    "timeout": {"type": "float", "default": 60},
    "journal_of": {"type": "str"},
}

JOURNAL_LINES = 20


def gate(params: t.Mapping[str, t.Any]) -> Verdict:
    policy = Policy(params["successes"], params["interval"], params["min_healthy"], params["timeout"])
    if not params["probes"]:
        raise ValueError("probes is empty; a gate without a probe would always open")
    probes = [probe_of(options) for options in params["probes"]]
    return watch(lambda: together([probe() for probe in probes]), policy, time.monotonic, time.sleep)


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=False, healthy=True, cause="", looks=0, seconds=0.0, timeline=[])
    result: dict[str, t.Any] = {}
    try:
        verdict = gate(module.params)
        result = {**asdict(verdict), "timeline": list(verdict.timeline)}
        if not verdict.healthy:
            unit = module.params["journal_of"]
            result["journal"] = _systemd.journal(unit, JOURNAL_LINES) if unit else []
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    if not result["healthy"]:
        module.fail_json(msg=f"not healthy after {result['seconds']:.1f} s: {result['cause']}", **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
