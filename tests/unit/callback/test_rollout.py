# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The callback plugins in a run of the real ansible-playbook; what they print is tested in module_utils."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.callback import rollout

PLAY = """\
- name: Do what nobody needs
  hosts: localhost:!all
  tasks: [{ansible.builtin.debug: {}}]
- name: Do all sorts of things
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Say several lines
      ansible.builtin.debug: {msg: [one, two]}
    - name: Write a secret
      ansible.builtin.copy: {content: hunter2, dest: "{{ playbook_dir }}/secret", mode: "0600"}
      no_log: true
      notify: Hear of it
    - name: Write no secret
      ansible.builtin.copy: {content: "open\\n", dest: "{{ playbook_dir }}/open", mode: "0600"}
    - name: Fail and be rescued
      block:
        - name: Fail
          ansible.builtin.command: {cmd: "sh -c 'echo why >&2; exit 3'"}
      rescue:
        - name: Go on
          ansible.builtin.meta: flush_handlers
    - name: Fail for good
      ansible.builtin.fail: {msg: "enough"}
  handlers:
    - name: Hear of it
      ansible.builtin.debug: {msg: "heard"}
"""

PRINTED = """\
PLAY [Do all sorts of things]
localhost:
one
two
localhost: changed [Write a secret]
localhost: [Write no secret]
--- before
+++ after: DIR/open
@@ -0,0 +1 @@
+open
localhost: FAILED: """


def play(directory: Path, *options: str) -> str:
    path = directory / "play.yml"
    path.write_text(PLAY, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    command = ["ansible-playbook", "-i", "localhost,", "--diff", *options, str(path)]
    interpreter = {"ANSIBLE_PYTHON_INTERPRETER": sys.executable}
    done = subprocess.run(command, capture_output=True, text=True, env=environment | interpreter, check=False)
    assert done.returncode == 2, done.stderr
    return re.sub(re.escape(str(directory)), "DIR", done.stdout)


@pytest.fixture
def checkout_is_here(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user runs it: ansible.cfg of the checkout, found because it lies in the directory where one is."""
    monkeypatch.chdir(checkout)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")


@pytest.mark.usefixtures("checkout_is_here")
def test_a_run(tmp_path: Path) -> None:
    printed = play(tmp_path)
    assert printed.startswith(PRINTED)
    # What precedes the cause are Ansible's own words.
    assert re.search(r"\nlocalhost: FAILED: .*: why\n    task     Fail\n    file     DIR/play\.yml:\d+\n", printed)
    assert "\nlocalhost: FAILED: enough\n    task     Fail for good\n" in printed
    assert re.search(
        r"\nfailed: localhost\n1 host: ok=\d+ changed=2 unreachable=0 failed=1 skipped=0 rescued=1 .* s\n$", printed
    )
    assert "localhost: heard\n" in printed
    assert "hunter2" not in printed
    assert "\x1b" not in printed


def test_with_more_verbosity_the_default_callback_is_at_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    callback = rollout.CallbackModule()
    callback.v2_playbook_on_no_hosts_remaining()
    monkeypatch.setattr(callback._display, "verbosity", 1)
    callback.v2_playbook_on_no_hosts_remaining()
    mine, default = capsys.readouterr().out.split("\n", maxsplit=1)
    assert mine == "no host is left to go on with"
    assert "NO MORE HOSTS LEFT ****" in default
