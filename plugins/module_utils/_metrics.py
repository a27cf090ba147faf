# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. What a service counted, from the text of its metrics, and by how much that grew."""

from __future__ import annotations

import math
import re
import typing as t
from dataclasses import asdict, dataclass, field, replace

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?')
VALUE = re.compile(r"\s*(\S+)")
ESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
START = "process_start_time_seconds"
# Seconds by which a time may differ that went through a Prometheus.
SAME_START = 0.5

Series = tuple[str, dict[str, str], float]


def parse(text: str) -> t.Iterator[Series]:
    """The series in Prometheus's text format or OpenMetrics. A line that is neither is left out."""
    for line in text.splitlines():
        name = NAME.match(line)
        if name is None:
            continue
        labels, end = _labels(line, name.end())
        value = VALUE.match(line, end)
        if value is not None:
            try:
                yield name.group(), labels, float(value.group(1))
            except ValueError:
                continue


def _labels(line: str, position: int) -> tuple[dict[str, str], int]:
    labels: dict[str, str] = {}
    if line[position : position + 1] != "{":
        return labels, position
    position += 1
    while (label := LABEL.match(line, position)) is not None:
        labels[label.group(1)] = re.sub(r"\\.", lambda found: ESCAPED.get(found.group(), found.group()), label.group(2))
        position = label.end()
    return labels, line.find("}", position) + 1 or len(line)


@dataclass(frozen=True)
class Names:
    """How a service calls what is compared. ``latency`` is a histogram, or empty."""

    requests: str
    status_label: str
    errors: str
    latency: str
    ignore: t.Collection[str]

    def __post_init__(self) -> None:
        try:
            re.compile(self.errors)
        except re.error as exc:
            raise ValueError(f"errors is {self.errors!r}; it wants a regular expression: {exc}") from exc

    def wants(self, name: str) -> bool:
        return name in (self.requests, f"{self.latency}_bucket", START)


@dataclass(frozen=True)
class Counters:
    """Sums over all series. ``buckets`` counts, by upper bound, the requests that took no longer."""

    requests: float = 0.0
    errors: float = 0.0
    buckets: dict[str, float] = field(default_factory=dict)
    start: float = 0.0

    def plus(self, other: Counters, sign: int = 1) -> Counters:
        bounds = {**self.buckets, **other.buckets}
        return Counters(
            self.requests + sign * other.requests,
            self.errors + sign * other.errors,
            {bound: self.buckets.get(bound, 0.0) + sign * other.buckets.get(bound, 0.0) for bound in bounds},
            self.start,
        )

    def began_anew(self, before: Counters) -> bool:
        """Whether the process that counts is another one than before, so that it counts from 0."""
        grown = self.plus(before, -1)
        shrunk = min(grown.requests, grown.errors, *grown.buckets.values(), 0.0) < 0
        return shrunk or self.start != before.start

    def is_of_another(self, later: Counters) -> bool:
        """Whether these are not of the process whose counters a later look at it gave."""
        if self.start and later.start:
            return abs(self.start - later.start) > SAME_START
        return self.requests > later.requests


def count(series: t.Iterable[Series], names: Names) -> Counters:
    """Sum up what is compared. Series with one of the ignored values in a label are the fleet's own questions."""
    # A path that a service does not have is an empty text, and so is a label that says nothing.
    ignored = set(names.ignore) - {""}
    requests = errors = start = 0.0
    buckets: dict[str, float] = {}
    with_status = without_status = 0
    for name, labels, value in series:
        if math.isnan(value) or not names.wants(name) or ignored & set(labels.values()):
            continue
        if name == START:
            start = max(start, value)
        elif name == names.requests:
            status = labels.get(names.status_label)
            with_status, without_status = with_status + (status is not None), without_status + (status is None)
            requests += value
            errors += value if status is not None and re.fullmatch(names.errors, status) else 0.0
        elif "le" in labels:
            bound = str(float(labels["le"]))
            buckets[bound] = buckets.get(bound, 0.0) + value
    if without_status and not with_status:
        raise ValueError(f"{names.requests} has no label {names.status_label}, so errors cannot be told")
    if names.latency and requests and not buckets:
        raise ValueError(f"there are requests, but no {names.latency}_bucket")
    return Counters(requests, errors, buckets, start)


@dataclass(frozen=True)
class Growth:
    """By how much the counters of an instance grew over several looks. ``problem`` is why the last one failed."""

    period: str = ""
    looks: int = 0
    grown: Counters = Counters()
    last: Counters | None = None
    problem: str = ""

    @classmethod
    def read(cls, stored: t.Mapping[str, t.Any]) -> Growth:
        last, grown = stored["last"], Counters(**stored["grown"])
        return cls(stored["period"], stored["looks"], grown, Counters(**last) if last else None, stored["problem"])

    @classmethod
    def since(cls, stored: t.Mapping[str, t.Any], period: str) -> Growth:
        """What was counted in this period so far. Another one is over."""
        return cls.read(stored) if stored.get("period") == period else cls(period)

    def stored(self) -> dict[str, t.Any]:
        return asdict(self)

    def look(self, now: Counters) -> Growth:
        if self.last is None:
            return replace(self, looks=self.looks + 1, last=now, problem="")
        more = now if now.began_anew(self.last) else now.plus(self.last, -1)
        return replace(self, looks=self.looks + 1, grown=self.grown.plus(more), last=now, problem="")

    def miss(self, problem: str) -> Growth:
        """Nothing could be seen. What grows meanwhile is counted at the next look."""
        return replace(self, looks=self.looks + 1, problem=problem)
