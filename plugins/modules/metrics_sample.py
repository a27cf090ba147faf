#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: metrics_sample
short_description: Count what a service has answered since an earlier look
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Reads the counter of requests and the histogram of their durations, and says by how much they grew since the look
    whose result is given as O(before). M(evenkeel.fleet.metrics_gate) compares such results.
  - Asks the service itself, from its host, or a Prometheus, from the controller.
  - A counter that starts anew with its process is added to what was counted before.
  - Metrics that are missing or unreadable do not make the module fail. RV(growth) says so, for the comparison to judge.
options:
  url:
    description:
      - Where the service shows its metrics, in the text format of Prometheus or as OpenMetrics.
      - With O(prometheus_url) asked only to see whether that Prometheus sees the same process. One that keeps its
        connection to the instance before counts as missing. The service has to close the connection after it showed
        its metrics, or it is seen only once the old instance has stopped.
    type: str
  prometheus_url:
    description:
      - Ask this Prometheus instead, from the controller. It should scrape the service several times in the time that
        is compared.
    type: str
  prometheus_labels:
    description: The labels by which the Prometheus knows the instance.
    type: dict
    default: {}
  requests:
    description: Name of the counter of requests.
    type: str
    default: http_requests_total
  status_label:
    description: Its label that holds the status.
    type: str
    default: status
  errors:
    description: Regular expression that a status matches which is an error of the service.
    type: str
    default: 5..
  latency:
    description: Name of the histogram of durations in seconds; empty if there is none.
    type: str
    default: http_request_duration_seconds
  ignore:
    description:
      - Values of labels. Series with one of them are left out, such as those of paths that only probes ask for. An
        empty value leaves out nothing.
    type: list
    elements: str
    default: []
  headers:
    description: Headers of the request, such as one that proves who asks.
    type: dict
    default: {}
  validate_certs:
    description: Whether TLS wants a certificate that is trusted and has the right name.
    type: bool
    default: true
  ca_path:
    description: File with the certificates that are trusted; without it, those that the host trusts.
    type: path
  timeout:
    description: Within how many seconds the metrics must be there.
    type: float
    default: 10
  before:
    description: RV(growth) of the look before; empty for a first look.
    type: dict
    default: {}
  period:
    description: What is counted, such as a batch of a rollout. A look of another period is not gone on from.
    type: str
    default: ""
extends_documentation_fragment:
  - evenkeel.fleet.attributes.read_only
"""

EXAMPLES = r"""
- name: Begin to count
  evenkeel.fleet.metrics_sample:
    url: http://127.0.0.1:8000/metrics
    ignore: [/health, /ready, /metrics]
  register: sample

- name: Count what was answered since
  evenkeel.fleet.metrics_sample:
    url: http://127.0.0.1:8000/metrics
    ignore: [/health, /ready, /metrics]
    before: "{{ sample.growth }}"
  register: sample
"""

RETURN = r"""
growth:
  description: By how much the counters grew since the first look, what they are now, and what went wrong.
  type: dict
  returned: success
  sample:
    period: ""
    looks: 2
    grown: {requests: 530.0, errors: 1.0, buckets: {"0.1": 520.0, "inf": 530.0}, start: 0.0}
    last: {requests: 9530.0, errors: 4.0, buckets: {"0.1": 9000.0, "inf": 9530.0}, start: 1767323055.5}
    problem: ""
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.evenkeel.fleet.plugins.module_utils._arguments import METRICS
from ansible_collections.evenkeel.fleet.plugins.module_utils._scrape import sample

SPEC: dict[str, t.Any] = METRICS


def main() -> None:
    module = AnsibleModule(
        argument_spec=SPEC,
        supports_check_mode=True,
        required_one_of=[("url", "prometheus_url")],
    )
    try:
        growth = sample(module.params)
    except ValueError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=False, growth=growth.stored())


if __name__ == "__main__":
    main()
