# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t
from pathlib import Path

import yaml
from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.action import ActionBase
from ansible_collections.evenkeel.fleet.plugins.module_utils import _settings
from ansible_collections.evenkeel.fleet.plugins.module_utils._arguments import PROBES
from ansible_collections.evenkeel.fleet.plugins.module_utils._gate import Policy
from ansible_collections.evenkeel.fleet.plugins.module_utils._probes import probe_of


class ActionModule(ActionBase):
    """Checks the settings of a role on the controller; see the module of the same name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _validated, arguments = self.validate_argument_spec(
            {
                "role_path": {"type": "path", "required": True},
                "formats": {"type": "dict", "default": {}},
                "exactly_one": {"type": "list", "elements": "list", "default": []},
                "distinct": {"type": "list", "elements": "str", "default": []},
                "keys_of": {"type": "dict", "default": {}},
                "shorter": {"type": "dict", "default": {}},
                "hosts": {"type": "list", "elements": "str", "default": []},
                "peers": {"type": "list", "elements": "str", "default": []},
                "probes": {"type": "list", "elements": "str", "default": []},
                "gates": {"type": "list", "elements": "dict", "default": []},
                "units": {"type": "list", "elements": "str", "default": []},
                "one_child_of": {"type": "str", "default": ""},
            }
        )
        role = Path(arguments["role_path"])
        spec = self._argument_spec(role)
        secret = {name for name, option in spec.items() if option.get("no_log")}
        settings, problems = self._settings(f"{role.name}_", variables, secret)

        problems += _settings.unknown_names(settings, spec)
        known = {name: value for name, value in settings.items() if name in spec}
        validated = ArgumentSpecValidator(spec).validate(known)
        # Of a value that is none of an option's choices Ansible says what it is, secret or not.
        problems += remove_values(validated.error_messages, validated._no_log_values)
        problems += _settings.misshapen_values(known, spec)
        problems += _settings.malformed_values(known, arguments["formats"], secret)
        problems += _settings.bad_units(known, arguments["units"])
        problems += _settings.missing_choices(known, arguments["exactly_one"])
        problems += _settings.repeated_values(known, arguments["distinct"])
        problems += _settings.unknown_keys(known, arguments["keys_of"])
        problems += _settings.long_durations(known, arguments["shorter"])
        problems += _settings.unknown_hosts(known, arguments["hosts"], variables["groups"], variables["hostvars"])
        problems += _settings.unknown_peers(known, arguments["peers"], variables["groups"], variables["hostvars"])
        if parent := arguments["one_child_of"]:
            problems += _settings.crowded_children(variables["inventory_hostname"], parent, self._children(parent))
        probes = [found for path in arguments["probes"] for found in _settings.select(known, path)]
        for label, probe in probes:
            problems += bad_probe(label, probe)
        if not problems:
            for gate in arguments["gates"]:
                problems += shut_gate({option: (name, settings[name]) for option, name in gate.items()})
        shown = {name: value for name, value in known.items() if name not in secret}
        result.update(changed=False, problems=problems, settings=shown)
        if problems:
            result.update(failed=True, msg=f"Role {role.name}: " + "; ".join(problems))
        else:
            result.update(probes=[_settings.probe_name(probe) for _label, probe in probes])
        return result

    def _argument_spec(self, role: Path) -> dict[str, t.Any]:
        path = role / "meta" / "argument_specs.yml"
        try:
            specs = yaml_load(path.read_text(encoding="utf-8"))
            return t.cast("dict[str, t.Any]", specs["argument_specs"]["main"]["options"])
        except (OSError, KeyError, yaml.YAMLError) as exc:
            raise AnsibleError(f"{path} does not describe the settings of the role's entry point main: {exc}") from exc

    def _children(self, parent: str) -> dict[str, set[str]]:
        """The hosts of each child of a group. No variable of Ansible's says which group is below which."""
        group = self._task.get_variable_manager()._inventory.groups.get(parent)
        return {child.name: {host.name for host in child.get_hosts()} for child in group.child_groups} if group else {}

    def _settings(
        self, prefix: str, task_vars: dict[str, t.Any], secret: t.Collection[str]
    ) -> tuple[dict[str, t.Any], list[str]]:
        settings, problems = {}, []
        for name in sorted(name for name in task_vars if name.startswith(prefix)):
            try:
                settings[name] = self._templar.template(task_vars[name])
            except AnsibleError as exc:
                # A secret's template may carry a literal secret, and an error would quote it; a name is no secret.
                hide = name in secret and not isinstance(exc, AnsibleUndefinedVariable)
                problems.append(f"{name} cannot be evaluated: {'its template is wrong' if hide else exc}")
        return settings, problems


def bad_probe(label: str, probe: t.Any) -> list[str]:
    """What M(evenkeel.fleet.health_gate) would not understand of a probe; asks nobody. Values are not shown."""
    if not isinstance(probe, dict):
        return [f"{label} is {_settings.HIDDEN}; it wants a mapping"]
    spec = PROBES["probes"]
    problems = _settings.misshapen_values(probe, spec["options"], hide=True, where=f"{label}.")
    problems += [
        f"{label}.{name} is not an option of a probe; known are: {', '.join(sorted(spec['options']))}"
        for name in sorted(set(probe) - set(spec["options"]))
    ]
    if problems:
        return problems
    validated = ArgumentSpecValidator(spec["options"], required_if=spec["required_if"]).validate(probe)
    if validated.error_messages:
        return [f"{label}: {message}" for message in remove_values(validated.error_messages, validated._no_log_values)]
    try:
        probe_of(validated.validated_parameters, "http://127.0.0.1")
    except ValueError as exc:
        return [f"{label}.{exc}"]
    return []


def shut_gate(gate: t.Mapping[str, tuple[str, t.Any]]) -> list[str]:
    """Why a gate with these settings could never open. ``gate`` has the name and value behind each option."""
    try:
        Policy(**{option: float(value) for option, (_name, value) in gate.items()})
    except ValueError as exc:
        return [f"{', '.join(name for name, _value in gate.values())}: {exc}"]
    return []
