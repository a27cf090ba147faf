# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import pwd
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._command import OUTPUT_READ, run

ME = pwd.getpwuid(os.geteuid()).pw_name


def python(script: str, timeout: float = 10, user: str = ME) -> tuple[int, str]:
    return run([sys.executable, "-c", script], user, timeout, {"GATE_URL": "http://here"})


def test_what_a_command_sees() -> None:
    os.environ["SECRET_OF_ANSIBLE"] = "s3cret"
    try:
        status, output = python("import os; print(os.getcwd(), sorted(os.environ))")
    finally:
        del os.environ["SECRET_OF_ANSIBLE"]
    assert (status, output.split()[0]) == (0, "/")
    assert "'GATE_URL'" in output
    assert "SECRET_OF_ANSIBLE" not in output


def test_status_and_both_outputs() -> None:
    assert python("import sys; print('a', flush=True); print('b', file=sys.stderr); sys.exit(3)") == (3, "a\nb\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_another_user() -> None:
    nobody = pwd.getpwnam("nobody")
    who = run(["/usr/bin/id"], "nobody", 10, {})[1]
    assert who.startswith(f"uid={nobody.pw_uid}(nobody) gid={nobody.pw_gid}(")
    assert "(root)" not in who


def test_an_unknown_user() -> None:
    with pytest.raises(ValueError, match="there is no user no-such-user on this host"):
        python("", user="no-such-user")


def test_whatever_it_started_ends_with_it(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    child = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    script = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    with pytest.raises(TimeoutError, match=r"did not end within 0.8 s"):
        python(script, timeout=0.8)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{mark.read_text()}/cmdline").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{mark.read_text()}/stat").read_text().split()[2] == "Z":
            break
        time.sleep(0.01)
    assert time.monotonic() < deadline


def test_endless_output_is_cut() -> None:
    status, output = python("while True: print('x' * 1000)")
    assert (status != 0, len(output)) == (True, OUTPUT_READ)
