# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Which of two values of a secret a service uses, and which it accepts, while one rotates.

What one instance makes with a new key, another has to understand. So all of them accept the new value before the first
one uses it, and go on accepting the old one until none does.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

ADMIT, USE, REVOKE = "admit", "use", "revoke"


@dataclass(frozen=True)
class Previous:
    """The value of a secret before the one it has now, and the variable in which a service takes a second value.

    One that is to be kept is never revoked.
    """

    name: str
    value: str
    variable: str
    keep: bool = False


@dataclass(frozen=True)
class Seen:
    """Of the secrets that a host is to have, the names of those its current release has, and of those it has not.

    A host without a release has neither.
    """

    in_use: t.Collection[str]
    missing: t.Collection[str]


def step_of(previous: Previous, step: str, hosts: t.Sequence[Seen]) -> str:
    """How far a secret gets in this step of the rotation. None ever goes back, so a rotation may be repeated."""
    if not previous.value:
        return REVOKE
    if step == REVOKE:
        return USE if previous.keep else REVOKE
    if not hosts or any(previous.name in host.missing for host in hosts):
        return step
    return USE if any(previous.variable in host.in_use for host in hosts) else step_of(previous, REVOKE, hosts)


def in_step(
    secrets: t.Mapping[str, t.Any], previous: t.Iterable[Previous], step: str, hosts: t.Sequence[Seen] = ()
) -> dict[str, t.Any]:
    """The secrets as an instance gets them in this step; ``hosts`` is what was seen of all hosts of the service."""
    given = dict(secrets)
    for second in previous:
        if second.name not in secrets:
            continue
        now, reached = secrets[second.name], step_of(second, step, hosts)
        if reached == ADMIT:
            given.update({second.name: second.value, second.variable: now})
        elif reached == USE:
            given[second.variable] = second.value
    return given


def to_admit(previous: t.Iterable[Previous], hosts: t.Sequence[Seen]) -> list[str]:
    """The secrets whose new value some host does not use yet, so that the others have to accept it first."""
    return [one.name for one in previous if one.value and any(one.name in host.missing for host in hosts)]
