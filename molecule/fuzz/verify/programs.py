"""Have each program read its file of a batch, and compare with what was wanted: programs.py DIRECTORY."""

import ipaddress
import json
import os
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

BATCH = Path(sys.argv[1])
WANTED = json.loads((BATCH / "wanted.json").read_text())
MAINTENANCE = Path("/etc/evenkeel/maintenance")


def run(*words, **how):
    done = subprocess.run(words, capture_output=True, check=False, **how)
    assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def differing(found, wanted):
    """Of two mappings, what one of them has otherwise; short, to be read."""
    return {key: (wanted.get(key), found.get(key)) for key in wanted | found if wanted.get(key) != found.get(key)}


def ask(port, host):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _blank, body = answer.partition(b"\r\n\r\n")
    headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    return headers, body


def wait_for(what, until=20):
    deadline = time.monotonic() + until
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def nginx():
    config, wanted = BATCH / "nginx.conf", WANTED["nginx.conf"]
    MAINTENANCE.mkdir(parents=True, exist_ok=True)
    Path("/run/nginx").mkdir(exist_ok=True)
    Path("/var/www/html/index.html").write_text("here\n")
    os.chmod("/var/www/html/index.html", 0o644)
    run("nginx", "-t", "-c", config)
    run("nginx", "-c", config)
    try:
        for number, text in enumerate(wanted["texts"]):
            headers, body = ask(wanted["port"], f"s{number}.test")
            assert body == b"here\n", (text, body)
            for name in (b"X-Fuzz", b"Content-Security-Policy"):
                assert headers[name] == text.encode(), (text, headers)
            page = MAINTENANCE / f"s{number}"
            page.touch()
            _headers, body = ask(wanted["port"], f"s{number}.test")
            page.unlink()
            assert body == text.encode(), (text, body)
    finally:
        run("nginx", "-c", config, "-s", "stop")
    return len(wanted["texts"])


def environment():
    said = run(
        *("systemd-run", "--quiet", "--wait", "--pipe", f"--property=EnvironmentFile={BATCH / 'environment'}"),
        *("python3", "-c", "import json, os; print(json.dumps(dict(os.environ)))"),
    )
    seen = {name: value for name, value in json.loads(said).items() if name.startswith("V")}
    assert differing(seen, WANTED["environment"]) == {}, differing(seen, WANTED["environment"])
    return len(seen)


def command():
    unit = Path("/run/systemd/system/fuzz-words.service")
    (BATCH / "words.py").write_text("import json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    unit.write_bytes((BATCH / "fuzz-words.service").read_bytes())
    run("systemd-analyze", "verify", unit)
    run("systemctl", "daemon-reload")
    run("systemctl", "start", unit.name)
    words = json.loads((BATCH / "said").read_text())
    assert words == WANTED["fuzz-words.service"], words
    return len(words)


def logrotate():
    logs, tools = Path("/var/log/fuzz"), BATCH / "tools"
    logs.mkdir(exist_ok=True)
    tools.mkdir(exist_ok=True)
    said = tools / "said"
    said.write_text("")
    fake = tools / "systemctl"
    fake.write_text(f'#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done >>{said}\n')
    fake.chmod(0o755)
    config = BATCH / "logrotate"
    config.chmod(0o644)
    run("logrotate", "--debug", config)
    for number in range(len(WANTED["logrotate"])):
        (logs / f"unit{number}.log").write_text("line\n")
    state = BATCH / "logrotate.state"
    run("logrotate", "--force", "--state", state, config, env={"PATH": f"{tools}:/usr/sbin:/usr/bin:/sbin:/bin"})
    wanted = [word for unit in WANTED["logrotate"] for word in ("kill", "--signal=HUP", "--kill-whom=main", unit)]
    assert said.read_text().split("\n")[:-1] == wanted, said.read_text()
    return len(WANTED["logrotate"])


def cron():
    """In one minute it runs what was due then as the backups read the times, and nothing else."""
    sys.path.insert(0, str(BATCH))
    import schedule

    fired = Path("/run/fuzz-cron")
    fired.mkdir(exist_ok=True)
    run("crontab", BATCH / "cron")
    wait_for((fired / "all").exists, until=90)
    run("crontab", "-r")
    main = run("systemctl", "show", "--property=MainPID", "--value", "cron").decode().strip()
    wait_for(lambda: subprocess.run(["pgrep", "--parent", main], capture_output=True, check=False).returncode == 1)
    minute = datetime.fromtimestamp((fired / "all").stat().st_mtime).replace(second=0, microsecond=0)
    due = {time for time in WANTED["cron"] if schedule.parse(time).before(minute) == minute}
    seen = {WANTED["cron"][int(path.name)] for path in fired.iterdir() if path.name != "all"}
    assert seen == due, (minute, seen ^ due)
    assert len(seen) > 10
    return len(WANTED["cron"])


def query(sql):
    return json.loads(run("runuser", "-u", "postgres", "--", "psql", "-XAtq", "-c", sql, cwd="/"))


def postgres():
    (version,) = Path("/etc/postgresql").iterdir()
    for name, source in (("conf.d/90-fuzz.conf", "postgres.conf"), ("pg_hba.conf", "pg_hba.conf")):
        target = version / "main" / name
        before = target.read_bytes() if target.exists() else None
        target.write_bytes((BATCH / source).read_bytes())
        target.chmod(0o644)
        try:
            if source == "postgres.conf":
                found = query("SELECT json_object_agg(name, setting) FROM pg_file_settings WHERE name LIKE 'fuzz.%'")
                assert differing(found, WANTED[source]) == {}, differing(found, WANTED[source])
            else:
                found = query(
                    "SELECT json_build_array(array_agg(DISTINCT database[1] ORDER BY database[1]) "
                    "FILTER (WHERE auth_method LIKE 'scram%' AND database = user_name AND error IS NULL), "
                    "count(error)) FROM pg_hba_file_rules"
                )
                assert found == [WANTED[source], 0], found
        finally:
            target.write_bytes(before) if before is not None else target.unlink()
    return len(WANTED["postgres.conf"]) + len(WANTED["pg_hba.conf"])


def sql():
    found = query((BATCH / "sql").read_text())
    assert found == WANTED["sql"], [text for text in WANTED["sql"] if text not in found]
    return len(found)


def redis():
    place = Path("/run/fuzz-redis")
    place.mkdir(exist_ok=True)
    files = json.loads((BATCH / "redis").read_text())
    for text, wanted in zip(files, WANTED["redis"], strict=True):
        seen = settings_of_redis(place, text, wanted)
        assert differing(seen, wanted) == {}, (seen, wanted)
    return 3 * len(files)


def settings_of_redis(place, text, wanted):
    """What a server that starts with this file says of these settings."""
    config, door = place / "redis.conf", place / "redis.sock"
    config.write_text(text)
    options = ("--port", "0", "--unixsocket", door, "--dir", place, "--logfile", place / "log")
    server = subprocess.Popen(["redis-server", config, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: door.exists() or server.poll() is not None)
        assert server.poll() is None, (text[-3000:], server.stdout.read())
        password = json.dumps(wanted["requirepass"], ensure_ascii=False)
        asked = f"AUTH evenkeel {password}\nCONFIG GET {' '.join(wanted)}\n"
        said = run("redis-cli", "-s", door, "--json", input=asked.encode()).decode()
        answers = json.loads(said.strip().split("\n", 1)[1])
        return dict(zip(answers[::2], answers[1::2], strict=True))
    finally:
        server.kill()
        server.wait()
        door.unlink(missing_ok=True)


def nft():
    """The kernel takes each, and what it then says of itself opens what was asked for and nothing else."""
    count = 0
    for script, wanted in zip(json.loads((BATCH / "nft").read_text()), WANTED["nft"], strict=True):
        (BATCH / "rules.nft").write_text(script)
        # In a network of their own, where they lock nobody out.
        said = run(*("unshare", "--net", "sh", "-c", 'nft -f "$0" && nft -nj list ruleset', BATCH / "rules.nft"))
        rules = [item["rule"] for item in json.loads(said)["nftables"] if "rule" in item]
        for chain, questions in wanted.items():
            openings = [opening for rule in rules if rule["chain"] == chain for opening in openings_of(rule["expr"])]
            for protocol, port, who, open_to_them in questions:
                address = ipaddress.ip_address(who)
                found = any((protocol, port) == door and address in network for door, network in openings)
                assert found == open_to_them, (protocol, port, who, open_to_them, openings)
                count += 1
    assert count > 1000
    return count


def openings_of(expression):
    """The protocol and port that a rule of ours accepts, with each network that it is open to; others have none."""
    matches = [part["match"] for part in expression if "match" in part]
    found = {json.dumps(match["left"], sort_keys=True): match["right"] for match in matches}
    port = found.get(json.dumps({"ct": {"dir": "original", "key": "proto-dst"}}))
    if port is None or not any("accept" in part for part in expression):
        return []
    protocol = {6: "tcp", 17: "udp"}.get(found['{"meta": {"key": "l4proto"}}'], found['{"meta": {"key": "l4proto"}}'])
    family = found.get('{"meta": {"key": "nfproto"}}')
    if family is not None:
        texts = ["0.0.0.0/0" if family in (2, "ipv4") else "::/0"]
    else:
        (right,) = [value for key, value in found.items() if '"payload"' in key]
        entries = right["set"] if isinstance(right, dict) and "set" in right else [right]
        texts = ["{addr}/{len}".format(**entry["prefix"]) if isinstance(entry, dict) else entry for entry in entries]
    return [((protocol, port), ipaddress.ip_network(text)) for text in texts]


def sshd():
    Path("/run/sshd").mkdir(exist_ok=True)

    def effective(text):
        config = BATCH / "sshd.conf"
        config.write_text(text)
        done = subprocess.run(["/usr/sbin/sshd", "-T", "-f", config], capture_output=True, text=True, check=False)
        return sorted(line for line in done.stdout.split("\n") if not line.startswith("versionaddendum"))

    plain = effective("MaxAuthTries 3\n")
    assert "maxauthtries 3" in plain
    for text in json.loads((BATCH / "sshd").read_text()):
        # What sshd refuses, the module does not put in force.
        seen = effective(text)
        assert seen in (plain, [""]), (text, set(seen) ^ set(plain))
    return WANTED["sshd"]


for program in (nginx, environment, command, logrotate, cron, postgres, sql, redis, nft, sshd):
    began = time.monotonic()
    print(f"{program.__name__}: {program()} values, {time.monotonic() - began:.1f} s")
