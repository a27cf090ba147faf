#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: sshd_settings
short_description: Set what sshd does, without locking out whoever sets it
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Keeps the file C(/etc/ssh/sshd_config.d/00-evenkeel.conf), whose values win over those of all other files, and has
    sshd reload. sshd is never restarted, and connections stay.
  - sshd itself examines the whole configuration first, as it would be with the new file. What it refuses changes
    nothing.
  - Settings under which the user of this very connection could not log in again from where he is, or sshd would not
    listen any more where he is connected, are refused. So is a C(/etc/ssh/sshd_config) that does not include the
    directory, or has one of the keywords above that line, for nothing would come of the file.
  - If sshd does not reload, the file is as before.
attributes:
  check_mode:
    description: Can run in check mode and predicts whether the file would change; nothing is examined then.
    support: full
  diff_mode:
    description: Shows the difference of the file.
    support: full
options:
  settings:
    description: Values by keyword of C(sshd_config). A list becomes one line, of C(Port),
      C(ListenAddress) and C(HostKey) a line for each. Without any, the file is removed.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Let nobody log in by password
  evenkeel.fleet.sshd_settings:
    settings:
      PasswordAuthentication: false
      KbdInteractiveAuthentication: false
"""

RETURN = r"""
user:
  description: The user who was made sure to get in again; empty where the connection is no ssh.
  type: str
  returned: when the file changes
"""

import glob
import grp
import os
import pwd
import re
import subprocess
import tempfile
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.evenkeel.fleet.plugins.module_utils import _files, _ssh, _sshd, _systemd

SPEC: dict[str, t.Any] = {"settings": {"type": "dict", "required": True}}

MAIN = "/etc/ssh/sshd_config"
INCLUDED = "/etc/ssh/sshd_config.d/*.conf"
PATH = "/etc/ssh/sshd_config.d/00-evenkeel.conf"
SSHD = "/usr/sbin/sshd"


def effective(new: str, names: t.Iterable[str], session: _ssh.Session | None) -> dict[str, list[str]]:
    """What sshd would do with the new file before all others, to whoever is connected."""
    # Our own old file would have its say, so it is left out: of some keywords sshd adds up all values.
    others = " ".join(sorted(set(glob.glob(INCLUDED)) - {PATH}))
    include = re.compile(rf"(?mi)^\s*Include\s+{re.escape(INCLUDED)}\s*$")
    main = _files.read_text(MAIN) or ""
    line = include.search(main)
    if not line:
        raise ValueError(
            f"{MAIN} has no line 'Include {INCLUDED}', so nothing would come of the settings; add it on top"
        )
    if above := _sshd.winners(main[: line.start()], names):
        raise ValueError(
            f"{MAIN} has {', '.join(above)} above its line 'Include {INCLUDED}', which would win over the settings; "
            "move that line to the top"
        )
    main = include.sub(f"Include {others}" if others else "", main)
    # sshd wants the directory even to examine its files, and systemd makes it only when it starts sshd.
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", prefix="evenkeel-sshd-", encoding="utf-8") as file:
        file.write(new + main)
        file.flush()
        who = []
        if session:
            link = session.connection
            who = ["-C", f"user={session.user},host={link.client},addr={link.client},lport={link.port}"]
        answer = subprocess.run([SSHD, "-T", "-f", file.name, *who], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        said = answer.stderr.replace(file.name, "the new configuration").strip()
        raise ValueError(f"sshd refuses the settings, and the old ones stay in force: {said}")
    return _sshd.parse(answer.stdout)


def has_keys(config: t.Mapping[str, list[str]], user: pwd.struct_passwd) -> bool:
    names = config.get("authorizedkeysfile", [".ssh/authorized_keys"])[0].split()
    expanded = (name.replace("%h", user.pw_dir).replace("%u", user.pw_name).replace("%%", "%") for name in names)
    texts = (_files.read_text(os.path.join(user.pw_dir, name)) for name in expanded)
    return any(re.search(r"(?m)^[^#\s]", text or "") for text in texts)


def examine(new: str, names: t.Iterable[str]) -> str:
    """Raise ValueError unless the user of this connection gets in again; the user's name."""
    session = _ssh.session()
    config = effective(new, names, session)
    if session is None:
        return ""
    user = pwd.getpwnam(session.user)
    groups = [grp.getgrgid(gid).gr_name for gid in os.getgrouplist(user.pw_name, user.pw_gid)]
    link = session.connection
    why = _sshd.deafness(config, link.address, link.port) or _sshd.refusal(
        config, user.pw_name, groups, has_keys(config, user), link.client
    )
    if why:
        raise ValueError(f"these settings would lock you out: {why}")
    return user.pw_name


def write(text: str | None) -> None:
    _files.write_file(PATH, text.encode(), 0o644) if text else os.unlink(PATH)


def put_in_force(text: str | None, before: str | None) -> None:
    write(text)
    try:
        _systemd.reload("ssh.service")
    except OSError:
        # Or the next run would take it for what is in force.
        write(before)
        raise


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    settings = module.params["settings"]
    result: dict[str, t.Any] = {}
    try:
        before = _files.read_text(PATH)
        after = _sshd.text(settings) if settings else None
        result = {"changed": before != after, "diff": {"before": before or "", "after": after or ""}}
        if before != after and not module.check_mode:
            result["user"] = examine(after or "", settings)
            put_in_force(after, before)
    except (ValueError, OSError, KeyError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
