# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Gets the metrics of an instance, from itself or from a Prometheus."""

from __future__ import annotations

import json
import typing as t
from urllib.parse import urlencode

from ansible_collections.evenkeel.fleet.plugins.module_utils._http import Request, Tls, ask
from ansible_collections.evenkeel.fleet.plugins.module_utils._metrics import START, Growth, Names, Series, count, parse

LONGEST_BODY = 64 << 20


def sample(params: t.Mapping[str, t.Any]) -> Growth:
    """One look more. What cannot be seen or told is part of the result, for the comparison to judge.

    Raises ValueError for parameters that make no sense.
    """
    growth = Growth.since(params["before"], params["period"])
    names = Names(*(params[name] for name in ("requests", "status_label", "errors", "latency", "ignore")))
    try:
        series = _from_prometheus(params, names) if params["prometheus_url"] else parse(_get(params, params["url"]))
        return growth.look(count(series, names))
    except (ValueError, OSError) as exc:
        return growth.miss(str(exc))


def query_of(names: Names, labels: t.Mapping[str, str]) -> str:
    """The PromQL for everything that is compared, of the instance with these labels."""
    wanted = [names.requests, START] + ([f"{names.latency}_bucket"] if names.latency else [])
    matchers = [f"__name__=~{json.dumps('|'.join(wanted))}"]
    matchers += [f"{label}={json.dumps(str(value), ensure_ascii=False)}" for label, value in labels.items()]
    return "{" + ",".join(matchers) + "}"


def _from_prometheus(params: t.Mapping[str, t.Any], names: Names) -> list[Series]:
    query = query_of(names, params["prometheus_labels"])
    url = f"{params['prometheus_url'].rstrip('/')}/api/v1/query?{urlencode({'query': query})}"
    body = _get(params, url)
    try:
        found = [(dict(entry["metric"]), float(entry["value"][1])) for entry in json.loads(body)["data"]["result"]]
    except (ValueError, KeyError, TypeError, IndexError) as exc:
        raise ValueError(f"{params['prometheus_url']} gave no vector for {query}") from exc
    if not found:
        raise ValueError(f"{params['prometheus_url']} knows nothing of {query}")
    return [(metric.pop("__name__", ""), metric, value) for metric, value in found]


def _get(params: t.Mapping[str, t.Any], url: str) -> str:
    headers = {name: str(value) for name, value in params["headers"].items()}
    tls = Tls(params["validate_certs"], params["ca_path"])
    request = Request(url, headers=headers, timeout=params["timeout"], tls=tls, longest_body=LONGEST_BODY)
    try:
        reply = ask(request)
    except OSError as exc:
        raise OSError(f"{request.name} {exc}") from exc
    if reply.status != 200:
        raise ValueError(f"{request.name} answered {reply.status}, wanted 200")
    if len(reply.body) >= LONGEST_BODY:
        raise ValueError(f"{request.name} answered with more than {LONGEST_BODY} bytes")
    return reply.body
