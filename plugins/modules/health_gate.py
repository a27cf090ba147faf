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
  - All probes are asked at once, so a look takes as long as the slowest one may, not as long as all of them.
  - Passwords, values of headers and bodies of requests appear in no result, log or process list.
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
          - V(unit) wants a systemd unit active, as the same process as at the first look and never restarted since it
            was started, but for O(probes[].restarts). With O(probes[].port) it also wants the unit, and nobody else, to
            listen on that port.
          - V(postgres) asks a Postgres one query, which may only read. The host needs the package C(python3-psycopg2);
            without it the gate fails.
          - V(redis) says PING to a Redis.
          - V(command) runs a program on the host.
        type: str
        choices: [http, tcp, unit, postgres, redis, command]
        default: http
      timeout:
        description: Within how many seconds a probe must be answered.
        type: float
        default: 5
      url:
        description:
          - Where a probe of type V(http) sends its request. A path such as V(/ready) is asked of O(base_url).
          - Messages leave out a query, and a user or password is refused here.
        type: str
      method:
        description: Method of the request.
        type: str
        default: GET
      headers:
        description: Headers of the request. Their values are hidden wherever the module's result says them.
        type: dict
        default: {}
      request_body:
        description: Body of the request.
        type: str
      status:
        description: Which statuses are good.
        type: list
        elements: int
        default: [200]
      json:
        description:
          - Paths into the JSON body of the answer, such as C(data.version), and the value wanted at each.
        type: dict
        default: {}
      body:
        description: Regular expression that the body of the answer must match somewhere.
        type: str
      max_latency:
        description: How many seconds a good answer may take; without it, O(probes[].timeout).
        type: float
      address:
        description: Address for a probe of type V(tcp), V(postgres) or V(redis).
        type: str
        default: 127.0.0.1
      port:
        description:
          - Port for a probe of type V(tcp), V(postgres), V(redis) or V(unit).
          - The default is the port of O(base_url) for V(tcp), V(5432) for V(postgres) and V(6379) for V(redis).
        type: int
      username:
        description: Who asks, for a probe of type V(postgres), V(redis) or, by basic authentication, V(http).
        type: str
      password:
        description: The password of O(probes[].username); of the default user where a Redis is given no name.
        type: str
      tls:
        description: Whether a probe of type V(postgres) or V(redis) wants TLS. A V(https://) URL always has it.
        type: bool
        default: false
      validate_certs:
        description: Whether TLS wants a certificate that is trusted and has the right name.
        type: bool
        default: true
      ca_path:
        description: File with the certificates that are trusted; without it, those that the host trusts.
        type: path
      server_name:
        description: Name that the certificate must have, where it is not the address.
        type: str
      unit:
        description: Name of the unit for a probe of type V(unit).
        type: str
      restarts:
        description: How often systemd had restarted that unit before, if somebody else started it.
        type: int
        default: 0
      database:
        description: Database for a probe of type V(postgres).
        type: str
      query:
        description: What to ask a Postgres.
        type: str
        default: SELECT 1
      answer:
        description: What the first column of the first row must be, as text. Without it any row is good.
        type: str
      argv:
        description:
          - Program and arguments of a probe of type V(command). There is no shell; everybody on the host can see them.
          - The program's environment has O(base_url) as C(GATE_URL).
        type: list
        elements: str
      user:
        description: User that the program runs as.
        type: str
      exit_status:
        description: Which exit status is good.
        type: int
        default: 0
      output:
        description: Regular expression that the output of the program must match somewhere.
        type: str
  base_url:
    description: The instance to examine, such as V(http://127.0.0.1:8002).
    type: str
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
    description: After how many seconds the gate fails. A look that has begun is waited for.
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

- name: Look at everything that the service needs
  evenkeel.fleet.health_gate:
    base_url: http://127.0.0.1:8002
    probes:
      - url: /search?q=keel
        status: [200, 204]
        max_latency: 0.3
      - url: https://10.0.0.7:8443/health
        server_name: auth.example.com
        ca_path: /etc/ssl/certs/internal.pem
      - {type: unit, unit: notes@green.service, port: 8002}
      - type: postgres
        address: 10.0.0.5
        database: notes
        username: notes
        password: "{{ vault_notes_database_password }}"
        query: SELECT count(*) FROM migrations WHERE name = '0042'
        answer: "1"
      - {type: redis, address: 10.0.0.6, password: "{{ vault_redis_password }}"}
      - {type: command, argv: [/opt/notes/current/artifact/smoke, --quick], user: notes, timeout: 20}
"""

RETURN = r"""
healthy:
  description: Whether the gate opened.
  type: bool
  returned: always
cause:
  description:
    - How an instance that had been good became bad, the first time it did; of one that never was good, what was wrong
      at the last look. Empty when the gate opened.
  type: str
  returned: always
last:
  description: What was wrong at the last bad look; empty when the gate opened.
  type: str
  returned: always
expected:
  description: What the look of RV(cause) wanted.
  type: str
  returned: always
  sample: status 200
got:
  description: What the look of RV(cause) got instead.
  type: str
  returned: always
  sample: status 503
body:
  description: The beginning of the body that the last bad look read.
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
  description: What was seen when. Equal looks in a row are one entry, and no more than 20 entries are kept.
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

from ansible_collections.evenkeel.fleet.plugins.module_utils import _systemd
from ansible_collections.evenkeel.fleet.plugins.module_utils._arguments import PROBES
from ansible_collections.evenkeel.fleet.plugins.module_utils._gate import Policy, Verdict, watch
from ansible_collections.evenkeel.fleet.plugins.module_utils._probes import probe_of, side_by_side
from ansible_collections.evenkeel.fleet.plugins.module_utils._quiet import QuietModule

SPEC: dict[str, t.Any] = {
    **PROBES,
    "base_url": {"type": "str"},
    "successes": {"type": "int", "default": 3},
    "interval": {"type": "float", "default": 0.5},
    "min_healthy": {"type": "float", "default": 0},
    "timeout": {"type": "float", "default": 60},
    "journal_of": {"type": "str"},
}

JOURNAL_LINES = 20
NOT_LOOKED = {**asdict(Verdict(True, "", "", "", "", "", 0, 0.0, ())), "timeline": []}


def gate(params: t.Mapping[str, t.Any]) -> Verdict:
    policy = Policy(params["successes"], params["interval"], params["min_healthy"], params["timeout"])
    if not params["probes"]:
        raise ValueError("probes is empty; a gate without a probe would always open")
    probes = [probe_of(options, params["base_url"]) for options in params["probes"]]
    return watch(side_by_side(probes), policy, time.monotonic, time.sleep)


def main() -> None:
    module = QuietModule(argument_spec=SPEC, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=False, **NOT_LOOKED)
    try:
        verdict = gate(module.params)
        result = {**asdict(verdict), "timeline": list(verdict.timeline)}
        if not verdict.healthy:
            unit = module.params["journal_of"]
            journal = _systemd.journal(unit, JOURNAL_LINES) if unit else []
            module.fail_json(msg=verdict.sentence, **result, journal=journal)
        module.exit_json(changed=False, **result)
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))


if __name__ == "__main__":
    main()
