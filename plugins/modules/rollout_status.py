#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_status
short_description: Print what runs where, as a table for people
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - A part of the role P(evenkeel.fleet.app#role). Prints what M(evenkeel.fleet.rollout_info) found on each host of the
    play, which rollouts are going on or were abandoned, and the last ones.
  - A host that registered no C(__app_info) is shown as unreachable.
  - Runs on the controller and touches nothing; run it once.
options: {}
extends_documentation_fragment:
  - evenkeel.fleet.attributes.read_only
"""

EXAMPLES = r"""
- name: Show what runs where
  evenkeel.fleet.rollout_status:
  run_once: true
"""

RETURN = r"""
lines:
  description: What was printed.
  type: list
  elements: str
  returned: success
"""
