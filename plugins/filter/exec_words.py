# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: exec_words
short_description: Words of a command line, quoted for systemd
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Quotes words so that a directive such as C(ExecStart=) passes exactly these to the program.
  - Specifiers and variables in them are taken literally. Only C(@@NAME@@) becomes the value that the environment
    variable of this name has when the program starts.
positional: variables
options:
  _input:
    description: The words.
    type: list
    elements: str
    required: true
  variables:
    description: Names of the environment variables that may be used so; any other is refused.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show a command line
  ansible.builtin.debug:
    msg: "{{ ['serve', '--listen', ':@@PORT@@', '--motd', '100% yours'] | evenkeel.fleet.exec_words(['PORT']) }}"
"""

RETURN = r"""
_value:
  description: The words on one line.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.evenkeel.fleet.plugins.module_utils._unit import exec_words


def _exec_words(value: t.Iterable[t.Any], variables: t.Collection[str] = ()) -> str:
    try:
        return exec_words(value, variables)
    except ValueError as exc:
        raise AnsibleFilterError(f"exec_words: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"exec_words": _exec_words}
