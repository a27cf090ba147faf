# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    """The options by which every module names the service it works on."""

    DOCUMENTATION = r"""
author:
  - evenkeel.fleet contributors (@evenkeel)
options:
  service:
    description: Name of the service.
    type: str
    required: true
  root:
    description:
      - Directory that holds the service's releases and slots.
      - The default is C(/opt/) followed by the service's name.
    type: path
requirements:
  - A Linux host with systemd 252 or newer and Python 3.11 or newer
"""

    ROLLOUT = r"""
options:
  rollout:
    description:
      - Id of the rollout that makes the change. It is refused unless that rollout holds the lease of the service, see
        M(evenkeel.fleet.rollout_lease).
      - Without it a change is refused while any rollout holds the lease.
    type: str
"""

    PORTS = r"""
options:
  ports:
    description:
      - The ports of the service, the one that users reach first.
      - They count where nothing is known of a release's own. One that was staged with ports, see
        M(evenkeel.fleet.release), keeps them, whatever is given here.
    type: list
    elements: dict
    required: true
    suboptions:
      public:
        description: Port at which others reach the service, whichever slot is active.
        type: int
        required: true
      blue:
        description: Port of the instance in the slot V(blue).
        type: int
        required: true
      green:
        description: Port of the instance in the slot V(green).
        type: int
        required: true
"""
