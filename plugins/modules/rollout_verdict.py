#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_verdict
short_description: Judge a rollout from what became of the hosts of the play
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - A part of the role P(evenkeel.fleet.app#role). A host has failed if it registered C(__app_failure), or if it dropped
    out of the play, for instance because it became unreachable.
  - Runs on the controller and touches nothing; run it once.
attributes:
  check_mode:
    description: Can run in check mode; it never changes anything.
    support: full
  diff_mode:
    description: Has nothing to show in diff mode.
    support: none
options:
  plan:
    description: What M(evenkeel.fleet.rollout_plan) returned.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Judge what happened so far
  evenkeel.fleet.rollout_verdict:
    plan: "{{ __app_plan }}"
  run_once: true
  register: __app_verdict
"""

RETURN = r"""
failed_hosts:
  description: By service, the hosts that failed and why.
  type: dict
  returned: always
  sample: {notes: {app1: "not healthy after 60.0 s: GET http://127.0.0.1:8002/ready answered 503, wanted 200"}}
failed_services:
  description: The services of which a host failed.
  type: list
  elements: str
  returned: always
text:
  description: The causes, and what became of the fleet; empty if nothing failed.
  type: str
  returned: always
"""
