#!/usr/bin/python
# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: config_tree
short_description: Replace a tree of config files in one step, after it was checked
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Writes all files into a new directory, has a command check them there, and only then points the link C(current) to
    it. A tree that the command refuses leaves the old one as it was, and the program that reads it too.
  - A second command then has the program take the tree. As long as that has not succeeded the tree counts as changed,
    so a run that was cut off in between is made up for by the next one.
  - A file that begins with C(#!) is a program and may be run.
attributes:
  check_mode:
    description:
      - Can run in check mode and predicts whether anything would change. O(validate) and O(apply) do not run then.
    support: full
  diff_mode:
    description: Shows the difference of every file, unless they are O(private).
    support: partial
options:
  path:
    description: Directory that holds the trees, and the link C(current) to the one in force.
    type: path
    required: true
  files:
    description: The whole tree, as a mapping of relative path to content. Whatever else is in O(path) is removed.
    type: dict
    required: true
  validate:
    description:
      - Command that checks the new tree, word by word; C({tree}) stands for its directory. It must exit with 0.
    type: list
    elements: str
    required: true
  apply:
    description:
      - Command that has the program take the tree, word by word; C({tree}) stands for the directory of the new tree. It
        runs after the link was moved, and only if there is something to take.
      - If it does not exit with 0, the link goes back to the tree that was taken last. Where none ever was, it is
        removed, and what stood in the places of O(links) is put back. systemd reads its units again if some of those
        are below C(/etc/systemd/system).
    type: list
    elements: str
    default: []
  links:
    description:
      - Links to keep from elsewhere into the tree, as a mapping of absolute path to relative path in the tree.
      - A file that stands in the place of a link is kept beside it with the suffix C(.before-evenkeel).
    type: dict
    default: {}
  private:
    description:
      - Whether nobody but root may read the tree. It is not shown in diff mode then, and the one before does not stay
        once the new one is in force. The task wants C(no_log).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Configure nginx
  evenkeel.fleet.config_tree:
    path: /etc/nginx/evenkeel
    files:
      nginx.conf: "{{ lookup('ansible.builtin.template', 'nginx.conf.j2') }}"
    validate: [nginx, -t, -q, -c, "{tree}/nginx.conf"]
    apply: [systemctl, reload, nginx]
    links:
      /etc/nginx/nginx.conf: nginx.conf
"""

RETURN = r"""
tree:
  description: Directory of the tree in force.
  type: str
  returned: success
  sample: /etc/nginx/evenkeel/5feceb66ffc8
"""

import os
import shutil
import subprocess
import tempfile
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.evenkeel.fleet.plugins.module_utils import _files
from ansible_collections.evenkeel.fleet.plugins.module_utils._trees import differences, tree_name

SPEC: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
    "files": {"type": "dict", "required": True},
    "validate": {"type": "list", "elements": "str", "required": True},
    "apply": {"type": "list", "elements": "str", "default": []},
    "links": {"type": "dict", "default": {}},
    "private": {"type": "bool", "default": False},
}

READABLE = 0o644
EXECUTABLE = 0o755
ROOT_ALONE = 0o700

ASIDE = ".before-evenkeel"
UNITS = "/etc/systemd/system/"


def read_tree(root: str) -> dict[str, str]:
    found = {}
    for folder, _dirs, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            # Not what we wrote, if it is no text; then it only has to differ.
            with open(path, encoding="utf-8", errors="replace") as file:
                found[os.path.relpath(path, root)] = file.read()
    return found


def run(command: t.Sequence[str], tree: str) -> str:
    """What the command says if it fails, without the tree's directory, which means nothing to people; else nothing."""
    words = [word.replace("{tree}", tree) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    said = (done.stderr + done.stdout).replace(f"{tree}/", "").strip()
    return "" if done.returncode == 0 else said or f"it exited with {done.returncode} and said nothing"


def stage(path: str, files: t.Mapping[str, str], validate: t.Sequence[str], mask: int) -> str:
    """Write the files and have them checked. Raises ValueError with the command's own words if it refuses them."""
    _files.make_directory(path)
    os.chmod(path, EXECUTABLE & mask)
    scratch = tempfile.mkdtemp(prefix=".staging-", dir=path)
    os.chmod(scratch, EXECUTABLE & mask)
    try:
        for name, content in files.items():
            mode = EXECUTABLE if content.startswith("#!") else READABLE
            _files.write_new(f"{scratch}/{name}", content.encode(), mode & mask)
        refusal = run(validate, scratch)
        if refusal:
            raise ValueError(f"{' '.join(validate)} refuses the new files, the old ones stay in force: {refusal}")
    except BaseException:
        shutil.rmtree(scratch)
        raise
    return scratch


def keep_links(links: t.Mapping[str, str], current: str) -> None:
    for link, inner in links.items():
        if os.path.lexists(link) and not os.path.islink(link):
            os.rename(link, f"{link}{ASIDE}")
        _files.replace_link(link, f"{current}/{inner}")


def put_links_back(stood: t.Mapping[str, str], unwanted: str) -> None:
    """Have each link lead where it led; one that led below C(unwanted), or was none, makes room for what is aside."""
    for link, target in stood.items():
        if target and not (unwanted and target.startswith(f"{unwanted}/")):
            _files.replace_link(link, target)
        elif os.path.lexists(f"{link}{ASIDE}"):
            os.replace(f"{link}{ASIDE}", link)
        else:
            _files.remove_link(link)
    if any(link.startswith(UNITS) for link in stood):
        run(["systemctl", "daemon-reload"], "")


def put_in_force(path: str, name: str, apply: t.Sequence[str], stood: t.Mapping[str, str]) -> None:
    """Have the program take the tree that C(current) leads to. Raises ValueError if it does not.

    C(stood) has where each link led before.
    """
    current, before = f"{path}/current", _files.read_link(f"{path}/applied")
    refusal = run(apply, f"{path}/{name}") if apply else ""
    if not refusal:
        _files.replace_link(f"{path}/applied", name)
        return
    outcome = "the new files in force, the old ones are back"
    if before == name:
        outcome = "the files in force, which it took before and which stay"
    elif os.path.isdir(f"{path}/{before}") and before:
        _files.replace_link(current, before)
    else:
        outcome = "the new files in force; there were none before, and what stood in their places is back"
        before = ""
        _files.remove_link(current)
    put_links_back(stood, unwanted="" if before else current)
    if before != name:
        shutil.rmtree(f"{path}/{name}")
    raise ValueError(f"{' '.join(apply)} did not put {outcome}: {refusal}")


def remove_others(path: str, keep: t.Collection[str]) -> None:
    for name in set(os.listdir(path)) - set(keep):
        inner = f"{path}/{name}"
        if os.path.isdir(inner) and not os.path.islink(inner):
            shutil.rmtree(inner)
        else:
            os.unlink(inner)


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    path, links, private = module.params["path"], module.params["links"], module.params["private"]
    files = {name: str(content) for name, content in module.params["files"].items()}
    current = f"{path}/current"
    result: dict[str, t.Any] = {}
    try:
        name = tree_name(files)
        before_name = _files.read_link(current)
        before = read_tree(current)
        new_tree = before_name != name or before != files
        stood = {link: _files.read_link(link) for link in links}
        new_links = {link for link, inner in links.items() if stood[link] != f"{current}/{inner}"}
        to_apply = new_tree or bool(new_links) or _files.read_link(f"{path}/applied") != name
        if not module.check_mode:
            if new_tree:
                mask = ROOT_ALONE if private else EXECUTABLE
                _files.publish(stage(path, files, module.params["validate"], mask), f"{path}/{name}")
                _files.replace_link(current, name)
            if new_links:
                keep_links(links, current)
            if to_apply:
                put_in_force(path, name, module.params["apply"], stood)
                # The one before stays at hand.
                remove_others(path, keep={"current", "applied", name, "" if private else before_name})
        result = {
            "changed": to_apply,
            "tree": f"{path}/{name}",
            "diff": differences(before, files) if new_tree and not private else [],
        }
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
