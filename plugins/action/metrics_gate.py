# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.evenkeel.fleet.plugins.module_utils._comparison import FAIL, INCONCLUSIVE, Rules, compare
from ansible_collections.evenkeel.fleet.plugins.module_utils._metrics import Growth

SPEC: dict[str, t.Any] = {
    "new": {"type": "dict", "required": True},
    "old": {"type": "dict", "required": True},
    "look": {"type": "int", "required": True},
    "looks": {"type": "int", "required": True},
    "extra_looks": {"type": "int", "default": 0},
    "on_inconclusive": {"type": "str", "choices": ["fail", "pass", "wait"], "default": "fail"},
    "min_requests": {"type": "int", "default": 300},
    "max_extra_errors": {"type": "float", "default": 0.005},
    "quantile": {"type": "float", "default": 0.99},
    "max_slowdown": {"type": "float", "default": 0.2},
    "false_alarms": {"type": "float", "default": 0.01},
}
RULES = ("looks", "min_requests", "max_extra_errors", "quantile", "max_slowdown", "false_alarms")


class ActionModule(ActionBase):
    """Compares on the controller; see the module of the same name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, arguments = self.validate_argument_spec(SPEC)
        policy = arguments["on_inconclusive"]
        extra = arguments["extra_looks"] if policy == "wait" else 0
        new, old = ({host: Growth.read(seen) for host, seen in arguments[side].items()} for side in ("new", "old"))
        try:
            rules = Rules(**{name: arguments[name] for name in RULES}, last_look=arguments["looks"] + extra)
        except ValueError as exc:
            result.update(failed=True, msg=str(exc))
            return result
        judgement = compare(new, old, rules, arguments["look"])
        result.update(changed=False, verdict=judgement.verdict, text=judgement.text, over=judgement.over)
        if judgement.verdict == FAIL:
            result.update(failed=True, msg=judgement.text)
        elif judgement.verdict == INCONCLUSIVE and judgement.over:
            said = f"the comparison with the old release is inconclusive: {judgement.text} (on_inconclusive: {policy})"
            if policy == "pass":
                self._display.warning(said)
            else:
                result.update(failed=True, msg=said)
        return result
