# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import Layout, other_slot, release_of

ID = "1.0.0-0123456789ab"


def test_paths_and_names() -> None:
    layout = Layout.of("notes")
    assert layout.root == "/opt/notes"
    assert layout.release(ID) == f"/opt/notes/releases/{ID}"
    assert (layout.current, layout.previous) == ("/opt/notes/current", "/opt/notes/previous")
    assert layout.slot("blue") == "/opt/notes/slots/blue"
    assert layout.unit_template == "notes@.service"
    assert layout.unit("green") == "notes@green.service"
    assert layout.unit_link("green") == "/etc/systemd/system/notes@green.service"
    assert layout.enabled_link("green") == "/etc/systemd/system/multi-user.target.wants/notes@green.service"
    assert layout.switch_table == "evenkeel_notes"
    assert layout.switch_file == "/etc/evenkeel/switch/notes.nft"
    assert layout.switch_unit == "evenkeel-switch@notes.service"


def test_a_root_of_ones_own() -> None:
    assert Layout.of("notes", "/srv/n").releases == "/srv/n/releases"


@pytest.mark.parametrize("name", ["a", "notes", "my-svc_2", "_x", "a" * 32])
def test_names_of_services(name: str) -> None:
    assert Layout.of(name).service == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Notes",
        "-x",
        "2x",
        "a b",
        "a\n",
        "a/b",
        "..",
        "a.b",
        "a@b",
        "a%i",
        "a;b",
        "a$b",
        'a"b',
        "é",
        "a\uff11",
        "a" * 33,
    ],
)
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="it wants a lower-case name"):
        Layout.of(name)


@pytest.mark.parametrize(
    "name",
    [
        "postgresql",
        "getty",
        "user",
        "evenkeel",
        "evenkeel-switch",
        "systemd-fsck",
        "redis",
        "nginx",
        "postgres",
        "root",
    ],
)
def test_names_that_a_debian_host_has_already_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="that no unit, user or directory of Debian's or ours has"):
        Layout.of(name)


@pytest.mark.parametrize("name", ["users", "getty2", "my-redis", "evenkeels", "rooted"])
def test_names_that_only_look_taken(name: str) -> None:
    assert Layout.of(name).service == name


@pytest.mark.parametrize(
    "release_id",
    [
        "",
        "1.0.0",
        "1.0.0-0123456789a",
        "1.0.0-0123456789abc",
        "1.0.0-0123456789AB",
        "../x-0123456789ab",
        "-0123456789ab",
        ".-0123456789ab",
        "a/b-0123456789ab",
        f"{ID}\n",
        "1.0.0-\uff10123456789ab",
        f"{'1' * 65}-0123456789ab",
    ],
)
def test_bad_releases_are_refused(release_id: str) -> None:
    with pytest.raises(ValueError, match="it wants <version>-<12 hexadecimal digits>"):
        Layout.of("notes").release(release_id)


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (f"../releases/{ID}/blue", ID),
        (f"releases/{ID}", ID),
        (f"/opt/notes/releases/{ID}/green", ID),
        ("../releases/1.0.0/blue", ""),
        ("/dev/null", ""),
        ("", ""),
    ],
)
def test_release_of(target: str, found: str) -> None:
    assert release_of(target) == found


def test_other_slot() -> None:
    assert (other_slot("blue"), other_slot("green")) == ("green", "blue")
