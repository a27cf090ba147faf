# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._sshd import deafness, parse, refusal, text, winners


def test_text() -> None:
    assert text({"X11Forwarding": False, "AllowUsers": ["admin", "ops"], "LoginGraceTime": 30}).splitlines()[1:] == [
        "AllowUsers admin ops",
        "LoginGraceTime 30",
        "X11Forwarding no",
    ]
    assert text({"Port": [22, 2222]}).splitlines()[1:] == ["Port 22", "Port 2222"]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"Match User": "x"}, "is no keyword"),
        ({"Match": "all"}, "is no keyword"),
        ({"include": "/tmp/x"}, "is no keyword"),
        ({"Banner": "x\nPermitRootLogin yes"}, "Banner is .* one line"),
        ({"Banner": ""}, "Banner is .* one line"),
        ({"AllowUsers": []}, "AllowUsers is .* one line"),
    ],
)
def test_what_would_not_stay_on_its_line_is_refused(settings: dict[str, t.Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        text(settings)


@pytest.mark.parametrize(
    ("above", "found"),
    [
        ("", []),
        ("# PermitRootLogin yes\n\nPort 2222\n", []),
        ("Port 22\n  permitrootlogin yes\n", ["permitrootlogin"]),
        ("PermitRootLogin=yes\n", ["PermitRootLogin"]),
        ("Match User ops\n", ["Match"]),
        ("Include /etc/ssh/own.conf\n", ["Include"]),
    ],
)
def test_what_would_win_over_the_settings(above: str, found: list[str]) -> None:
    assert winners(above, ["PermitRootLogin", "X11Forwarding"]) == found


def test_parse() -> None:
    assert parse("port 22\nallowusers a\nallowusers b\nbanner none\n") == {
        "port": ["22"],
        "allowusers": ["a", "b"],
        "banner": ["none"],
    }


KEYS_ONLY = "pubkeyauthentication yes\npasswordauthentication no\nkbdinteractiveauthentication no\n"
PASSWORDS = "pubkeyauthentication yes\npasswordauthentication yes\npermitrootlogin prohibit-password\n"


@pytest.mark.parametrize(
    ("config", "user", "keys", "why"),
    [
        (KEYS_ONLY, "admin", True, ""),
        (KEYS_ONLY, "admin", False, "admin has no authorized key, and passwords are not accepted"),
        (KEYS_ONLY + "trustedusercakeys /etc/ssh/ca", "admin", False, ""),
        (KEYS_ONLY + "authorizedkeyscommand /bin/keys", "admin", False, ""),
        (KEYS_ONLY + "authorizedkeyscommand none", "admin", False, "admin has no authorized key"),
        (KEYS_ONLY + "allowusers ops", "admin", True, "AllowUsers is ops, which admin from 10.0.0.7 is not among"),
        (KEYS_ONLY + "allowusers ops\nallowusers adm*@10.0.0.*", "admin", True, ""),
        (KEYS_ONLY + "allowusers admin@10.0.0.0/24", "admin", True, ""),
        (KEYS_ONLY + "allowusers ops@10.0.0.0/24", "admin", True, "AllowUsers is ops@10.0.0.0/24, which admin from"),
        (KEYS_ONLY + "allowusers admin@10.0.1.*", "admin", True, "AllowUsers is admin@10.0.1.*, which admin from 10.0"),
        (KEYS_ONLY + "allowusers admin@192.0.2.0/24", "admin", True, "AllowUsers is admin@192.0.2.0/24"),
        (KEYS_ONLY + "allowusers admin@office.example.com", "admin", True, "AllowUsers is admin@office.example.com"),
        (KEYS_ONLY + "denyusers admin@10.0.1.7 ops", "admin", True, ""),
        (KEYS_ONLY + "denyusers *@10.0.0.7", "admin", True, "DenyUsers is *@10.0.0.7, which admin from 10.0.0.7"),
        (KEYS_ONLY + "allowgroups wheel sudo", "admin", True, ""),
        (KEYS_ONLY + "allowgroups wheel", "admin", True, "AllowGroups is wheel"),
        (KEYS_ONLY + "denyusers admin", "admin", True, "DenyUsers is admin, which admin from 10.0.0.7 is among"),
        (KEYS_ONLY + "denygroups su*", "admin", True, "DenyGroups is su*"),
        (KEYS_ONLY + "permitrootlogin no", "root", True, "PermitRootLogin is no"),
        (PASSWORDS, "admin", False, ""),
        (PASSWORDS, "root", False, "root has no authorized key"),
        (PASSWORDS, "root", True, ""),
        ("pubkeyauthentication no\npasswordauthentication no", "admin", True, "admin has no authorized key"),
    ],
)
def test_refusal(config: str, user: str, keys: bool, why: str) -> None:
    said = refusal(parse(config), user, ["sudo"], keys, "10.0.0.7")
    assert said.startswith(why)
    assert bool(said) == bool(why)


@pytest.mark.parametrize(
    ("listens", "address", "heard"),
    [
        ("0.0.0.0:22 [::]:22", "10.0.0.1", True),
        ("0.0.0.0:22 [::]:22", "fe80::2", True),
        ("[::]:22", "fe80::2", True),
        ("0.0.0.0:22", "fe80::2", False),
        ("0.0.0.0:2222 0.0.0.0:22", "10.0.0.1", True),
        ("10.0.0.1:22", "10.0.0.1", True),
        ("[fd00::1]:22", "fd00::1", True),
        ("0.0.0.0:2222 [::]:2222", "10.0.0.1", False),
        ("127.0.0.1:22", "10.0.0.1", False),
        ("[::]:22", "10.0.0.1", False),
        ("", "10.0.0.1", False),
    ],
)
def test_somebody_answers_where_the_client_is_connected(listens: str, address: str, heard: bool) -> None:
    said = deafness(parse("".join(f"listenaddress {place}\n" for place in listens.split())), address, 22)
    assert bool(said) != heard
    assert heard or f"this connection came in at {address} port 22" in said
