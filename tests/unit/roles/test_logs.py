# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sender and receiver of logs: what the one calls itself, whom the other lets in, and when both take a certificate."""

from __future__ import annotations

import contextlib
import json
import re
import typing as t

import pytest
import read_back
from ansible_collections.evenkeel.fleet.plugins.module_utils._certificates import alternative_names, certified_names
from rendering import Role

HOSTS = {
    "Log_1": {"ansible_host": "192.0.2.1"},
    "app_1": {"ansible_host": "192.0.2.2"},
    "app_2": {"ansible_host": "app2.example.com"},
}
FLEET: dict[str, t.Any] = {
    "groups": {"all": list(HOSTS), "log_receiver": ["Log_1"], "logs": list(HOSTS)},
    "hostvars": HOSTS,
    "inventory_hostname": "Log_1",
    "__logs_certificates": {"stdout": "a key"},
    # The inventory's own plugin knows no other inventory.
    "__log_receiver_hosts": list(HOSTS),
    "__log_receiver_certificates": {"expires": {"Log_1": 1}},
    "__log_receiver_lookups": {
        "results": [{"stdout": "192.0.2.3  STREAM app2.example.com\n192.0.2.3  DGRAM\n2001:db8::3  STREAM\n"}]
    },
}


def tree(role: str, **settings: t.Any) -> dict[str, str]:
    variable = {"logs": "__logs_files", "log_receiver": "__log_receiver_tree"}[role]
    return t.cast("dict[str, str]", Role(role).evaluate(variable, **{**FLEET, **settings}))


@pytest.mark.parametrize(("role", "peers"), [("logs", ["Log_1"]), ("log_receiver", list(HOSTS))])
def test_whoever_is_let_in_is_called_as_in_the_certificate(role: str, peers: list[str]) -> None:
    (permitted,) = re.findall(r"tls\.permittedPeer=\[(.*?)\]", tree(role)["rsyslog.conf"])
    names = certified_names(peers)
    assert set(re.findall(r'"(.*?)"', permitted)) == names
    assert alternative_names(names) == ",".join(f"DNS:{name}" for name in sorted(names))


def test_lines_are_filed_under_the_host_from_whose_address_they_came() -> None:
    """An address, and all that a name was found to stand for."""
    found = re.findall(
        r"\$fromhost-ip == (\[.*\]) then set \$\.sender = (\".*\");", tree("log_receiver")["rsyslog.conf"]
    )
    assert {json.loads(host): json.loads(addresses) for addresses, host in found} == {
        "Log_1": ["192.0.2.1"],
        "app_1": ["192.0.2.2"],
        "app_2": ["192.0.2.3", "2001:db8::3"],
    }


def test_senders_that_no_certificate_could_name_are_found_beforehand() -> None:
    """Whoever passes gets a certificate, and whoever does not would have got none."""
    names = ["Log_1", "app-1.test", "2001:db8::1", "app 1", "aäpp", "app1\n", "app1,DNS:other", "app;1"]
    refused = Role("log_receiver").evaluate("__log_receiver_unnameable", **{**FLEET, "__log_receiver_hosts": names})
    assert refused == names[3:]
    for name in names:
        with pytest.raises(ValueError, match="no host name") if name in refused else contextlib.nullcontext():
            alternative_names(certified_names([name]))


@pytest.mark.parametrize(
    ("role", "other"),
    [
        ("logs", {"__logs_certificates": {"stdout": "another key"}}),
        ("log_receiver", {"__log_receiver_certificates": {"expires": {"Log_1": 2}}}),
    ],
)
def test_another_certificate_is_another_tree_to_put_in_force(role: str, other: dict[str, t.Any]) -> None:
    """So a run that was cut off between the certificate and the restart is made up for by the next one."""
    assert tree(role) == tree(role)
    assert tree(role) != tree(role, **other)
    assert "a key" not in str(tree(role))


@pytest.mark.parametrize("settings", [{}, {"logs_journal_max_use": "512M", "logs_keep_days": 7}])
def test_the_journal_outlives_a_reboot_and_has_an_end(settings: dict[str, t.Any]) -> None:
    role = Role("logs")
    wanted = {**role.variables, **settings}
    words = read_back.journald(role.evaluate("__logs_journal_files", **settings)["50-evenkeel.conf"])
    journal = dict(zip(words[::2], words[1::2], strict=True))
    assert journal["Storage"] == "persistent"
    assert journal["SystemMaxUse"] == wanted["logs_journal_max_use"]
    assert journal["MaxRetentionSec"] == f"{wanted['logs_keep_days']}day"
    assert int(journal["RateLimitBurst"]) >= 60_000
