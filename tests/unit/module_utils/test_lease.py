# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._lease import (
    LONGEST,
    HeldError,
    Lease,
    lease_seconds,
    migration_seconds,
    renew,
    take,
    write,
    write_from_outside,
)
from hypothesis import given
from hypothesis import strategies as st

OURS = Lease.begun("r1", "ann@control", "p1", now=100.0, ttl=300.0)


def wanted(rollout: str, now: float, ttl: float = 300.0) -> Lease:
    return Lease.begun(rollout, "bob@control", "p2", now, ttl)


def test_a_free_lease_is_taken() -> None:
    assert take(None, wanted("r2", 150)) == wanted("r2", 150)


def test_renewing_keeps_the_time_it_was_taken() -> None:
    renewed = take(OURS, wanted("r1", 350))
    assert (renewed.taken, renewed.expires) == (100.0, 650.0)


def test_renewing_works_as_long_as_nobody_else_took_it() -> None:
    assert renew(OURS, wanted("r1", 350)).expires == 650.0
    assert renew(OURS, wanted("r1", 500)).expires == 800.0


@pytest.mark.parametrize("held", [None, OURS], ids=["free again", "of another rollout"])
def test_a_lost_lease_is_never_renewed(held: Lease | None) -> None:
    with pytest.raises(ValueError, match="rollout r2 does not hold the lease any more"):
        renew(held, wanted("r2", 1000))


def test_a_live_lease_is_refused_by_name() -> None:
    with pytest.raises(HeldError, match=r"rollout r1 of ann@control, begun 50 s ago; .* ends in 250 s"):
        take(OURS, wanted("r2", 150))


@pytest.mark.parametrize("now", [400.0, 401.0, 100000.0])
def test_an_expired_lease_is_taken_over(now: float) -> None:
    assert take(OURS, wanted("r2", now)).rollout == "r2"


def test_the_lease_of_a_process_known_to_have_ended_is_taken_over() -> None:
    assert take(OURS, wanted("r2", 150), dead="r1").rollout == "r2"
    with pytest.raises(HeldError):
        take(OURS, wanted("r2", 150), dead="r0")


def test_in_an_emergency_no_lease_counts() -> None:
    assert take(OURS, wanted("r2", 150), seize=True).rollout == "r2"


def test_a_clock_that_was_set_back_keeps_no_lease_alive() -> None:
    from_the_future = Lease.begun("r1", "ann@control", "p1", now=1e9, ttl=300)
    assert take(from_the_future, wanted("r2", 150)).rollout == "r2"


@pytest.mark.parametrize("ttl", [0.0, -1.0, LONGEST + 1])
def test_a_senseless_ttl_is_refused(ttl: float) -> None:
    with pytest.raises(ValueError, match="ttl is"):
        take(None, wanted("r2", 150, ttl))


@pytest.mark.parametrize(
    ("held", "rollout", "complaint"),
    [
        (None, "r1", "does not hold the lease any more"),
        (OURS, "r2", "it went to rollout r1 of ann@control"),
    ],
)
def test_writes_without_the_lease_are_refused(held: Lease | None, rollout: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        write(held, rollout, 150)


@pytest.mark.parametrize("now", [150.0, 399.0, 5000.0])
def test_a_write_renews_the_lease_as_long_as_nobody_else_took_it(now: float) -> None:
    renewed = write(OURS, "r1", now)
    assert (renewed.rollout, renewed.taken, renewed.expires) == ("r1", 100.0, now + 300.0)


def test_writes_from_outside_wait_for_the_end_of_a_rollout() -> None:
    with pytest.raises(ValueError, match="refused while another rollout is at work"):
        write_from_outside(OURS, 399)
    write_from_outside(OURS, 400)
    write_from_outside(None, 150)


@pytest.mark.parametrize(
    "stored", [{}, {"rollout": "r1"}, {"rollout": "r1", "owner": "a", "process": "", "taken": "x"}]
)
def test_an_unreadable_lease_is_none(stored: dict[str, str]) -> None:
    assert Lease.read(stored) is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.floats(0, 100), st.floats(1, 300)),
        min_size=1,
        max_size=40,
    )
)
def test_two_rollouts_never_hold_it_at_the_same_time(attempts: list[tuple[str, float, float]]) -> None:
    """Whoever takes it may write; everybody else may not, until the lease has run out."""
    held: Lease | None = None
    now = 0.0
    for rollout, pause, ttl in attempts:
        now += pause
        before = held
        try:
            held = take(held, Lease.begun(rollout, "x", "p", now, ttl))
        except HeldError:
            assert before is not None
            assert before.rollout != rollout
            assert now < before.expires
            continue
        write(held, rollout, now)
        for other in {"a", "b", "c"} - {rollout}:
            with pytest.raises(ValueError, match="does not hold"):
                write(held, other, now)


TIMES: dict[str, t.Any] = {
    "app_lease_ttl": 300,
    "app_drain_timeout": 30,
    "app_stop_timeout": 75,
    "app_gate_timeout": 60,
    "app_strategy": "surge",
    "app_in_place_pause": 30,
    "app_metrics_gate": False,
    "app_metrics_duration": 60,
    "app_metrics_wait": 240,
    "app_migrate_command": [],
    "app_migrate_timeout": 600,
}


@pytest.mark.parametrize(
    ("services", "seconds"),
    [
        ([{}], 450),
        ([{"app_lease_ttl": 900}], 900),
        ([{"app_strategy": "in_place"}], 510),
        # Services wait for the slowest one.
        ([{}, {"app_drain_timeout": 600}], 1590),
        ([{"app_lease_ttl": 900}, {}], 900),
        # Who compares renews its own lease, and nobody else's.
        ([{"app_metrics_gate": True}], 450),
        ([{"app_metrics_gate": True}, {}], 750),
        # What -e gives is text.
        ([dict.fromkeys(("app_lease_ttl", "app_drain_timeout", "app_stop_timeout", "app_gate_timeout"), "100")], 800),
    ],
)
def test_a_lease_outlives_two_batches_of_every_service(services: list[dict[str, t.Any]], seconds: int) -> None:
    assert lease_seconds([{**TIMES, **service} for service in services]) == seconds


def test_the_first_lease_outlives_migrations() -> None:
    migrating = {**TIMES, "app_migrate_command": ["notes", "migrate"], "app_migrate_timeout": "900"}
    assert migration_seconds([TIMES]) == 0
    assert migration_seconds([TIMES, migrating]) == 900
