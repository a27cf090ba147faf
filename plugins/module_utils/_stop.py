# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Which hosts may stop serving, and whether the others can do without them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.evenkeel.fleet.plugins.module_utils._rollout import least_available

ALL = "all"


@dataclass(frozen=True)
class Host:
    """What has to be known of a host of the play. ``seen`` is None where it could not be asked."""

    service: str
    seen: t.Mapping[str, t.Any] | None
    min_available: t.Any = ""

    @property
    def retired(self) -> bool:
        return bool(self.seen and self.seen["retired"])

    @property
    def serves(self) -> bool:
        if self.seen is None or self.retired:
            return False
        slot = self.seen["slots"].get(self.seen["switch"])
        return bool(slot and slot["running"] and self.seen["ready"] is not False)


def names_of(text: str) -> list[str]:
    """Names that are separated by commas, each once."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def retiring(names: t.Sequence[str], hosts: t.Mapping[str, Host], absent: t.Mapping[str, str]) -> list[str]:
    """The hosts to retire. ``absent`` are hosts of the inventory that are not in the play, and their services.

    Raises ValueError where one is unknown, cannot be reached or is at work, or where the rest would be too few.
    """
    if not names:
        raise ValueError("no host is named; to retire app3, run it with -e app_retire=app3")
    unknown = [name for name in names if name not in hosts]
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is no host of the play; there are: {', '.join(hosts)}")
    for service in dict.fromkeys(hosts[name].service for name in names):
        missing = [name for name, of in absent.items() if of == service]
        if missing:
            raise ValueError(
                f"{', '.join(missing)} of {service} is not in the play, so it cannot be asked; run it without --limit"
            )
        _check_service(service, names, {name: host for name, host in hosts.items() if host.service == service})
    return list(names)


def _check_service(service: str, names: t.Sequence[str], hosts: t.Mapping[str, Host]) -> None:
    for name in names:
        if name in hosts and hosts[name].seen is None:
            raise ValueError(f"{name} cannot be reached, so nothing can be stopped there; remove it from the inventory")
    in_use = [name for name, host in hosts.items() if not host.retired]
    least = max(1, least_available(len(in_use), next(iter(hosts.values())).min_available))
    left = [name for name, host in hosts.items() if host.serves and name not in names]
    if any(name in names for name in in_use) and len(left) < least:
        raise ValueError(
            f"without {', '.join(name for name in names if name in hosts)}, {service} would be served by "
            f"{', '.join(left) or 'no host'}; it wants at least {least} (app_min_available). Nothing was stopped"
        )


def stopping(name: str, hosts: t.Mapping[str, Host]) -> list[str]:
    """The hosts of a service, or of all services. Raises ValueError where there is no such service."""
    services = list(dict.fromkeys(host.service for host in hosts.values()))
    if name not in (ALL, *services):
        raise ValueError(
            f"app_emergency_stop is {name!r}; it wants the name of the service to stop, one of "
            f"{', '.join(services)}, or {ALL}. Nothing was stopped"
        )
    return [host for host, state in hosts.items() if name in (ALL, state.service)]
