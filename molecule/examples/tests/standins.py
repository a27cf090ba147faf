"""The demo service in the place of the five systems: under their names, at their paths and ports."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fleet
import yaml

EXAMPLES = fleet.CHECKOUT / "inventories/examples"
FIRST, SECOND = "1.0.0", "1.1.0"


@dataclass(frozen=True)
class System:
    """What a test has to know of a system beside its inventory."""

    # What users ask for, and whether they may write.
    paths: tuple[str, ...] = ("/notes", "/count")
    writes: bool = True
    websockets: int = 0
    # What the service answers itself, with whatever.
    own: str = "/swagger-ui"
    live: str = "/health"
    # What the demo service needs to be told to look like it.
    environment: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


SYSTEMS = {
    "leptos-sync": System(websockets=4),
    # Of what its balancer passes on, the demo service knows two paths.
    "reconciliation": System(paths=("/ready",), writes=False, websockets=4, own="/api/items"),
    "estuary": System(
        websockets=4,
        live="/health/live",
        environment={"LIVE_PATH": "/health/live", "READY_PATH": "/health/ready"},
    ),
    # It says in words what the demo service says with true and false.
    "rust-todo-app": System(
        environment={"READY_PATH": "/health"},
        settings={"app_ready_json": {"database": True}},
    ),
    "synaptic": System(),
}


def describe(system: str, directory: Path) -> None:
    """A copy of the example in which hosts have images of both Debian releases, and no addresses yet."""
    for path in (EXAMPLES / system).rglob("*.yml"):
        copy = directory / path.relative_to(EXAMPLES / system)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    inventory = yaml.safe_load((directory / "hosts.yml").read_text())
    names = strip_addresses(inventory["all"]["children"])
    images = {name: {"fleet_image": image_of(name)} for name in names}
    inventory["all"]["hosts"] = images
    (directory / "hosts.yml").write_text(yaml.safe_dump(inventory, sort_keys=False))


def image_of(host: str) -> str:
    """Both Debian releases, but one for servers that copy each other."""
    fixed = {"db": "trixie", "cache": "bookworm", "mon": "bookworm"}
    name = host.split(".")[0]
    return fixed.get(name.rstrip("0123456789"), "trixie" if name.endswith("1") else "bookworm")


def strip_addresses(groups: dict[str, Any]) -> list[str]:
    """Take away what the inventory says of hosts, for it is true elsewhere; the names of the hosts."""
    names: list[str] = []
    for group in groups.values():
        hosts = (group or {}).get("hosts", {})
        names += [name for name in hosts if name not in names]
        hosts.update(dict.fromkeys(hosts))
        names += [name for name in strip_addresses((group or {}).get("children") or {}) if name not in names]
    return names


def artifact(program: str, version: str, directory: Path) -> dict[str, str]:
    """The demo service in an archive, under the program's name; the settings that say where it is."""
    path = directory / f"{program}-{version}.tar.gz"
    if not path.exists():
        # Written once: the time is in the archive, and another digest would be another release.
        with tarfile.open(fleet.CACHE / f"artifacts/notes-{version}.tar.gz") as notes:
            binary = notes.extractfile("notes")
            assert binary
            content = binary.read()
        with tarfile.open(path, "w:gz") as archive:
            member = tarfile.TarInfo(program)
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"app_version": version, "app_artifact": str(path), "app_artifact_sha256": digest}


def front_ends(system: str, directory: Path) -> dict[str, Any]:
    """The front ends of the example, each with a page for its files; the setting that says where they are."""
    settings = EXAMPLES / system / "group_vars/static.yml"
    if not settings.exists():
        return {}
    found = yaml.safe_load(settings.read_text())["static_front_ends"]
    for one in found:
        path = directory / f"{one['name']}.tar"
        page = f"<title>{one['name']}</title>".encode()
        with tarfile.open(path, "w") as archive:
            member = tarfile.TarInfo(f"{one['artifact_path']}/index.html")
            member.size = len(page)
            archive.addfile(member, io.BytesIO(page))
        one["artifact"], one["artifact_sha256"] = str(path), hashlib.sha256(path.read_bytes()).hexdigest()
    return {"static_front_ends": found}
