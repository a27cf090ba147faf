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
    out of the play, for instance because it became unreachable. What failed once in a rollout stays so.
  - Reads what each host registered as C(__app_check), C(__app_info), C(__app_failure) and C(__app_undo_failure), and
    what it said itself before, C(__app_verdict).
  - Runs on the controller and touches nothing; run it once.
options:
  plan:
    description: What M(evenkeel.fleet.rollout_plan) returned.
    type: dict
    required: true
  batch:
    description: The batch that begins now, unless its service has failed or its time is up; -1 for none.
    type: int
    default: -1
  opens:
    description: Whether the batch that began gets users now, unless its service has failed.
    type: bool
    default: false
  settled:
    description: Whether the hosts have done what the verdict before asked for. Who fails from then on undoes nothing.
    type: bool
    default: false
extends_documentation_fragment:
  - evenkeel.fleet.attributes.read_only
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
  description: By service, the hosts that failed and why, the first cause first.
  type: dict
  returned: always
  sample: {notes: {app1: "not healthy after 60.0 s: GET http://127.0.0.1:8002/ready answered 503, wanted 200"}}
failed_services:
  description: The services of which a host failed.
  type: list
  elements: str
  returned: always
frozen_services:
  description: Those of them whose hosts stay as they are.
  type: list
  elements: str
  returned: always
begun:
  description: By service, the last batch that began.
  type: dict
  returned: always
  sample: {notes: 1}
opened:
  description: By service, the last batch that got users.
  type: dict
  returned: always
  sample: {notes: 0}
undo:
  description:
    - For each host of a service that goes back, in which step, -1 if it stays, whether it has to be closed for that,
      and whether the old release has to be started.
  type: dict
  returned: always
  sample: {app1: {step: 0, close: false, start: false}}
undo_steps:
  description: How many such steps there are.
  type: int
  returned: always
outcomes:
  description: For each host that had something to do V(kept), V(undone), V(frozen) or V(stranded).
  type: dict
  returned: always
text:
  description: The causes, and what became of the fleet; empty if nothing failed.
  type: str
  returned: always
rollout:
  description: Id of the rollout.
  type: str
  returned: always
"""
