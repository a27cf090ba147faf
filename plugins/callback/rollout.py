# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout
type: stdout
short_description: A run as its operator wants to read it
version_added: 1.0.0
author:
  - evenkeel.fleet contributors (@evenkeel)
description:
  - Tells what changed and what failed, and nothing of what is as it should be. What hosts do alike is one line for all
    of them; the steps of a rollout are one line for each host and phase, with how long its gates took and how many
    connections were cut.
  - A failure is told at once, its cause first, then where it happened, what a gate saw, and the last words of the
    instance.
  - On a terminal, the last line says what is being waited for.
  - With C(-v) or more, everything is shown as P(ansible.builtin.default#callback) shows it.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - set as stdout in the configuration
"""

import functools
import os
import shutil
import sys
import time
import typing as t

from ansible import constants, context
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback.default import CallbackModule as Default
from ansible_collections.evenkeel.fleet.plugins.module_utils._events import Watch, name_of
from ansible_collections.evenkeel.fleet.plugins.module_utils._steps import Event
from ansible_collections.evenkeel.fleet.plugins.module_utils._transcript import COUNTERS, Line, Transcript, progress

# Of a failed task, what is told anyway or means nothing to a reader.
TOLD = {
    "msg",
    "changed",
    "failed",
    "invocation",
    "diff",
    "exception",
    "stdout_lines",
    "stderr_lines",
    "ansible_loop_var",
}
WIDEST = 72

Method = t.Callable[..., None]


def unless_verbose(method: Method) -> Method:
    """With -v, do what the default callback does."""

    @functools.wraps(method)
    def chosen(self: CallbackModule, *args: t.Any, **kwargs: t.Any) -> None:
        if self._display.verbosity:
            getattr(super(CallbackModule, self), method.__name__)(*args, **kwargs)
        else:
            method(self, *args, **kwargs)

    return chosen


class CallbackModule(Default):
    """Prints what the transcript makes of a run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "evenkeel.fleet.rollout"

    def __init__(self) -> None:
        super().__init__()
        self._transcript = Transcript()
        self._watch = Watch(time.time, time.monotonic)
        self._started = time.monotonic()
        self._failed_items: set[tuple[str, str]] = set()
        self._shown_diffs: set[tuple[str, str]] = set()
        self._progress = ""
        self._live = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    # ---- printing

    def _tell(self, lines: t.Iterable[Line]) -> None:
        for line in lines:
            self._erase()
            self._display.display(line.text, color=_colour(line.kind))

    def _erase(self) -> None:
        if self._progress:
            self._progress = ""
            sys.stdout.write("\x1b[K")
            sys.stdout.flush()

    def _wait_for(self, task: t.Any) -> None:
        """Say on the last line of a terminal who is still at work. The cursor stays at its beginning, so that whatever
        else is printed covers it."""
        if not self._live:
            return
        waiting, total = self._watch.waiting(task)
        self._erase()
        if waiting:
            width = min(WIDEST, shutil.get_terminal_size().columns)
            self._progress = progress(name_of(task), waiting, total, width)
            sys.stdout.write(f"{self._progress}\r")
            sys.stdout.flush()

    # ---- what happens

    @unless_verbose
    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        check = bool(context.CLIARGS.get("check"))
        self._transcript = Transcript(check)
        if check:
            self._tell([Line("check mode: nothing is changed", "skip")])

    @unless_verbose
    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._play = play
        self._tell(self._transcript.play(play.get_name().strip()))

    @unless_verbose
    def v2_playbook_on_no_hosts_matched(self) -> None:
        pass

    @unless_verbose
    def v2_playbook_on_no_hosts_remaining(self) -> None:
        self._tell([Line("no host is left to go on with", "error")])

    @unless_verbose
    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        self._tell(self._transcript.task(name_of(task), task.action, task.get_vars().get("__app_batch")))

    @unless_verbose
    def v2_playbook_on_handler_task_start(self, task: t.Any) -> None:
        self._tell(self._transcript.task(name_of(task), task.action))

    @unless_verbose
    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        self._watch.started(host.get_name(), task)
        self._wait_for(task)

    @unless_verbose
    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._handle_warnings(result._result)
        event = self._watch.ended(result, "ok")
        if not isinstance(result._task, TaskInclude):
            said = self._what_it_says(result._result, event) if self._run_is_verbose(result) else ""
            if (event.host, result._task._uuid) not in self._shown_diffs or event.is_ours:
                self._tell(self._transcript.result(event, said))
        self._wait_for(result._task)

    # The parameter carries the name that Ansible gives it.
    @unless_verbose
    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._handle_warnings(result._result)
        event = self._watch.ended(result, "ignored" if ignore_errors else "failed")
        # The failure of a loop is that of its items, which were told.
        if (event.host, result._task._uuid) not in self._failed_items:
            self._tell(self._transcript.result(event, rest=self._rest(event)))
        self._wait_for(result._task)

    @unless_verbose
    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._handle_warnings(result._result)
        outcome = "ignored" if result._task.ignore_unreachable else "unreachable"
        self._tell(self._transcript.result(self._watch.ended(result, outcome)))
        self._wait_for(result._task)

    @unless_verbose
    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._handle_warnings(result._result)
        self._watch.ended(result, "skipped")
        self._wait_for(result._task)

    @unless_verbose
    def v2_runner_item_on_ok(self, result: t.Any) -> None:
        self._handle_warnings(result._result)
        if isinstance(result._task, TaskInclude):
            return
        if self._run_is_verbose(result):
            event = self._watch.ended(result, "ok")
            self._tell(self._transcript.result(event, self._what_it_says(result._result, event)))
        elif (event := self._watch.ended(result, "ok")).is_ours:
            self._tell(self._transcript.result(event))
        elif result._result.get("changed"):
            self._watch.item(result, str(self._get_item_label(result._result)))

    @unless_verbose
    def v2_runner_item_on_failed(self, result: t.Any) -> None:
        self._handle_warnings(result._result)
        self._watch.item(result, str(self._get_item_label(result._result)))
        event = self._watch.ended(result, "ignored" if result._task.ignore_errors else "failed")
        self._failed_items.add((event.host, result._task._uuid))
        self._tell(self._transcript.result(event, rest=self._rest(event)))

    @unless_verbose
    def v2_runner_item_on_skipped(self, result: t.Any) -> None:
        self._handle_warnings(result._result)

    @unless_verbose
    def v2_runner_retry(self, result: t.Any) -> None:
        self._wait_for(result._task)

    @unless_verbose
    def v2_runner_on_async_poll(self, result: t.Any) -> None:
        self._wait_for(result._task)

    @unless_verbose
    def v2_runner_on_async_ok(self, result: t.Any) -> None:
        pass

    @unless_verbose
    def v2_runner_on_async_failed(self, result: t.Any) -> None:
        pass

    @unless_verbose
    def v2_playbook_on_include(self, included_file: t.Any) -> None:
        pass

    @unless_verbose
    def v2_on_file_diff(self, result: t.Any) -> None:
        results = result._result["results"] if result._task.loop and "results" in result._result else [result._result]
        shown = [self._get_diff(one["diff"]) for one in results if one.get("diff") and one.get("changed")]
        text = "".join(diff for diff in shown if diff)
        if text:
            host, task = result._host.get_name(), result._task
            self._shown_diffs.add((host, task._uuid))
            self._tell(self._transcript.diff(host, name_of(task), text))

    @unless_verbose
    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        counts = {host: stats.summarize(host) for host in sorted(stats.processed)}
        known = {host: {name: count[name] for name in COUNTERS} for host, count in counts.items()}
        self._tell(self._transcript.end(known, time.monotonic() - self._started, time.time()))
        if stats.custom and self.get_option("show_custom_stats"):
            self._display.display(f"custom stats: {self._dump_results(stats.custom)}")

    # ---- what results say

    def _what_it_says(self, result: t.MutableMapping[str, t.Any], event: Event) -> str:
        """The text of a debug task, or of another that wants its result shown."""
        self._clean_results(result, event.action)
        said = result.get("msg")
        if isinstance(said, str):
            return said
        if isinstance(said, list) and all(isinstance(line, str) for line in said):
            return "\n".join(said)
        return self._dump(result)

    def _rest(self, event: Event) -> str:
        """What a failed task of another collection returned beside its message."""
        if event.is_ours:
            return ""
        rest = {name: value for name, value in event.result.items() if name not in TOLD and value not in ("", [], {})}
        return self._dump(rest)

    def _dump(self, result: t.Mapping[str, t.Any]) -> str:
        dumped = str(self._dump_results(result)).strip("\n") if result else ""
        return "" if dumped.strip() == "{}" else dumped


def _colour(kind: str) -> str | None:
    return {
        "play": constants.COLOR_HIGHLIGHT,
        "ok": constants.COLOR_OK,
        "changed": constants.COLOR_CHANGED,
        "error": constants.COLOR_ERROR,
        "unreachable": constants.COLOR_UNREACHABLE,
        "skip": constants.COLOR_SKIP,
    }.get(kind)
