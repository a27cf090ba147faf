# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import typing as t
from hashlib import sha256

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Runs the module and, only where it lacks an artifact that lies on the controller, brings it there."""

    TRANSFERS_FILES = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        try:
            result = self._execute(arguments, task_vars)
            if result.pop("artifact_wanted", False):
                result = self._execute({**arguments, **self._transfer(**arguments)}, task_vars)
            return result
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)

    def _execute(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = self._execute_module(
            module_name="evenkeel.fleet.release", module_args=arguments, task_vars=task_vars
        )
        return result

    def _transfer(self, artifact: str, artifact_sha256: str, **_others: t.Any) -> dict[str, t.Any]:
        path = os.path.expanduser(artifact)
        if not os.path.isfile(path):
            raise AnsibleError(f"artifact {artifact} is neither a URL nor a file on the controller")
        with open(path, "rb") as file:
            seen = sha256(file.read()).hexdigest()
        if seen != artifact_sha256:
            raise AnsibleError(f"artifact {artifact}: its sha256 is {seen}, wanted {artifact_sha256}")
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        remote = self._connection._shell.join_path(self._connection._shell.tmpdir, "artifact")
        self._transfer_file(path, remote)
        return {"artifact": remote, "remote_src": True}
