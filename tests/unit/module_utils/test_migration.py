# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest
from ansible_collections.evenkeel.fleet.plugins.module_utils._layout import Layout
from ansible_collections.evenkeel.fleet.plugins.module_utils._migration import how_it_ended, migration_unit

ID = "1.1.0-0123456789ab"
TEMPLATE = """\
[Unit]
Description=notes in slot %i
After=network-online.target
StartLimitBurst=5

[Service]
Type=exec
User=notes
EnvironmentFile=/opt/notes/slots/%i/environment
LoadCredential=KEY:/opt/notes/slots/%i/credentials/KEY
Environment=KEY_FILE=%d/KEY
ExecStart=/opt/notes/slots/%i/artifact/notes serve
ExecReload=/bin/kill -HUP $MAINPID
WorkingDirectory=/var/lib/notes
BindReadOnlyPaths=/opt/notes/slots/%i/config:/etc/notes
Restart=always
RestartSec=2
TimeoutStopSec=30
ProtectSystem=strict

[Install]
WantedBy=multi-user.target
"""


def test_the_unit_of_a_migration_is_that_of_an_instance_that_ends() -> None:
    text = migration_unit(TEMPLATE, Layout.of("notes"), ID, ["bin/notes", "migrate", "100%", "a b"], 60)
    assert (
        text
        == f"""\
[Unit]
Description=Migration of notes to {ID}
After=network-online.target

[Service]
Type=oneshot
ExecStart=/opt/notes/releases/{ID}/artifact/bin/notes migrate 100%% "a b"
WorkingDirectory=/opt/notes/releases/{ID}/artifact
TimeoutStartSec=60
User=notes
EnvironmentFile=/opt/notes/releases/{ID}/blue/environment
LoadCredential=KEY:/opt/notes/releases/{ID}/blue/credentials/KEY
Environment=KEY_FILE=%d/KEY
BindReadOnlyPaths=/opt/notes/releases/{ID}/blue/config:/etc/notes
TimeoutStopSec=30
ProtectSystem=strict

"""
    )


def test_a_migration_wants_a_command() -> None:
    with pytest.raises(ValueError, match="command is empty"):
        migration_unit(TEMPLATE, Layout.of("notes"), ID, [], 60)


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"Result": "exit-code", "ExecMainStatus": "3"}, "exit status 3"),
        ({"Result": "timeout", "ExecMainStatus": "15"}, "it was stopped, for it took more than 60 s"),
        ({"Result": "oom-kill", "ExecMainStatus": "9"}, "systemd says oom-kill, status 9"),
    ],
)
def test_how_it_ended(properties: dict[str, str], said: str) -> None:
    assert how_it_ended(properties, 60) == said
