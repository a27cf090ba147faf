"""Compare the role's nginx with a plain one and with none, in turn on one host: edge.py [--rounds 5] [--seconds 5].

The fleet is that of the Molecule scenario edge, and must be up: molecule converge -s edge
It ends with what is beyond its target, if anything is, and with 1 then.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys

import fleet

FLEET = f"{os.environ.get('FLEET_PREFIX', 'evenkeel')}-edge"
INVENTORY = fleet.CACHE / FLEET / "inventory"
BALANCER, APP = "lb2", "app1"
PLAIN_PORT, APP_PORT = 8081, 8000
FEW = 1000  # closed connections that the kernel still remembers

# On the balancer, whose firewall lets nobody else reach an instance or a port that is not declared.
CLIENT, REPORT = "/usr/local/bin/strict_client", "/run/strict_client.json"

# How many times the requests a second of the plain one.
TARGET = 2.0

# What operations guides of services put before them, each with its own small differences.
PLAIN = """
user www-data;
worker_processes auto;
pid /run/plain.pid;
error_log /var/log/nginx/plain-error.log;
events {{ worker_connections 1024; }}
http {{
    access_log /var/log/nginx/plain-access.log;
    upstream app {{
        least_conn;
        server {address}:{port} max_fails=3 fail_timeout=30s;
    }}
    server {{
        listen {plain_port};
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_connect_timeout 60s;
            proxy_send_timeout 60s;
            proxy_read_timeout 60s;
        }}
    }}
}}
"""


def on(host: str, *command: str, stdin: str | None = None) -> str:
    """Run a command as root on a host of the fleet; what it prints."""
    return fleet.run("docker", "exec", "-i", fleet.container(FLEET, host), *command, stdin=stdin)


def load(url: str, seconds: int, connections: int) -> tuple[float, float]:
    """Requests a second, and the 99th percentile in milliseconds, as fast as a client on the balancer can."""
    options = {"--url": url, "--header": "Host: notes.test", "--paths": "/version", "--post-share": "0"}
    options |= {"--connections": str(connections), "--duration": f"{seconds}s", "--report": REPORT}
    on(BALANCER, CLIENT, *(word for option in options.items() for word in option))
    said = json.loads(on(BALANCER, "cat", REPORT))
    return said["requests"] / said["seconds"], said["latency_ms"]["p99"]


def forgotten() -> bool:
    """Whether the balancer has local ports for the plain one, which takes one for each request and has 28,000."""
    return len(on(BALANCER, "ss", "-Htan", "state", "time-wait").splitlines()) < FEW


def beyond(rates: dict[str, float]) -> list[str]:
    """What is worse than its target, in words."""
    ratio = rates["ours"] / rates["plain"]
    said = f"requests/s of ours are {ratio:.2f} times those of plain, wanted at least {TARGET:g}"
    return [] if ratio >= TARGET else [said]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    wanted = parser.parse_args()
    if not INVENTORY.exists():
        sys.exit("edge: wanted the fleet of the scenario edge, which is not up; run: molecule converge -s edge")
    app = fleet.addresses_of(INVENTORY)[APP]
    urls = {
        "ours": "http://127.0.0.1",
        "plain": f"http://127.0.0.1:{PLAIN_PORT}",
        "none": f"http://{app}:{APP_PORT}",
    }
    fleet.run(
        "docker", "cp", str(fleet.CACHE / "artifacts/strict_client"), f"{fleet.container(FLEET, BALANCER)}:{CLIENT}"
    )
    on(BALANCER, "tee", "/run/plain.conf", stdin=PLAIN.format(address=app, port=APP_PORT, plain_port=PLAIN_PORT))
    on(BALANCER, "nginx", "-c", "/run/plain.conf")
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in urls}
    try:
        for _round in range(wanted.rounds):
            fleet.wait_for("the kernel to forget the connections of the round before", forgotten)
            for name, url in urls.items():
                seen[name].append(load(url, wanted.seconds, wanted.connections))
    finally:
        on(BALANCER, "nginx", "-c", "/run/plain.conf", "-s", "quit")
    print(f"{'':8}{'requests/s':>12}{'p99 ms':>10}{'requests':>12}{'p99':>8}")
    rates = {name: statistics.median(rate for rate, _p99 in rounds) for name, rounds in seen.items()}
    tails = {name: statistics.median(p99 for _rate, p99 in rounds) for name, rounds in seen.items()}
    for name in urls:
        ratios = f"{rates[name] / rates['plain']:11.2f}x{tails[name] / tails['plain']:7.2f}x"
        print(f"{name:8}{rates[name]:12.0f}{tails[name]:10.1f}{ratios}")
    if worse := beyond(rates):
        sys.exit("\n".join(f"benchmark: {what}" for what in worse))


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        sys.exit(f"edge: {problem}")
