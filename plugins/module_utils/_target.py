# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Which release to go back to, when the hosts' histories may differ."""

from __future__ import annotations

import typing as t

Seen = t.Mapping[str, t.Mapping[str, t.Any]]


def version_of(release_id: str) -> str:
    return release_id.rpartition("-")[0]


def named_release(name: str, seen: Seen) -> str:
    """The release with this id or version. It must be staged on every host. Raises ValueError."""
    there = {release for host in seen.values() for release in host["releases"]}
    matches = sorted(release for release in there if name in (release, version_of(release)))
    if not matches:
        raise ValueError(f"no host has a release {name}; there are: {', '.join(sorted(there)) or 'none'}")
    if len(matches) > 1:
        raise ValueError(f"{name} may be any of {', '.join(matches)}; name the one you mean by its id")
    return _staged_everywhere(matches[0], seen)


def previous_release(seen: Seen) -> str:
    """The release that most hosts ran before the current one. It must be staged on every host. Raises ValueError.

    A host that never came as far as the rest, because a rollout ended early or it joined late, follows the others.
    Where a rollout of something new was left half-way, the way back is to what it began with; where one of something
    old was, it is the way back already.
    """
    unsettled = {_served(host) for host in seen.values() if _served(host) not in (host["current"], host["previous"])}
    votes: dict[str, int] = {}
    for host in seen.values():
        stayed = unsettled and host["current"] not in unsettled
        before = host["current"] if stayed else host["previous"]
        if before:
            votes[before] = votes.get(before, 0) + 1
    if not votes:
        raise ValueError("no host remembers a previous release; name one that is staged on all of them")
    most = max(votes.values())
    winners = sorted(release for release, count in votes.items() if count == most)
    if len(winners) > 1:
        raise ValueError(f"the hosts do not agree on the previous release: {', '.join(winners)}; name one of them")
    return _staged_everywhere(winners[0], seen)


def _served(host: t.Mapping[str, t.Any]) -> str:
    """The release that users of the host reach or, where they reach none, it settled on."""
    return str(host["slots"].get(host["switch"], {}).get("release", "") or host["current"])


def _staged_everywhere(release: str, seen: Seen) -> str:
    missing = [name for name, host in seen.items() if release not in host["releases"]]
    if missing:
        raise ValueError(
            f"release {release} is not staged on {', '.join(missing)}; nothing was changed. "
            "Roll it out by its version with the playbook site instead"
        )
    _check_whole(dict.fromkeys(seen, release), seen)
    return release


def _check_whole(wanted: t.Mapping[str, str], seen: Seen) -> None:
    """Refuse a release that is damaged on a host, as far as somebody looked. Raises ValueError."""
    damaged = {host: release for host, release in wanted.items() if release in seen[host].get("damaged", ())}
    if damaged:
        raise ValueError(
            f"release {', '.join(sorted(set(damaged.values())))} is damaged on {', '.join(damaged)}: its files are not "
            "those it was staged with; nothing was changed. Roll it out by its version with the playbook site, which "
            "stages it anew"
        )


def wanted_releases(target: str, name: str, staged: t.Mapping[str, str], seen: Seen) -> dict[str, str]:
    """For each host of one service, the release that a rollout leads to. Raises ValueError where there is none.

    ``target`` is ``staged`` (the one in ``staged``), ``previous`` (or the one called ``name``) or ``current``.
    """
    if target == "staged":
        late = [host for host, release in staged.items() if not release]
        if late:
            raise ValueError(
                f"{', '.join(late)} was retired when the release was staged, and is not any more; nothing was shifted. "
                "Run this again"
            )
        return dict(staged)
    if target == "previous":
        release = named_release(name, seen) if name else previous_release(seen)
        return dict.fromkeys(seen, release)
    empty = [host for host, found in seen.items() if not found["current"]]
    if empty:
        raise ValueError(f"{', '.join(empty)} never settled on a release; there is nothing to restart")
    current = {host: found["current"] for host, found in seen.items()}
    _check_whole(current, seen)
    return current
