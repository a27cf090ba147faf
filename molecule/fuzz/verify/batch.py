"""Write a batch of the files that the collection makes of hostile values: batch.py DIRECTORY DEBIAN_RELEASE.

Beside each lies what it has to mean, in wanted.json. Values that are refused are not in it.
"""

from __future__ import annotations

import ipaddress
import json
import random
import sys
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import hostile
import rendering
from ansible_collections.evenkeel.fleet.plugins.module_utils import (
    _firewall,
    _postgres_files,
    _postgres_plan,
    _postgres_users,
    _release,
    _settings,
    _sshd,
    _switch,
    _unit,
)

SEED = 20
TEXTS = hostile.texts(300, SEED)
PORT = 18080
WORDS = "/root/batch/words.py"
FIRED = "/run/fuzz-cron"
# Of cron's fields each, what is due about every other time.
OFTEN = (
    ["*", "*/2", "1-59/2", "0-29", "30-59", "0-19,40-59", "*/7,3-50/3"],
    ["*", "*/2", "1-23/2", "0-11", "12-23", "3,5-20"],
    ["*", "*/2", "1-15", "16-31", "2-31/3", "*/3,1-20/2"],
    ["*", "*/2", "1-6", "jul-dec", "JAN,Mar,5,7,nov", "3-12/4"],
    ["*", "*/2", "mon-fri", "sat,sun", "0-3", "4-7", "7", "*/3"],
)


def accepted(name: str, texts: Iterable[str]) -> list[str]:
    return [text for text in texts if text and _settings.FORMATS[name].accepts(text)]


def nginx(debian: str) -> tuple[str, Any]:
    texts = accepted("nginx_text", [*TEXTS, "x" * 3990, "$" * 200])
    sites = [
        {
            "name": f"s{number}",
            "server_names": [f"s{number}.test"],
            "listen": PORT,
            "static_root": "/var/www/html",
            "headers": {"X-Fuzz": text},
            "content_security_policy": text,
            "maintenance_page": text,
        }
        for number, text in enumerate(texts)
    ]
    role = rendering.Role("nginx")
    facts = {"distribution_major_version": debian}
    files = role.evaluate("__nginx_files", nginx_sites=sites, ansible_facts=facts, nginx_metrics_directory="/run/x")
    return files["nginx.conf"], {"port": PORT, "texts": texts}


def taken(write: Callable[[str], str], texts: Iterable[str]) -> list[str]:
    """The texts that are not refused."""

    def takes(text: str) -> bool:
        try:
            write(text)
        except ValueError:
            return False
        return True

    return [text for text in texts if takes(text)]


def environment() -> tuple[str, Any]:
    texts = taken(lambda text: _release.environment_file({"V": text}), [*TEXTS, "x" * 100_000])
    meant = {f"V{number}": text for number, text in enumerate(texts)}
    return _release.environment_file(meant), meant


def command() -> tuple[str, Any]:
    words = taken(lambda text: _unit.exec_words([text]), TEXTS)
    line = _unit.exec_words(["/usr/bin/python3", WORDS, *words])
    service = {"Type": "oneshot", "ExecStart": line, "StandardOutput": "truncate:/root/batch/said"}
    return _unit.unit_text({"Service": service}), words


def logrotate() -> tuple[str, Any]:
    units = accepted("unit_pattern", [*TEXTS, "notes@*.service", "dev-a\\x2db.device", "x[1-3]?.service", "a" * 255])
    paths = accepted("path_glob", [f"/var/log/fuzz-globs/{text}.log" for text in TEXTS])
    logs = [
        {"name": "fuzz", "paths": [f"/var/log/fuzz/unit{number}.log"], "signal_unit": unit}
        for number, unit in enumerate(units)
    ]
    logs += [{"name": "fuzz", "paths": [path]} for path in paths]
    text = rendering.Role("logrotate").template("etc/logrotate.d/evenkeel.j2", logrotate_logs=logs)
    return text, units


def cron() -> tuple[str, Any]:
    """Times that are hardly ever due, and such of which one in a dozen is at any minute."""
    draw = random.Random(SEED)

    def field() -> str:
        return "".join(
            draw.choices([*"0123456789", "*", "/", ",", "-", "jan", "SUN", "*/5", "1-5"], k=draw.randint(1, 3))
        )

    rare = (" ".join(field() for _field in range(5)) for _number in range(100_000))
    often = (" ".join(map(draw.choice, OFTEN)) for _number in range(500))
    times = [*accepted("cron_schedule", often), *accepted("cron_schedule", [*TEXTS, "@daily", *rare])[:1000]]
    lines = [f"{time} : > {FIRED}/{number}" for number, time in enumerate(times)]
    return "\n".join([*lines, f"* * * * * : > {FIRED}/all"]) + "\n", times


def schedule() -> tuple[str, Any]:
    """How the backups read such times."""
    program = Path(__file__).resolve().parents[3] / "roles/backup/files/evenkeel_backup"
    return (program / "schedule.py").read_text(encoding="utf-8"), None


def postgres() -> tuple[str, Any]:
    texts = accepted("single_line", [*TEXTS, "x" * 60_000])
    meant = {f"fuzz.v{number}": text for number, text in enumerate(texts)}
    return _postgres_files.settings_text(meant), meant


def sql() -> tuple[str, Any]:
    texts = accepted("single_line", TEXTS)
    pairs = [f"({_postgres_plan.literal(text)})" for text in texts]
    return f"SELECT json_agg(text) FROM (VALUES {', '.join(pairs)}) AS texts (text)", texts


def hba() -> tuple[str, Any]:
    names = accepted("sql_identifier", [*TEXTS, "select", "user", "a" * 63, "_"])
    databases = _postgres_users.databases_of([{"name": name, "hosts": ["app1"]} for name in names])
    given = [{"name": name, "password": "x", "databases": [name]} for name in names]
    users = _postgres_users.users_of(given, databases)
    rules = _postgres_users.access_rules(databases, users, lambda _hosts: ["192.0.2.1", "app1.test"], tls=True)
    return _postgres_files.rules_text(_postgres_files.rule_lines(rules, [], {})), sorted(names)


def redis() -> tuple[list[str], Any]:
    texts = accepted("single_line", TEXTS[:150])
    role = rendering.Role("redis")
    files, meant = [], []
    for one, two, three in zip(texts[::3], texts[1::3], texts[2::3], strict=False):
        wanted = {"masterauth": one, "masteruser": two, "maxmemory": "268435456", "save": "3600 1 300 100"}
        own = {
            "bind": "127.0.0.1 -::1",
            "client-output-buffer-limit": "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
            **wanted,
        }
        users = [{"name": "notes", "passwords": ["x"], "keys": accepted("redis_pattern", TEXTS)}]
        settings = {"__redis_own_settings": own, "redis_settings": {}, "redis_password": three, "redis_users": users}
        files.append(role.template("etc/redis/redis.conf.j2", **settings))
        meant.append({**own, "requirepass": three})
    return files, meant


def nft() -> tuple[list[str], Any]:
    """Rulesets, and of those of the firewall who is to be let in at which port, or let out to it."""
    draw = random.Random(SEED)
    pool = ["192.0.2.7", "192.0.2.0/25", "2001:db8::/32", "2001:db8::7", "::1", "0.0.0.0/0", "::/0"]
    strangers = ["192.0.2.200", "203.0.113.9", "2001:db9::1", "fd00::1"]

    def door(protocol: str = "tcp") -> tuple[_firewall.Opening, list[str]]:
        texts = draw.sample([f"10.{draw.randint(0, 255)}.0.0/16", *pool], 3)
        ports = [] if protocol == "vrrp" else draw.sample(range(1, 65536), 5)
        return _firewall.opening(ports, map(_firewall.parse_network, texts), protocol), texts

    def questions(doors: list[tuple[_firewall.Opening, list[str]]]) -> list[Any]:
        asked = [
            (one.protocol, port, text.partition("/")[0]) for one, texts in doors for port in one.ports for text in texts
        ]
        asked += [(protocol, port, who) for protocol, port, _who in asked for who in strangers]
        return [
            [
                *(protocol, port, who),
                any(
                    port in one.ports
                    and protocol == one.protocol
                    and any(ipaddress.ip_address(who) in ipaddress.ip_network(text) for text in texts)
                    for one, texts in doors
                ),
            ]
            for protocol, port, who in asked
        ]

    scripts: list[str] = []
    wanted: list[Any] = []
    names = accepted("user_name", [*TEXTS, "a" * 32])
    for number in range(15):
        inward, outward = [door(), door(), door("udp"), door("vrrp")], [door(), door()]
        user = names[number % len(names)]
        egress = _firewall.Egress(user, 1000, tuple(one for one, _texts in outward))
        scripts.append(_firewall.ruleset([one for one, _texts in inward], [egress]))
        wanted.append({"input": questions(inward), f"egress_{user}": questions(outward)})
        ports = [_switch.Ports(*draw.sample(range(1, 65536), 3))]
        scripts.append(_switch.ruleset(f"evenkeel_f{number}", ports, draw.choice(_switch.POSITIONS)))
        wanted.append({})
    return scripts, wanted


def sshd() -> tuple[list[str], Any]:
    def write(text: str) -> str:
        return _sshd.text({"VersionAddendum": text, "MaxAuthTries": 3})

    files = list(map(write, taken(write, TEXTS[:120])))
    return files, len(files)


def main() -> None:
    directory, debian = Path(sys.argv[1]), sys.argv[2]
    directory.mkdir(parents=True, exist_ok=True)
    made = {
        "nginx.conf": nginx(debian),
        "environment": environment(),
        "fuzz-words.service": command(),
        "logrotate": logrotate(),
        "cron": cron(),
        "schedule.py": schedule(),
        "postgres.conf": postgres(),
        "pg_hba.conf": hba(),
        "sql": sql(),
        "redis": redis(),
        "nft": nft(),
        "sshd": sshd(),
    }
    contents = {
        name: content if isinstance(content, str) else json.dumps(content) for name, (content, _w) in made.items()
    }
    contents["wanted.json"] = json.dumps({name: wanted for name, (_content, wanted) in made.items()})
    with tarfile.open(directory / "batch.tar", "w") as tar:
        for name, content in contents.items():
            path = directory / name
            path.write_text(content, encoding="utf-8")
            path.chmod(0o644)
            tar.add(path, f"batch/{name}")


if __name__ == "__main__":
    main()
