# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._target import (
    named_release,
    previous_release,
    wanted_releases,
)

A, B, C = (f"1.{n}.0-{str(n) * 12}" for n in range(3))
A2 = "1.0.0-aaaaaaaaaaaa"


def host(current: str, previous: str, *releases: str, serves: str = "") -> dict[str, t.Any]:
    return {
        "current": current,
        "previous": previous,
        "releases": list(releases),
        "switch": "blue",
        "slots": {"blue": {"release": serves or current}, "green": {"release": ""}},
    }


def test_the_previous_release_is_the_one_that_all_had_before() -> None:
    assert previous_release({"h1": host(B, A, A, B), "h2": host(B, A, A, B)}) == A


def test_a_host_that_joined_late_follows_the_others() -> None:
    seen = {"h1": host(C, B, B, C), "h2": host(C, B, B, C), "h3": host(C, "", B, C)}
    assert previous_release(seen) == B


def test_a_release_that_is_not_on_every_host_is_refused_with_their_names() -> None:
    seen = {"h1": host(C, B, B, C), "h2": host(C, B, C), "h3": host(C, B, C)}
    with pytest.raises(ValueError, match="not staged on h2, h3; nothing was changed"):
        previous_release(seen)


def test_a_release_that_is_damaged_on_a_host_is_refused_with_its_name() -> None:
    seen = {"h1": host(C, B, A, B, C), "h2": {**host(C, B, A, B, C), "damaged": [B]}, "h3": host(C, B, A, B, C)}
    with pytest.raises(ValueError, match=f"release {B} is damaged on h2: .*; nothing was changed"):
        wanted_releases("previous", "", {}, seen)
    with pytest.raises(ValueError, match=f"release {B} is damaged on h2"):
        wanted_releases("previous", B, {}, seen)
    assert set(wanted_releases("previous", A, {}, seen).values()) == {A}
    assert set(wanted_releases("current", "", {}, seen).values()) == {C}
    seen["h3"]["damaged"] = [C]
    with pytest.raises(ValueError, match=f"release {C} is damaged on h3"):
        wanted_releases("current", "", {}, seen)


def test_from_a_rollout_that_was_left_half_way_it_goes_back_to_where_that_began() -> None:
    seen = {"h1": host(B, A, A, B, C, serves=C), "h2": host(B, A, A, B, C)}
    assert previous_release(seen) == B
    # One on the way back already goes on to where it led.
    seen = {"h1": host(C, B, B, C, serves=B), "h2": host(C, B, B, C)}
    assert previous_release(seen) == B
    # One that was killed while it settled has made the new release the current one here and there.
    seen = {"h1": host(C, B, B, C), "h2": host(B, A, A, B, C, serves=C), "h3": host(B, A, A, B, C, serves=C)}
    assert previous_release(seen) == B


def test_hosts_that_do_not_agree_are_refused() -> None:
    with pytest.raises(ValueError, match="do not agree"):
        previous_release({"h1": host(C, B, A, B, C), "h2": host(C, A, A, B, C)})


def test_a_first_release_has_none_before_it() -> None:
    with pytest.raises(ValueError, match="no host remembers"):
        previous_release({"h1": host(A, "", A)})


@pytest.mark.parametrize("name", ["1.1.0", B])
def test_a_release_is_named_by_version_or_id(name: str) -> None:
    assert named_release(name, {"h1": host(C, A, A, B, C)}) == B


def test_a_version_with_two_releases_is_ambiguous() -> None:
    with pytest.raises(ValueError, match=f"any of {A}, {A2}"):
        named_release("1.0.0", {"h1": host(C, A, A, A2, C)})


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ValueError, match=f"no host has a release 9; there are: {A}, {C}"):
        named_release("9", {"h1": host(C, A, A, C)})


def test_a_restart_wants_what_each_host_runs() -> None:
    seen = {"h1": host(B, A, A, B), "h2": host(A, "", A)}
    assert wanted_releases("current", "", {}, seen) == {"h1": B, "h2": A}
    with pytest.raises(ValueError, match="h3 never settled"):
        wanted_releases("current", "", {}, {**seen, "h3": host("", "", A)})


def test_an_update_wants_what_was_staged() -> None:
    assert wanted_releases("staged", "", {"h1": C}, {"h1": host(B, A, A, B, C)}) == {"h1": C}


def test_where_nothing_was_staged_nothing_is_updated() -> None:
    with pytest.raises(ValueError, match="h2 was retired when the release was staged, and is not any more; nothing"):
        wanted_releases("staged", "", {"h1": C, "h2": ""}, {})
