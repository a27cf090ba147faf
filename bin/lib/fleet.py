"""Boot, describe and remove a fleet of real systemd hosts: Docker containers on a network of their own.

fleet.py up NAME SOURCE INVENTORY [PORT]   boot what does not run, write INVENTORY as SOURCE with addresses and secrets
fleet.py down NAME INVENTORY               remove the hosts, their network, their keys and INVENTORY
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = CHECKOUT / ".cache"
LOGS = CACHE / "logs"
BOOT_SECONDS = 90
INOTIFY_INSTANCES = 1024  # each systemd takes a handful; the kernel's default of 128 lasts for a few hosts only

# What systemd, nftables and sandboxed units need on a real host, they need here.
CONTAINER_OPTIONS = [
    *("--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--cap-add", "SYS_PTRACE"),
    *("--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"),
    "--cgroupns=private",
    # Docker takes IPv6 away from networks without such a subnet, loopback's included.
    *("--sysctl", "net.ipv6.conf.all.disable_ipv6=0", "--sysctl", "net.ipv6.conf.default.disable_ipv6=0"),
    *("--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp"),
    *("--stop-signal", "SIGRTMIN+3"),
]


def run(*command: str, stdin: str | None = None, check: bool = True) -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True)
    if check and done.returncode:
        raise OSError(f"'{' '.join(command)}' failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip() if done.returncode == 0 else ""


def wait_for(what: str, holds: Callable[..., bool], *args: str) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    while not holds(*args):
        if time.monotonic() > deadline:
            raise OSError(f"waited {BOOT_SECONDS} s for {what}, in vain.")
        time.sleep(0.2)


# ---- network


def default_mtu() -> str:
    routes = json.loads(run("ip", "-j", "-4", "route", "show", "default"))
    return Path(f"/sys/class/net/{routes[0]['dev']}/mtu").read_text().strip() if routes else "1500"


def free_subnets() -> list[str]:
    """The private /24 networks that no route of this machine leads to."""
    routes = [r["dst"] for r in json.loads(run("ip", "-j", "-4", "route")) if r["dst"] != "default"]
    taken = [ipaddress.ip_network(dst) for dst in routes]
    candidates = ipaddress.ip_network("10.86.0.0/16").subnets(new_prefix=24)
    return [str(net) for net in candidates if not any(net.overlaps(other) for other in taken)]


def ensure_network(name: str) -> ipaddress.IPv4Network:
    """The network says whose fleet it is: two checkouts on a machine must not take it for theirs in turn."""
    wanted = '{{(index .IPAM.Config 0).Subnet}} {{index .Labels "evenkeel.checkout"}}'
    found, _, owner = run("docker", "network", "inspect", "-f", wanted, name, check=False).partition(" ")
    if found and owner != str(CHECKOUT):
        raise OSError(
            f"wanted to boot the fleet {name}, but the one that runs belongs to {owner}; remove it there first."
        )
    return ipaddress.IPv4Network(found or new_network(name))


def new_network(name: str) -> str:
    mtu = f"com.docker.network.driver.mtu={default_mtu()}"
    labels = ["--label", f"evenkeel.fleet={name}", "--label", f"evenkeel.checkout={CHECKOUT}"]
    with Path(tempfile.gettempdir(), "evenkeel-networks.lock").open("w") as lock:
        # What is free for one fleet is so for another that boots at the same moment.
        fcntl.flock(lock, fcntl.LOCK_EX)
        free = free_subnets()
        if not free:
            raise OSError("wanted a free /24 in 10.86.0.0/16 for the fleet, but routes of this machine cover them all.")
        run("docker", "network", "create", "--subnet", free[0], "-o", mtu, *labels, name)
    return free[0]


# ---- hosts


def container(fleet: str, host: str) -> str:
    return f"{fleet}-{host}"


def published_port(fleet: str) -> str:
    found = run("docker", "port", container(fleet, "lb1"), "80/tcp", check=False)
    return found.rpartition(":")[2]


def check_port(fleet: str, port: str) -> None:
    there = published_port(fleet)
    if there and there != port:
        raise OSError(f"wanted port {port}, but the fleet that runs has port {there}; remove it first with --down.")


def allow_inotify_instances() -> None:
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(limit.read_text()) < INOTIFY_INSTANCES:
        try:
            limit.write_text(str(INOTIFY_INSTANCES))
        except OSError:
            print(f"{limit} stays below {INOTIFY_INSTANCES}; hosts may fail to boot.", file=sys.stderr)


def start(fleet: str, host: str, image: str, address: str, port: str | None) -> bool:
    """Start the host unless it runs; say whether it had to be started."""
    name = container(fleet, host)
    state = run("docker", "inspect", "-f", "{{.State.Status}}", name, check=False)
    if state == "running":
        return False
    if state:
        run("docker", "start", name)
        return True
    publish = ["--publish", f"127.0.0.1:{port}:80"] if port and host == "lb1" else []
    run(
        *("docker", "run", "--detach", "--name", name, "--hostname", host, "--label", f"evenkeel.fleet={fleet}"),
        *("--network", fleet, "--ip", address, *publish, *CONTAINER_OPTIONS, f"evenkeel-host:{image}"),
    )
    return True


def booted(name: str) -> bool:
    state = run("docker", "exec", name, "sh", "-c", "systemctl is-system-running || true")
    if state == "degraded":
        failed = run("docker", "exec", name, "systemctl", "--failed", "--plain", "--no-legend")
        raise OSError(f"wanted {name} to boot, but units failed:\n{failed}")
    return state == "running"


# ---- ssh


def ssh_options(fleet: str) -> list[str]:
    keys = CACHE / fleet
    return ["-i", str(keys / "id"), "-o", f"UserKnownHostsFile={keys / 'known_hosts'}"]


def let_in(fleet: str, addresses: dict[str, str]) -> None:
    """Give each host our key and learn each host's key, both through Docker, so that ssh need not trust anybody."""
    keys = CACHE / fleet
    keys.mkdir(parents=True, exist_ok=True)
    if not (keys / "id").exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", fleet, "-f", str(keys / "id"))
    ours = (keys / "id.pub").read_text()
    known = []
    for host, address in addresses.items():
        name = container(fleet, host)
        run("docker", "exec", "-i", name, "tee", "/home/admin/.ssh/authorized_keys", stdin=ours)
        known.append(f"{address} {run('docker', 'exec', name, 'cat', '/etc/ssh/ssh_host_ed25519_key.pub')}")
    (keys / "known_hosts").write_text("\n".join(known) + "\n")


def ssh(fleet: str, address: str, command: str) -> str:
    options = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=5", *ssh_options(fleet)]
    return run("ssh", *options, f"admin@{address}", command, check=False)


def ssh_answers(fleet: str, address: str) -> bool:
    return ssh(fleet, address, "echo up") == "up"


# ---- inventory


def load(inventory: Path, name: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((inventory / name).read_text())["all"]
    return data


def write_private(path: Path, comment: str, data: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(f"---\n# {comment}\n{yaml.safe_dump(data, sort_keys=False)}")


def write_inventory(fleet: str, source: Path, inventory: Path, addresses: dict[str, str]) -> None:
    shutil.copytree(source, inventory, dirs_exist_ok=True)
    sums = (CACHE / "artifacts/SHA256SUMS").read_text().splitlines()
    connection = {
        "ansible_user": "admin",
        "ansible_ssh_common_args": " ".join(ssh_options(fleet)),
        "fleet_artifacts": str(CACHE / "artifacts"),
        "fleet_checksums": {name.lstrip("*"): checksum for checksum, name in (line.split() for line in sums)},
    }
    hosts = {host: {"ansible_host": address} for host, address in addresses.items()}
    write_private(
        inventory / "addresses.yml", "Generated when the hosts boot.", {"all": {"hosts": hosts, "vars": connection}}
    )
    vault = inventory / "group_vars/all/vault.yml"
    if not vault.exists():
        write_private(
            vault,
            "Generated for these hosts alone, which nobody else reaches: the one place where passwords stand in clear.",
            {f"vault_{name}_password": secrets.token_urlsafe(24) for name in ("notes_database", "redis")},
        )

    certificate = inventory / "group_vars/all/certificate.yml"
    if not certificate.exists():
        write_private(certificate, "Of the database, signed by an authority for these hosts alone.", certify(addresses))


def certify(addresses: dict[str, str]) -> dict[str, Any]:
    """A certificate for whichever of the hosts holds the database."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "825")
    with tempfile.TemporaryDirectory() as made:
        request = ("openssl", "req", "-x509", *key, "-subj")
        run(*request, "/CN=the fleet's authority", "-keyout", f"{made}/ca.key", "-out", f"{made}/ca.pem")
        names = ",".join(f"IP:{address}" for address in addresses.values())
        constraints = ("-addext", "basicConstraints=critical,CA:FALSE", "-addext", f"subjectAltName={names}")
        authority = ("-CA", f"{made}/ca.pem", "-CAkey", f"{made}/ca.key")
        run(*request, "/CN=database", *constraints, *authority, "-keyout", f"{made}/key", "-out", f"{made}/pem")
        read = {"authority": "ca.pem", "certificate": "pem", "key": "key"}
        return {f"vault_database_{name}": Path(made, file).read_text() for name, file in read.items()}


# ---- commands


def up(fleet: str, source: str, inventory: str, port: str | None = None) -> None:
    network = ensure_network(fleet)
    if port:
        check_port(fleet, port)
    allow_inotify_instances()
    hosts = load(Path(source), "hosts.yml")["hosts"]
    addresses = {host: str(network[number]) for number, host in enumerate(hosts, start=11)}
    started = [host for host in hosts if start(fleet, host, hosts[host]["fleet_image"], addresses[host], port)]
    for host in started:
        wait_for(f"{host} to boot", booted, container(fleet, host))
    let_in(fleet, addresses)
    for host in started:
        wait_for(f"ssh on {host}", ssh_answers, fleet, addresses[host])
    write_inventory(fleet, Path(source), Path(inventory), addresses)


def addresses_of(inventory: Path) -> dict[str, str]:
    hosts = load(inventory, "addresses.yml")["hosts"]
    return {host: hosts[host]["ansible_host"] for host in hosts}


def down(fleet: str, inventory: str) -> None:
    containers = run("docker", "ps", "--all", "--quiet", "--filter", f"label=evenkeel.fleet={fleet}").split()
    if containers:
        run("docker", "rm", "--force", "--volumes", *containers)
    if run("docker", "network", "ls", "--quiet", "--filter", f"label=evenkeel.fleet={fleet}"):
        run("docker", "network", "rm", fleet)
    for made in (CACHE / fleet, Path(inventory)):
        if made.exists():
            shutil.rmtree(made)


COMMANDS: dict[str, Callable[..., None]] = {"up": up, "down": down}

if __name__ == "__main__":
    try:
        COMMANDS[sys.argv[1]](*sys.argv[2:])
    except OSError as error:
        sys.exit(f"fleet: {error}")
