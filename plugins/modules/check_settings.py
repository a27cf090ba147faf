#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: check_settings
short_description: Refuse a role's settings that are unknown or malformed
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Compares every variable of the host whose name begins with the role's name with the role's
    C(meta/argument_specs.yml). Unknown names, missing and mistyped values are refused.
  - Checks values against named formats, which argument specs cannot express.
  - Runs on the controller and touches nothing, so a play can check every host before it changes one.
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Has nothing to show in diff mode.
    support: none
options:
  role_path:
    description: The role's directory, usually C(role_path) itself.
    type: path
    required: true
  formats:
    description:
      - Which format the value at a path must have.
      - A path is a variable's name, followed by C(.key), C(.*) for every value of a mapping, C([]) for every
        entry of a list, C([0]) for its first; C(keys(path)) stands for the keys of a mapping.
      - The formats are V(absolute_path), V(address), V(artifact), V(batch), V(count), V(cpu_quota), V(cron_schedule),
        V(duration), V(email_address), V(environment_name), V(file_mode), V(file_name), V(header_name),
        V(hosts_available), V(identifier), V(interface), V(interface_address), V(log_size), V(mail_recipient),
        V(memory_limit), V(metric_name), V(minisign_key), V(network), V(nginx_connections), V(nginx_path),
        V(nginx_seconds), V(nginx_size), V(nginx_text), V(number), V(option_name), V(path_glob), V(port),
        V(positive_count), V(positive_number), V(proportion), V(rclone_remote), V(redis_pattern), V(relative_path),
        V(server_name), V(service_name), V(setting_name), V(sha256), V(single_line), V(size), V(sql_identifier),
        V(sshd_keyword), V(status_pattern), V(sysctl_name), V(trimmed_line), V(unit_pattern), V(unquoted), V(url),
        V(url_path), V(user_name) and V(version).
      - After the name of a format C(?) lets an empty text pass as well.
    type: dict
    default: {}
  keys_of:
    description:
      - Paths at which every value must be a key of a mapping, each with the names of the variables that may have it.
    type: dict
    default: {}
  shorter:
    description: Paths at which every duration must be shorter than that of a setting, each with the setting's name.
    type: dict
    default: {}
  hosts:
    description: Paths at which every value must name a host of the inventory, or a group that holds at least one.
    type: list
    elements: str
    default: []
  peers:
    description:
      - As O(hosts), but the value may also be an address, a network such as V(10.20.0.0/24), or V(any).
    type: list
    elements: str
    default: []
  probes:
    description: Paths at which every value must be a probe as M(evenkeel.fleet.health_gate) takes them.
    type: list
    elements: str
    default: []
  gates:
    description:
      - Gates that must be able to open. Each is a mapping of an option of M(evenkeel.fleet.health_gate), which are
        C(successes), C(interval), C(min_healthy) and C(timeout), to the name of the setting that it gets.
    type: list
    elements: dict
    default: []
  units:
    description: Paths at which there are directives of a systemd service; none may leave its line.
    type: list
    elements: str
    default: []
  one_child_of:
    description:
      - Name of a group of which the host may be in one child only, for the variables of two would take each other's
        place. Empty for none.
    type: str
    default: ""
  exactly_one:
    description: Lists of variables of which exactly one must be given, and not be empty.
    type: list
    elements: list
    default: []
  distinct:
    description: Paths at which every value must differ from all others, such as ports of one host.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: check | Refuse settings that are unknown or malformed
  evenkeel.fleet.check_settings:
    role_path: "{{ role_path }}"
    formats:
      nginx_sites[].name: identifier
      keys(app_environment): environment_name
"""

RETURN = r"""
problems:
  description: What is wrong, one sentence each, with the name of the variable, what it is and what it wants.
  type: list
  elements: str
  returned: always
probes:
  description: What the probes in O(probes) are, in a word or two, without what they keep secret.
  type: list
  elements: str
  returned: success
  sample: [http /search, redis 10.0.0.6]
settings:
  description: The role's settings on this host, defaults included, without secret ones.
  type: dict
  returned: always
"""
