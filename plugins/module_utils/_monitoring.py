# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What there is to watch in an inventory: exporters, services, and where Prometheus asks."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.evenkeel.fleet.plugins.module_utils._inventory import addresses

Groups = t.Mapping[str, t.Sequence[str]]
Hostvars = t.Mapping[str, t.Mapping[str, t.Any]]


@dataclass(frozen=True)
class Exporter:
    """Where it listens, and on the hosts of which groups it runs; on all, if there are none."""

    port: int
    groups: frozenset[str] = frozenset()


EXPORTERS = {
    "node": Exporter(9100),
    "nginx": Exporter(9113, frozenset({"nginx"})),
    "postgres": Exporter(9187, frozenset({"postgres", "patroni"})),
    "redis": Exporter(9121, frozenset({"redis"})),
}

# The settings of the role app that say how a service counts, and their defaults there.
SERVICE = {
    "app_metrics_path": "/metrics",
    "app_metrics_requests": "http_requests_total",
    "app_metrics_status_label": "status",
    "app_metrics_errors": "5..",
    "app_metrics_latency": "http_request_duration_seconds",
    "app_live_path": "/health",
    "app_ready_path": "/ready",
    "app_version_path": "",
}

# The settings of a site that say where users find it, and their defaults in the role nginx.
SITE = {"listen": 80, "tls": "none", "tls_listen": 443, "health_path": "/health"}

# How programs call the label that has the path of a request. A series without such a label is not affected.
PATH_LABELS = ("path", "route", "handler", "endpoint", "uri")


def exporters_of(group_names: t.Iterable[str]) -> dict[str, int]:
    """The exporters that a host of these groups runs, and their ports."""
    mine = set(group_names)
    return {name: one.port for name, one in EXPORTERS.items() if not one.groups or one.groups & mine}


def hosts_of(names: t.Iterable[str], groups: Groups, hostvars: Hostvars) -> list[str]:
    """The hosts of the named groups and hosts, in inventory order, each once."""
    found: dict[str, None] = {}
    for name in names:
        if name not in groups and name not in hostvars:
            raise ValueError(f"{name} is neither a group nor a host of the inventory")
        found.update(dict.fromkeys(groups.get(name, [name])))
    return list(found)


def scrape_targets(
    names: t.Iterable[str], services: t.Iterable[str], sites: t.Iterable[str], groups: Groups, hostvars: Hostvars
) -> dict[str, list[dict[str, t.Any]]]:
    """What a Prometheus asks, by job: C(service), C(site), and each exporter that runs somewhere."""
    jobs: dict[str, list[dict[str, t.Any]]] = {}
    for host in hosts_of(services, groups, hostvars):
        values = hostvars[host]
        port = values.get("app_metrics_port", values["app_port"])
        path = str(values.get("app_metrics_path", SERVICE["app_metrics_path"]))
        labels = {"service": str(values["app_name"]), "__metrics_path__": path}
        jobs.setdefault("service", []).append(_target(host, port, groups, hostvars, labels))
    for host in hosts_of(sites, groups, hostvars):
        for site in hostvars[host].get("nginx_sites", []):
            jobs.setdefault("site", []).append(_site_target(host, {**SITE, **site}, groups, hostvars))
    for host in hosts_of(names, groups, hostvars):
        member_of = [name for name, hosts in groups.items() if host in hosts]
        for exporter, port in exporters_of(member_of).items():
            jobs.setdefault(exporter, []).append(_target(host, port, groups, hostvars, {}))
    return jobs


def _target(
    host: str, port: t.Any, groups: Groups, hostvars: Hostvars, labels: t.Mapping[str, str]
) -> dict[str, t.Any]:
    address = addresses([host], groups, hostvars)[0]
    place = f"[{address}]" if ":" in address else address
    # An instance goes by its host's name: an address says nothing to whoever is woken, and may change.
    return {"targets": [f"{place}:{port}"], "labels": {"host": host, "instance": f"{host}:{port}", **labels}}


def _site_target(host: str, site: t.Mapping[str, t.Any], groups: Groups, hostvars: Hostvars) -> dict[str, t.Any]:
    """The URL of a site on this balancer, and by which name the blackbox exporter asks for it."""
    encrypted = site["tls"] != "none"
    port = site["tls_listen" if encrypted else "listen"]
    labels = {
        "site": str(site["name"]),
        # What is of our own making nobody trusts.
        "__param_module": "self_signed" if site["tls"] == "self_signed" else "site",
        # Any name will do where there is no certain one.
        "__param_hostname": str(site["server_names"][0]).replace("*", "www"),
    }
    target = _target(host, port, groups, hostvars, labels)
    scheme = "https" if encrypted else "http"
    return {**target, "targets": [f"{scheme}://{place}{site['health_path']}" for place in target["targets"]]}


def watched_services(names: t.Iterable[str], groups: Groups, hostvars: Hostvars) -> list[dict[str, str]]:
    """How each service counts: names of its metrics, and the label matchers that leave out what probes ask."""
    found: dict[str, dict[str, str]] = {}
    for host in hosts_of(names, groups, hostvars):
        values = {name: str(hostvars[host].get(name, default)) for name, default in SERVICE.items()}
        service = str(hostvars[host]["app_name"])
        own = [values[f"app_{what}_path"] for what in ("live", "ready", "version", "metrics")]
        ignored = hostvars[host].get("app_metrics_ignore", own)
        matchers = _matchers(service, [str(path) for path in ignored])
        found.setdefault(
            service,
            {
                "name": service,
                "requests": f"{values['app_metrics_requests']}{{{matchers}}}",
                "errors": f"{values['app_metrics_requests']}{{{matchers}, "
                f"{values['app_metrics_status_label']}=~{quoted(values['app_metrics_errors'])}}}",
                "latency": f"{values['app_metrics_latency']}_bucket{{{matchers}}}"
                if values["app_metrics_latency"]
                else "",
            },
        )
    return list(found.values())


def _matchers(service: str, ignored: t.Iterable[str]) -> str:
    paths = "|".join(re.escape(path) for path in dict.fromkeys(ignored) if path)
    own = [f"{label}!~{quoted(paths)}" for label in PATH_LABELS] if paths else []
    return ", ".join([f'job="service", service={quoted(service)}', *own])


def quoted(text: str) -> str:
    """The text as a string of PromQL."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
