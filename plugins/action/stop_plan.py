# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.evenkeel.fleet.plugins.module_utils._controller import absent_hosts, owner, rollout_id
from ansible_collections.evenkeel.fleet.plugins.module_utils._stop import Host, names_of, retiring, stopping


class ActionModule(ActionBase):
    """Decides on the controller from what every host of the play registered; see the module of the same name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _validated, arguments = self.validate_argument_spec(
            {"retire": {"type": "str"}, "service": {"type": "str"}, "rollout": {"type": "str", "default": ""}},
            mutually_exclusive=[("retire", "service")],
            required_one_of=[("retire", "service")],
        )
        hostvars = variables["hostvars"]
        hosts = {name: state(hostvars[name]) for name in variables["ansible_play_hosts_all"]}
        try:
            if arguments["service"] is None:
                names = retiring(names_of(arguments["retire"]), hosts, absent_hosts(variables, hosts))
            else:
                names = stopping(arguments["service"], hosts)
        except ValueError as exc:
            result.update(failed=True, msg=str(exc))
            return result
        result.update(
            changed=False,
            hosts=names,
            services=list(dict.fromkeys(hosts[name].service for name in names)),
            rollout=arguments["rollout"] or rollout_id(),
            owner=owner(variables),
        )
        return result


def state(host: t.Mapping[str, t.Any]) -> Host:
    seen = host.get("__app_info")
    settings = host.get("__app_check", {}).get("settings", {})
    return Host(
        service=host["app_name"],
        seen=seen if seen and "slots" in seen else None,
        min_available=settings.get("app_min_available", ""),
    )
