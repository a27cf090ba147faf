#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: metrics_gate
short_description: Compare a new release with the old one by what both answered meanwhile
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Compares hosts that run a new release with hosts that still run the old one, from what
    M(evenkeel.fleet.metrics_sample) counted on each in the same time. Does the new one fail more often? Is it slower?
  - The verdict is V(pass), V(fail) or V(inconclusive). With too few requests, with metrics that are missing or cannot
    be read, and without a host to compare with, it is V(inconclusive), and O(on_inconclusive) says what becomes of it.
  - Runs on the controller and touches nothing.
notes:
  - "How it tells luck from a bad release: Suppose both were equally good. Then the requests that failed would fall to
    either side by chance, and the exact test of Fisher says how likely it is that so many fell to the new release. If
    that is less likely than what O(false_alarms) allows, and the difference is more than O(max_extra_errors), the new
    release is worse. Latency is the same test, on the requests that took longer than a bound: those bounds of the
    histogram which lie next to the O(quantile) of both sides together. A change within one bucket of the histogram that
    passes neither of its bounds cannot be seen by anybody."
  - "How often it is wrong: All looks together refuse a release that is as good as the old one at most as often as
    O(false_alarms) says, whatever the traffic is, as long as requests fail independently of each other. The margins
    make it much rarer. An early look spends little of what is allowed, the last one most, so that a release that is
    very bad goes within the first looks, and one that is a little bad after the last."
  - "Measured by simulation with the defaults, 50 requests a second on one host with the new release and 100 on two with
    the old, for 60 seconds, with error ratios up to 1 % and any position of the quantile between the bounds of a usual
    histogram: two percentage points more errors, or durations that are half as long again, were found in at least 99 %
    of the runs, and fewer than 0.2 % of the equally good releases were refused. With a third of that traffic it still
    finds more than 90 %."
options:
  new:
    description: By host with the new release, RV(evenkeel.fleet.metrics_sample#module:growth).
    type: dict
    required: true
  old:
    description: By host with the old release, RV(evenkeel.fleet.metrics_sample#module:growth) over the same time.
    type: dict
    required: true
  look:
    description: Which look this is, from V(1).
    type: int
    required: true
  looks:
    description: How many looks are planned. None before the last one of them can pass, each can fail.
    type: int
    required: true
  extra_looks:
    description: How many further looks to wait for enough requests, with O(on_inconclusive=wait).
    type: int
    default: 0
  on_inconclusive:
    description:
      - What becomes of it when all looks could not tell. V(fail) fails. V(pass) goes on and warns. V(wait) fails as
        well, but only after O(extra_looks) more.
    type: str
    choices: [fail, pass, wait]
    default: fail
  min_requests:
    description:
      - How many requests each side must have answered to pass. If 300 were answered and none failed, then with a
        certainty of 95 % fewer than 1 % fail.
    type: int
    default: 300
  max_extra_errors:
    description: By how much the share of errors may exceed that of the old release; 0.005 is half a percentage point.
    type: float
    default: 0.005
  quantile:
    description: Which quantile of the durations is compared.
    type: float
    default: 0.99
  max_slowdown:
    description: By which share the quantile may exceed that of the old release.
    type: float
    default: 0.2
  false_alarms:
    description: How often, at most, chance alone may refuse a release that is as good as the old one.
    type: float
    default: 0.01
extends_documentation_fragment:
  - evenkeel.fleet.attributes.read_only
"""

EXAMPLES = r"""
- name: Refuse a release that fails more often than the one before
  evenkeel.fleet.metrics_gate:
    new: {app1: "{{ hostvars['app1'].sample.growth }}"}
    old: {app2: "{{ hostvars['app2'].sample.growth }}"}
    look: 1
    looks: 1
    on_inconclusive: pass
  run_once: true
"""

RETURN = r"""
verdict:
  description: V(pass), V(fail) or V(inconclusive).
  type: str
  returned: always
text:
  description: Why.
  type: str
  returned: always
  sample: "the new release fails more often: 2.40% of 3012 requests failed, with the old one 0.40% of 6100 requests"
over:
  description: Whether no further look can change the verdict.
  type: bool
  returned: always
"""
