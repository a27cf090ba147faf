# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: report
type: aggregate
short_description: Write a report of every rollout
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Writes two files for each rollout of a run, C(<rollout>.json) and C(<rollout>.xml), the latter as JUnit.
  - They say who rolled out what from which release, and for each host in which batch, the steps with their times, what
    the gates saw, how many connections were cut, the outcome and its cause.
  - A run in check mode, or one that finds nothing to roll out, writes nothing.
  - It prints nothing, so it works beside every other callback plugin, and where AWX has its own.
options:
  directory:
    description:
      - Directory on the controller for the reports; it is created if need be. Without it, none are written.
      - Nobody but its owner can read the files, for the last words of an instance may be anything.
    type: path
    env:
      - name: EVENKEEL_REPORT_DIR
    ini:
      - section: callback_evenkeel_report
        key: directory
requirements:
  - enabled by C(callbacks_enabled = evenkeel.fleet.report)
"""

import json
import os
import time
import typing as t

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible_collections.evenkeel.fleet.plugins.module_utils._events import Watch
from ansible_collections.evenkeel.fleet.plugins.module_utils._record import Recorder, junit, report


class CallbackModule(CallbackBase):
    """Puts the rollouts of a run on record."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "evenkeel.fleet.report"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._recorder = Recorder()
        self._watch = Watch(time.time, time.monotonic)

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        self._watch.started(host.get_name(), task)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._recorder.add(self._watch.ended(result, "ok"))

    def v2_runner_item_on_ok(self, result: t.Any) -> None:
        self._recorder.add(self._watch.ended(result, "ok"))

    def v2_runner_item_on_failed(self, result: t.Any) -> None:
        self._recorder.add(self._watch.ended(result, "failed"))

    # The parameter carries the name that Ansible gives it.
    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._recorder.add(self._watch.ended(result, "ignored" if ignore_errors else "failed"))

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._recorder.add(self._watch.ended(result, "unreachable"))

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        directory = self.get_option("directory")
        if not directory or context.CLIARGS.get("check"):
            return
        os.makedirs(directory, exist_ok=True)
        for rollout in self._recorder.rollouts:
            data = report(rollout, time.time())
            write_private(f"{directory}/{rollout.rollout}.json", json.dumps(data, indent=2) + "\n")
            write_private(f"{directory}/{rollout.rollout}.xml", junit(data))


def write_private(path: str, text: str) -> None:
    """Whole or not at all: whoever watches the directory never reads half a report."""
    with os.fdopen(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    os.replace(f"{path}.new", path)
