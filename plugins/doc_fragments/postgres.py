# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    """The option by which modules name the Postgres server they work on, and those of filters that say who gets in."""

    DOCUMENTATION = r"""
options:
  cluster:
    description: Debian's name of the server, such as V(17/main).
    type: str
    required: true
"""

    ACCESS = r"""
options:
  _input:
    description: The databases, as the role C(postgres) has them.
    type: list
    elements: dict
    required: true
  users:
    description: The users, as the role C(postgres) has them.
    type: list
    elements: dict
    required: true
  tls:
    description: Whether other hosts have to come over TLS.
    type: bool
    default: true
"""
