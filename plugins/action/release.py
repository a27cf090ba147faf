# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import fcntl
import hashlib
import os
import typing as t

from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.evenkeel.fleet.plugins.module_utils import _signature
from ansible_collections.evenkeel.fleet.plugins.module_utils._checksums import checksum_of
from ansible_collections.evenkeel.fleet.plugins.module_utils._download import download
from ansible_collections.evenkeel.fleet.plugins.module_utils._installed import digest_of
from ansible_collections.evenkeel.fleet.plugins.module_utils._staging import Source


class ActionModule(ActionBase):
    """Runs the module, after it learned the checksum where that is published.

    Only where the release is not there yet, it brings an artifact from the controller, and verifies a signature.
    """

    TRANSFERS_FILES = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = {name: value for name, value in self._task.args.items() if value not in (None, "")}
        try:
            artifact = Artifact(arguments, lambda path: self._find_needle("files", path))
            if "artifact_checksums" in arguments:
                arguments["artifact_sha256"] = artifact.published_checksum()
                for verified in ("artifact_checksums", *SIGNATURE):
                    arguments.pop(verified, None)
            result = self._execute(arguments, variables)
            if result.pop("artifact_wanted", False):
                artifact.check(arguments["artifact_sha256"])
                arguments = {name: value for name, value in arguments.items() if name not in SIGNATURE}
                if not artifact.is_on_host:
                    arguments |= self._transfer(artifact.file())
                result = self._execute(arguments, variables)
                if "msg" in result:
                    # Where it was put on the way says nothing to whoever has to mend it.
                    result["msg"] = result["msg"].replace(arguments["artifact"], self._task.args["artifact"])
            return result
        except (ValueError, OSError) as exc:
            raise AnsibleError(str(exc)) from exc
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)

    def _execute(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        result: dict[str, t.Any] = self._execute_module(
            module_name="evenkeel.fleet.release", module_args=arguments, task_vars=variables
        )
        return result

    def _transfer(self, path: str) -> dict[str, t.Any]:
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        remote = self._connection._shell.join_path(self._connection._shell.tmpdir, "artifact")
        self._transfer_file(path, remote)
        return {"artifact": remote, "remote_src": True}


KEYS = ("artifact_minisign_key", "artifact_gpg_keyring")
SIGNATURE = ("artifact_signature", *KEYS)


class Artifact:
    """What the controller has to do with an artifact: find it, and find out whether it is the right one."""

    def __init__(self, arguments: t.Mapping[str, t.Any], find: t.Callable[[str], str]) -> None:
        self.arguments = arguments
        self.find = find
        keys = [name for name in KEYS if name in arguments]
        if "artifact_sha256" in arguments and "artifact_checksums" in arguments:
            raise ValueError("artifact_sha256 and artifact_checksums are both given; give one of them")
        if ("artifact_signature" in arguments) != bool(keys) or len(keys) > 1:
            given = ", ".join(name for name in SIGNATURE if name in arguments)
            raise ValueError(
                f"{given} given; a signature wants artifact_signature and either artifact_minisign_key or "
                "artifact_gpg_keyring"
            )

    @property
    def is_on_host(self) -> bool:
        """Whether the host gets it without us."""
        return bool(self.arguments.get("remote_src")) or self._source("artifact").is_url

    def file(self) -> str:
        return self._local("artifact")

    def published_checksum(self) -> str:
        sums = self._local("artifact_checksums")
        self._verify("artifact_checksums", sums)
        try:
            with open(sums, encoding="utf-8", errors="replace") as file:
                return checksum_of(self.arguments["artifact"], file.read())
        except ValueError as exc:
            raise ValueError(f"artifact_checksums {self._source('artifact_checksums').name}: {exc}") from exc

    def check(self, wanted: str) -> None:
        """Raises ValueError unless the artifact has this sum and, where there is to be one, a good signature."""
        if "artifact_signature" in self.arguments and self.arguments.get("remote_src"):
            raise ValueError(
                "artifact_signature of an artifact that is on the host cannot be verified on the controller; "
                "sign its checksums, and give artifact_checksums"
            )
        if self.is_on_host and "artifact_signature" not in self.arguments:
            return
        path = self.file()
        seen = digest_of(path)
        if seen != wanted:
            raise ValueError(f"artifact {self._source('artifact').name}: its sha256 is {seen}, wanted {wanted}")
        self._verify("artifact", path)

    def _verify(self, signed: str, path: str) -> None:
        if "artifact_signature" not in self.arguments:
            return
        keyring = self.arguments.get("artifact_gpg_keyring", "")
        try:
            _signature.verify(
                path,
                self._local("artifact_signature"),
                minisign_key=self.arguments.get("artifact_minisign_key", ""),
                gpg_keyring=self._local("artifact_gpg_keyring") if keyring else "",
            )
        except ValueError as exc:
            raise ValueError(
                f"{signed} {self._source(signed).name} with the signature {self._source('artifact_signature').name}: "
                f"{exc}; nothing was touched"
            ) from exc

    def _source(self, name: str) -> Source:
        headers = self.arguments.get("artifact_headers") or {}
        return Source(self.arguments[name], headers, self.arguments.get("artifact_proxy", ""))

    def _local(self, name: str) -> str:
        """The path of what an argument names; a URL is fetched once for all hosts of a run."""
        source = self._source(name)
        if not source.is_url:
            return os.path.realpath(self.find(source.artifact))
        key = hashlib.sha256(source.artifact.encode()).hexdigest()
        path = os.path.join(constants.DEFAULT_LOCAL_TMP, f"evenkeel-{key}")
        with open(f"{path}.lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(path):
                download(source.artifact, f"{path}.part", source.headers, source.proxy)
                os.rename(f"{path}.part", path)
        return path
