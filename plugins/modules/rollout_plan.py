#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_plan
short_description: Plan a rollout from what runs on the hosts of the play
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - A part of the role P(evenkeel.fleet.app#role). Reads what each host of the play registered as C(__app_check),
    C(__app_release) and C(__app_info), and says what a rollout means for each.
  - Runs on the controller and touches nothing; run it once.
options:
  rollout:
    description: Id of the rollout to plan again. Without it a new one is made.
    type: str
    default: ""
  target:
    description:
      - V(staged) leads to the release that was staged, V(previous) back to the one before, or to O(release), and
        V(current) to a new instance of the one that runs.
    type: str
    choices: [staged, previous, current]
    default: staged
  release:
    description: Id or version of the release to go back to.
    type: str
    default: ""
extends_documentation_fragment:
  - evenkeel.fleet.attributes.read_only
"""

EXAMPLES = r"""
- name: Plan the rollout
  evenkeel.fleet.rollout_plan:
  run_once: true
  register: __app_plan
"""

RETURN = r"""
hosts:
  description: For each host, the releases, slots and batch. The batch is -1 where there is nothing to do.
  type: dict
  returned: success
  sample:
    app1:
      service: notes
      release_from: 1.0.0-5feceb66ffc8
      release_to: 1.1.0-6b86b273ff34
      old_slot: blue
      new_slot: green
      batch: 0
      undo_position: blue
      undo_release: 1.0.0-5feceb66ffc8
      endpoint: {public: 8000, blue: 8001, green: 8002, live_path: /health}
      undo_endpoint: {public: 8000, blue: 8001, green: 8002, live_path: /health}
      strategy: surge
connections:
  description:
    - By service, how many connections its database may get beside those of now, from all services of the play that use
      it.
  type: dict
  returned: success
  sample: {notes: 60}
batches:
  description: How many batches the service with the most batches has.
  type: int
  returned: success
needed:
  description: Whether any host has anything to do, or a lease that has to be released.
  type: bool
  returned: success
lease_ttl:
  description: For how many seconds leases are good, which have to last while services of the play wait for each other.
  type: int
  returned: success
first_lease_ttl:
  description: The same for the first ones, which have to outlive migrations as well.
  type: int
  returned: success
leased:
  description: Whether this is the second plan of O(rollout), made under its lease.
  type: bool
  returned: success
plan:
  description: A sentence for each host that has something to do.
  type: dict
  returned: success
notes:
  description: A sentence for each host on which something is not well before.
  type: dict
  returned: success
summary:
  description: A line for each service that is rolled out.
  type: list
  elements: str
  returned: success
target:
  description: Same as O(target).
  type: str
  returned: success
began:
  description: When it was planned, in the controller's seconds.
  type: float
  returned: success
rollout:
  description: Id of the rollout.
  type: str
  returned: success
  sample: 20260102T030405Z-a1b2
owner:
  description: Who is at work, for people.
  type: str
  returned: success
"""
