#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: firewall
short_description: Put a firewall in force, on trial until a new ssh connection confirms it
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - The firewall is an nftables table of its own, C(inet evenkeel-firewall). No other table is touched.
  - It drops what comes in and is not asked for here. Answers, loopback, ICMP as far as networks need it, and DHCP pass.
  - New rules are put in force in one kernel transaction, and on trial. Unless the module is called again with
    O(state=confirmed) through a new ssh connection, a timer on the host puts the old ones back.
  - Rules that would keep out the address this very connection comes from are refused.
  - The firewall survives a reboot, and whatever becomes of C(nftables.service). Names of hosts and users are looked up
    when the rules are made, not at boot.
attributes:
  check_mode:
    description: Can run in check mode and predicts whether rules would change.
    support: full
  diff_mode:
    description: Shows the nft script.
    support: full
options:
  state:
    description:
      - V(present) puts the rules in force, on trial.
      - V(confirmed) ends the trial and has the rules survive a reboot.
      - V(absent) removes the firewall at once.
    type: str
    choices: [present, confirmed, absent]
    default: present
  ssh_from:
    description: Addresses, networks and names of hosts from which ssh is let in, or V(any).
    type: list
    elements: str
    default: []
  ssh_ports:
    description: Ports at which sshd listens.
    type: list
    elements: int
    default: [22]
  rules:
    description: What else is let in. A rule that is from nobody opens nothing.
    type: list
    elements: dict
    default: []
    suboptions:
      ports:
        description: Ports, by the number the client asks for. V(vrrp) has none.
        type: list
        elements: int
        default: []
      protocol:
        description: Protocol.
        type: str
        choices: [tcp, udp, vrrp]
        default: tcp
      from:
        description: Addresses, networks and names of hosts that are let in, or V(any).
        type: list
        elements: str
        required: true
  egress:
    description:
      - Users whose processes reach nothing but what is listed, loopback, and whoever asked them something.
      - A user who does not exist yet is left out and named in RV(missing_users).
    type: list
    elements: dict
    default: []
    suboptions:
      user:
        description: Name of the user.
        type: str
        required: true
      rules:
        description: What the user's processes may reach.
        type: list
        elements: dict
        default: []
        suboptions:
          ports:
            description: Ports.
            type: list
            elements: int
            required: true
          protocol:
            description: Protocol.
            type: str
            choices: [tcp, udp]
            default: tcp
          to:
            description: Addresses, networks and names of hosts, or V(any).
            type: list
            elements: str
            required: true
  rollback_seconds:
    description: How long rules are on trial.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Let the balancer in
  evenkeel.fleet.firewall:
    ssh_from: [10.20.0.0/24]
    rules:
      - {ports: [8000], from: [10.20.0.11]}

- name: Prove that a new connection comes through
  ansible.builtin.meta: reset_connection

- name: Keep the rules
  evenkeel.fleet.firewall:
    state: confirmed
"""

RETURN = r"""
missing_users:
  description: Users of O(egress) who do not exist on the host.
  type: list
  elements: str
  returned: with O(state=present)
"""

import os
import pwd
import socket
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.evenkeel.fleet.plugins.module_utils import _files, _firewall, _nft, _ssh, _trial
from ansible_collections.evenkeel.fleet.plugins.module_utils._inventory import ANY, is_network

SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["present", "confirmed", "absent"], "default": "present"},
    "ssh_from": {"type": "list", "elements": "str", "default": []},
    "ssh_ports": {"type": "list", "elements": "int", "default": [22]},
    "rules": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "ports": {"type": "list", "elements": "int", "default": []},
            "protocol": {"type": "str", "choices": list(_firewall.PROTOCOLS), "default": "tcp"},
            "from": {"type": "list", "elements": "str", "required": True},
        },
    },
    "egress": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "user": {"type": "str", "required": True},
            "rules": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "ports": {"type": "list", "elements": "int", "required": True},
                    "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
                    "to": {"type": "list", "elements": "str", "required": True},
                },
            },
        },
    },
    "rollback_seconds": {"type": "int", "default": 60},
}


def networks(name: str) -> list[_firewall.Network]:
    """What a name stands for on this host."""
    if name == ANY:
        return [_firewall.parse_network("0.0.0.0/0"), _firewall.parse_network("::/0")]
    if is_network(name):
        return [_firewall.parse_network(name)]
    try:
        found = socket.getaddrinfo(name, None, proto=socket.IPPROTO_TCP)
    except OSError as exc:
        raise ValueError(
            f"{name!a} is no address or network, and this host cannot look it up as a name: {exc}"
        ) from exc
    return [_firewall.parse_network(str(entry[4][0])) for entry in found]


def opening(rule: t.Mapping[str, t.Any], key: str) -> _firewall.Opening:
    every = [network for name in rule[key] for network in networks(name)]
    return _firewall.opening(rule["ports"], every, rule.get("protocol", "tcp"))


def uid(user: str) -> int | None:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None


def wanted(params: t.Mapping[str, t.Any]) -> str:
    """The script for these parameters. Raises ValueError where it would lock out whoever asks for it."""
    ssh = opening({"ports": params["ssh_ports"], "from": params["ssh_from"]}, "from")
    client = _ssh.connection()
    if not ssh.networks or not ssh.ports:
        raise ValueError("ssh_from or ssh_ports is empty; nobody could log in any more")
    if client and not _firewall.may_enter([ssh], client.client, client.port):
        raise ValueError(
            f"these rules would lock you out: you come from {client.client} to port {client.port}, and ssh_from is "
            f"{', '.join(params['ssh_from'])} to ports {', '.join(map(str, params['ssh_ports']))}"
        )
    egress = [
        _firewall.Egress(limit["user"], number, tuple(opening(rule, "to") for rule in limit["rules"]))
        for limit in params["egress"]
        if (number := uid(limit["user"])) is not None
    ]
    return _firewall.ruleset([ssh, *(opening(rule, "from") for rule in params["rules"])], egress)


def present(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    rules = wanted(params)
    changed = not _trial.in_force(rules)
    if changed and not check_mode:
        _trial.begin(rules, params["rollback_seconds"])
    return {
        "changed": changed,
        "missing_users": [limit["user"] for limit in params["egress"] if uid(limit["user"]) is None],
        "diff": {"before": _files.read_text(_trial.RULES_PATH) or "", "after": rules},
    }


def absent(check_mode: bool) -> dict[str, t.Any]:
    before = _nft.list_text(_firewall.TABLE) if _nft.is_installed() else ""
    changed = before != "" or os.path.exists(_trial.RULES_PATH)
    if changed and not check_mode:
        _trial.remove_firewall()
    return {"changed": changed, "diff": {"before": before, "after": ""}}


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    state, result = module.params["state"], {}
    try:
        if state == "present":
            result = present(module.params, module.check_mode)
        elif state == "absent":
            result = absent(module.check_mode)
        else:
            result = {"changed": not module.check_mode and _trial.confirm()}
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
