# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import sys
import types
import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._postgres import DriverMissingError, first_row


def test_a_host_without_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """With it, see molecule/rollout/tests/test_probes.py."""
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(DriverMissingError, match="wanted the package python3-psycopg2"):
        first_row({}, "SELECT 1", 5)


class DriverError(Exception):
    pass


class CanceledError(DriverError):
    pass


@pytest.mark.parametrize(
    ("raised", "late", "said"),
    [
        (CanceledError("canceling statement due to statement timeout"), True, "gave no answer within 5 s"),
        (DriverError("no\n  such host"), False, "no such host"),
    ],
)
def test_an_answer_too_late_is_none_whoever_gives_up_first(
    monkeypatch: pytest.MonkeyPatch, raised: DriverError, late: bool, said: str
) -> None:
    def connect(**_arguments: t.Any) -> None:
        raise raised

    extensions = types.SimpleNamespace(QueryCanceledError=CanceledError)
    driver = types.SimpleNamespace(connect=connect, Error=DriverError, extensions=extensions)
    monkeypatch.setitem(sys.modules, "psycopg2", driver)
    with pytest.raises(OSError, match=said) as found:
        first_row({}, "SELECT pg_sleep(60)", 5)
    assert isinstance(found.value, TimeoutError) is late
