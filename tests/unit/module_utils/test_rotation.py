# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import itertools

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._release import environment_file, has_variable
from ansible_collections.evenkeel.fleet.plugins.module_utils._rotation import Previous, Seen, in_step

KEY = Previous("KEY", "old", "KEY_TOO")
GIVEN = {"KEY": "new", "URL": "there"}
STEPS = ("admit", "use", "revoke")

OLD = {"KEY": "old"}
ADMITTED = {"KEY": "old", "KEY_TOO": "new"}
USED = {"KEY": "new", "KEY_TOO": "old"}
REVOKED = {"KEY": "new"}


def seen(runs: dict[str, str]) -> Seen:
    """What is found on a host that runs with these, of those that it is to have in the end, the old value besides."""
    wanted = {**GIVEN, **USED}
    have = {**runs, "URL": "there"}
    same = {name for name, value in wanted.items() if have.get(name) == value}
    return Seen(same, set(wanted) - same)


def step(name: str, *hosts: dict[str, str], previous: Previous = KEY) -> dict[str, str]:
    given = in_step(GIVEN, [previous], name, [seen(host) for host in hosts])
    assert given.pop("URL") == "there"
    return given


def test_without_a_previous_value_nothing_is_added() -> None:
    for name in STEPS:
        assert in_step(GIVEN, [Previous("KEY", "", "KEY_TOO")], name) == GIVEN


def test_a_release_outside_of_a_rotation_accepts_both() -> None:
    assert step("use") == USED


def test_a_rotation_in_its_steps() -> None:
    assert step("admit", OLD, OLD) == ADMITTED
    assert step("use", ADMITTED, ADMITTED) == USED
    assert step("revoke", USED, USED) == REVOKED


def test_one_that_is_over_is_left_alone() -> None:
    assert [step(name, REVOKED, REVOKED) for name in STEPS] == [REVOKED] * 3


def test_a_host_that_is_new_does_not_count() -> None:
    assert in_step(GIVEN, [KEY], "admit", [seen(REVOKED), Seen((), ())]) == GIVEN


def test_a_value_that_is_kept_is_accepted_for_ever() -> None:
    kept = Previous("KEY", "old", "KEY_TOO", keep=True)
    assert step("revoke", USED, previous=kept) == USED
    assert step("admit", REVOKED, previous=kept) == USED


def test_a_secret_that_others_have_is_none_of_theirs() -> None:
    assert in_step({"OTHER": "x"}, [KEY], "use") == {"OTHER": "x"}


def understand(one: dict[str, str], other: dict[str, str]) -> bool:
    """Whether each of two instances accepts what the other one makes."""
    return all(a["KEY"] in b.values() for a, b in itertools.permutations((one, other)))


def test_no_step_parts_instances_that_answer_side_by_side() -> None:
    """From whatever a fleet runs with, in whatever mixture, old and new instances understand each other."""
    for first, second in itertools.product((OLD, ADMITTED, USED, REVOKED), repeat=2):
        if not understand(first, second):
            continue
        runs = [first, second]
        for name in STEPS:
            now = step(name, *runs)
            assert all(understand(old, now) for old in runs), (name, runs, now)
            runs = [now, now]
        assert runs == [REVOKED, REVOKED]


@pytest.mark.parametrize("value", ["plain", 'with "quotes" and $', "two\nlines", 8000])
def test_a_variable_is_found_in_the_file_it_was_written_to(value: str | int) -> None:
    text = environment_file({"BEFORE": "x", "KEY": value, "Z": "KEY=plain"})
    assert has_variable(text, "KEY", value)
    assert not has_variable(text, "KEY", "other")
    assert not has_variable(text, "EY", value)
