#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: stop_plan
short_description: Say which hosts stop serving, or why they must not
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - A part of the role P(evenkeel.fleet.app#role). Runs on the controller and touches nothing; run it once.
  - Hosts to retire have to be named. They are refused if one is unknown or cannot be reached, if a host of the same
    service is not in the play, or if too few hosts would be left that serve.
options:
  retire:
    description: Names of the hosts to retire, separated by commas. Each host of the play has registered C(__app_info).
    type: str
  service:
    description: Name of the service to stop on all its hosts, or V(all).
    type: str
  rollout:
    description: Id from an earlier plan of the same run; empty for a new one.
    type: str
    default: ""
extends_documentation_fragment:
  - evenkeel.fleet.attributes.read_only
"""

EXAMPLES = r"""
- name: Plan who stops
  evenkeel.fleet.stop_plan:
    retire: app3
  run_once: true
  register: __app_stop
"""

RETURN = r"""
hosts:
  description: The hosts that stop.
  type: list
  elements: str
  returned: success
services:
  description: The services whose hosts they are.
  type: list
  elements: str
  returned: success
rollout:
  description: Id under which the lease is held meanwhile.
  type: str
  returned: success
owner:
  description: Who is at work, for people.
  type: str
  returned: success
"""
