# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Where a service's things lie on a host, and the names that follow from its name."""

from __future__ import annotations

import re
from dataclasses import dataclass

SLOTS = ("blue", "green")
CLOSED = "closed"

# Names that are taken on a Debian host: by template units, by system users, by directories in /var/lib and /etc.
# A service of that name would get another program's unit, user or data.
TAKEN = (
    "apt|autovt|backup|bin|capsule|container-getty|cron|daemon|dbus|dpkg|e2scrub|games|getty|ifup|irc|list|logrotate|lp|"
    "mail|man|messagebus|misc|modprobe|news|nginx|nobody|openvpn|pam|pg_(basebackup|compresswal|dump|receivewal)|"
    "postgres|postgresql|private|proxy|python|quotaon|redis|redis-server|root|serial-getty|sshd?|sudo|sync|sys|ucf|"
    "user|user-runtime-dir|uucp|wg-quick|wpa_supplicant|www-data|_apt|systemd(-.*)?|evenkeel(-.*)?"
)
SERVICE_NAME = rf"(?!({TAKEN})\Z)[a-z_][a-z0-9_-]{{0,31}}"
SERVICE_NAME_WANTS = (
    "a lower-case name of at most 32 of a-z, 0-9, _ and - that no unit, user or directory of Debian's or ours has"
)

SWITCH_UNIT_FILE = "/etc/systemd/system/evenkeel-switch@.service"

# What a release says of itself, in its own directory.
MANIFEST = "release.json"

RELEASE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_~-]{0,63}-[0-9a-f]{12}")


def other_slot(slot: str) -> str:
    return "green" if slot == "blue" else "blue"


@dataclass(frozen=True)
class Layout:
    """The paths and unit names of one service.

    ``root`` holds ``releases/<id>``, ``slots/<slot>`` (links into a release), ``current`` and ``previous``.
    """

    service: str
    root: str

    @classmethod
    def of(cls, service: str, root: str | None = None) -> Layout:
        if not re.fullmatch(SERVICE_NAME, service):
            raise ValueError(f"service is {service!r}; it wants {SERVICE_NAME_WANTS}")
        return cls(service, root or f"/opt/{service}")

    @property
    def releases(self) -> str:
        return f"{self.root}/releases"

    def release(self, release_id: str) -> str:
        if not RELEASE_ID.fullmatch(release_id):
            raise ValueError(f"release is {release_id!r}; it wants <version>-<12 hexadecimal digits>")
        return f"{self.releases}/{release_id}"

    @property
    def current(self) -> str:
        return f"{self.root}/current"

    @property
    def previous(self) -> str:
        return f"{self.root}/previous"

    @property
    def kept(self) -> str:
        """Where all files of a front end are that somebody may still ask for."""
        return f"{self.root}/kept"

    def slot(self, slot: str) -> str:
        return f"{self.root}/slots/{slot}"

    @property
    def unit_template(self) -> str:
        return f"{self.service}@.service"

    def unit(self, slot: str) -> str:
        return f"{self.service}@{slot}.service"

    def unit_link(self, slot: str) -> str:
        return f"/etc/systemd/system/{self.unit(slot)}"

    def enabled_link(self, slot: str) -> str:
        return f"/etc/systemd/system/multi-user.target.wants/{self.unit(slot)}"

    @property
    def migration_unit(self) -> str:
        return f"{self.service}-migration.service"

    @property
    def migration_file(self) -> str:
        """Gone with the next boot, if a run that was killed left it there."""
        return f"/run/systemd/system/{self.migration_unit}"

    @property
    def state(self) -> str:
        return f"/var/lib/evenkeel/{self.service}"

    @property
    def retired(self) -> str:
        return f"{self.state}/retired"

    @property
    def switch_table(self) -> str:
        return f"evenkeel_{self.service}"

    @property
    def switch_file(self) -> str:
        return f"/etc/evenkeel/switch/{self.service}.nft"

    @property
    def switch_enabled_link(self) -> str:
        return f"/etc/systemd/system/sysinit.target.wants/{self.switch_unit}"

    @property
    def switch_unit(self) -> str:
        return f"evenkeel-switch@{self.service}.service"


def release_of(slot_target: str) -> str:
    """The release id in a link such as ``../releases/1.0.0-0123456789ab/blue`` or ``releases/1.0.0-0123456789ab``.

    Returns an empty string where the link leads to no release.
    """
    for part in slot_target.split("/"):
        if RELEASE_ID.fullmatch(part):
            return part
    return ""
