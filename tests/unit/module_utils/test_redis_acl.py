# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import hashlib
import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._redis_acl import RIGHTS, acl

NOTES = {"name": "notes", "passwords": ["old", "new"], "keys": ["notes:*", "shared"]}


def sha(password: str) -> str:
    return "#" + hashlib.sha256(password.encode()).hexdigest()


def test_without_users_the_password_lets_everybody_in() -> None:
    assert acl([], "evenkeel", "secret", True) == {"default": f"reset on {sha('secret')} ~* &* +@all"}
    with pytest.raises(ValueError, match="nobody would get in"):
        acl([], "evenkeel", "secret", False)


def test_a_user_has_his_passwords_and_his_keys() -> None:
    assert acl([NOTES], "evenkeel", "secret", False) == {
        "evenkeel": f"reset on {sha('secret')} ~* &* +@all",
        "notes": f"reset on {sha('old')} {sha('new')} ~notes:* ~shared &notes:* &shared {RIGHTS['application']}",
        "default": "off",
    }


def test_the_first_password_may_be_the_only_one() -> None:
    rules = acl([NOTES], "evenkeel", "secret", False, only_first=True)["notes"]
    assert rules.startswith(f"reset on {sha('old')} ~notes:*")


def test_on_the_way_to_users_the_nameless_still_get_in() -> None:
    found = acl([NOTES], "evenkeel", "secret", True)
    assert found["default"] == found["evenkeel"]


def test_sentinel_makes_primaries_and_touches_no_key() -> None:
    rules = acl([{"name": "x", "passwords": ["y"], "access": "sentinel"}], "evenkeel", "secret", False)["x"]
    assert "~" not in rules
    assert "@" not in rules


def test_nothing_stands_beside_the_pattern_for_everything() -> None:
    rules = acl([{"name": "x", "passwords": ["y"], "keys": ["a:*", "*"]}], "evenkeel", "secret", False)["x"]
    assert rules == f"reset on {sha('y')} ~* &* {RIGHTS['application']}"


@pytest.mark.parametrize("access", ["backup", "monitoring", "replica"])
def test_other_users_read_no_key(access: str) -> None:
    rules = acl([{"name": "x", "passwords": ["y"], "access": access}], "evenkeel", "secret", False)["x"]
    assert rules == f"reset on {sha('y')} {RIGHTS[access]}"
    assert not {"~", "&", "@"} & set(rules)
    assert "config" not in rules


@pytest.mark.parametrize(
    ("user", "complaint"),
    [
        ({"name": "evenkeel", "passwords": ["x"]}, "evenkeel is taken"),
        ({"name": "default", "passwords": ["x"]}, "default is taken"),
        ({"name": "notes", "passwords": ["x"]}, "notes is taken"),
        ({"name": "a", "passwords": []}, "a has no password"),
        ({"name": "a", "passwords": ["x", ""]}, "a has no password, or an empty one"),
        ({"name": "a", "passwords": ["x"], "keys": ["a b"]}, "'a b' is no pattern of keys"),
        ({"name": "a", "passwords": ["x"], "keys": ["a\n+@all"]}, "is no pattern of keys"),
        ({"name": "a", "passwords": ["x"], "access": "root"}, "access of a is 'root'"),
    ],
)
def test_bad_users_are_refused_without_their_passwords(user: dict[str, t.Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        acl([NOTES, user], "evenkeel", "hunter2", False)
    assert "hunter2" not in str(caught.value)
