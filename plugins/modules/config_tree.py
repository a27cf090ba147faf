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
attributes:
  check_mode:
    description: Can run in check mode and predicts whether anything would change. O(validate) does not run then.
    support: full
  diff_mode:
    description: Shows the difference of every file.
    support: full
options:
  path:
    description: Directory that holds the trees, and the link C(current) to the one in force.
    type: path
    required: true
  files:
    description: The whole tree, as a mapping of relative path to content. A file that is not in it is gone afterwards.
    type: dict
    required: true
  validate:
    description:
      - Command that checks the new tree, word by word; C({tree}) stands for its directory. It must exit with 0.
    type: list
    elements: str
    required: true
  links:
    description:
      - Links to keep from elsewhere into the tree, as a mapping of absolute path to relative path in the tree.
      - A file that stands in the place of a link is kept beside it with the suffix C(.before-evenkeel).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Configure nginx
  evenkeel.fleet.config_tree:
    path: /etc/nginx/evenkeel
    files:
      nginx.conf: "{{ lookup('ansible.builtin.template', 'nginx.conf.j2') }}"
    validate: [nginx, -t, -q, -c, "{tree}/nginx.conf"]
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
    "links": {"type": "dict", "default": {}},
}


def read_tree(root: str) -> dict[str, str]:
    found = {}
    for folder, _dirs, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, root)] = _files.read_text(path) or ""
    return found


def stage(path: str, files: t.Mapping[str, str], validate: t.Sequence[str]) -> str:
    """Write the files and have them checked. Raises ValueError with the command's own words if it refuses them."""
    os.makedirs(path, mode=0o755, exist_ok=True)
    scratch = tempfile.mkdtemp(prefix=".staging-", dir=path)
    os.chmod(scratch, 0o755)
    try:
        for name, content in files.items():
            _files.write_new(f"{scratch}/{name}", content.encode(), 0o644)
        command = [word.replace("{tree}", scratch) for word in validate]
        answer = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if answer.returncode != 0:
            said = (answer.stderr + answer.stdout).replace(f"{scratch}/", "").strip()
            raise ValueError(f"{' '.join(validate)} refuses the new files, the old ones stay in force: {said}")
    except BaseException:
        shutil.rmtree(scratch)
        raise
    return scratch


def keep_links(links: t.Mapping[str, str], current: str) -> None:
    for link, inner in links.items():
        if os.path.lexists(link) and not os.path.islink(link):
            os.rename(link, f"{link}.before-evenkeel")
        _files.replace_link(link, f"{current}/{inner}")


def remove_others(path: str, keep: t.Collection[str]) -> None:
    for name in os.listdir(path):
        if name not in keep:
            shutil.rmtree(f"{path}/{name}")


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    path, links = module.params["path"], module.params["links"]
    files = {name: str(content) for name, content in module.params["files"].items()}
    current = f"{path}/current"
    result: dict[str, t.Any] = {}
    try:
        name = tree_name(files)
        before_name = _files.read_link(current)
        before = read_tree(current)
        new_tree = before_name != name or before != files
        new_links = {link for link, inner in links.items() if _files.read_link(link) != f"{current}/{inner}"}
        if new_tree and not module.check_mode:
            _files.publish(stage(path, files, module.params["validate"]), f"{path}/{name}")
            _files.replace_link(current, name)
        if new_links and not module.check_mode:
            keep_links(links, current)
        if new_tree and not module.check_mode:
            # The one before stays at hand.
            remove_others(path, keep={"current", name, before_name})
        result = {
            "changed": bool(new_tree or new_links),
            "tree": f"{path}/{name}",
            "diff": differences(before, files) if new_tree else [],
        }
    except (ValueError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
