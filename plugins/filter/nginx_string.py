# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: nginx_string
short_description: A text quoted for nginx's configuration
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Quotes a text so that nginx takes it literally, where it would otherwise replace variables in it.
  - A dollar sign becomes the variable C(evenkeel_dollar), which the configuration of the role nginx defines.
  - Control characters are refused.
options:
  _input:
    description: The text.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show a directive
  ansible.builtin.debug:
    msg: add_header X-Motto {{ 'say "hello" for $5' | evenkeel.fleet.nginx_string }};
"""

RETURN = r"""
_value:
  description: One word of nginx's configuration.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.evenkeel.fleet.plugins.module_utils._nginx import nginx_string


def _nginx_string(value: t.Any) -> str:
    try:
        return nginx_string(value)
    except ValueError as exc:
        raise AnsibleFilterError(f"nginx_string: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"nginx_string": _nginx_string}
