# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What the controller alone knows: whose rollout it is, and who is not in the play."""

from __future__ import annotations

import getpass
import secrets
import socket
import time
import typing as t


def rollout_id() -> str:
    """A name of its own for a rollout that begins now; names sort by time."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(2)}"


def owner(variables: t.Mapping[str, t.Any]) -> str:
    """Who is at work: the user and machine that run Ansible, and the job where AWX runs it."""
    job = variables.get("awx_job_id")
    person = variables.get("awx_user_name") or getpass.getuser()
    return f"{person}@{socket.gethostname()}" + (f", job {job}" if job else "")


def absent_hosts(variables: t.Mapping[str, t.Any], hosts: t.Collection[str]) -> dict[str, str]:
    """The hosts of the inventory that are none of these but have a service, and which."""
    hostvars = variables["hostvars"]
    others = [name for name in variables["groups"]["all"] if name not in hosts]
    return {name: hostvars[name]["app_name"] for name in others if "app_name" in hostvars[name]}
