# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which indexes are worth building anew, and which are the remains of an attempt."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

# Smaller ones cost next to nothing.
LEAST_BYTES = 10 << 20
# How much of an index may be air.
MOST_BLOAT = 0.5

PAGE = 8192
# Of a page, what is no header, filled as Postgres fills it when it builds an index.
FILLED = (PAGE - 40) * 0.9
# Of an entry, what is no key: its header and the pointer to it.
ENTRY = 8 + 4

# What REINDEX CONCURRENTLY calls an index that it builds, and one that it has replaced.
REMAINS = re.compile(r"_cc(new|old)\d*$")


@dataclass(frozen=True)
class Index:
    schema: str
    name: str
    valid: bool
    bytes: int
    rows: float
    # Bytes of a key on average, or None where nobody knows.
    width: float | None

    @property
    def quoted(self) -> str:
        return ".".join('"' + part.replace('"', '""') + '"' for part in (self.schema, self.name))


def bloat(index: Index) -> float:
    """The part of an index that is air, as far as statistics tell; 0 where they do not."""
    if index.width is None or index.rows <= 0 or index.bytes <= 0:
        return 0.0
    key = -(-index.width // 8) * 8
    wanted = index.rows * (key + ENTRY) / FILLED * PAGE
    return max(0.0, 1 - wanted / index.bytes)


def remains(indexes: t.Iterable[Index]) -> list[Index]:
    """What attempts that were cut off have left, which costs every write and helps nobody."""
    return [index for index in indexes if not index.valid and REMAINS.search(index.name)]


def worth_building(indexes: t.Iterable[Index], least: int = LEAST_BYTES, most: float = MOST_BLOAT) -> list[Index]:
    """Invalid indexes that are no remains, and bloated ones; first those by which most is won."""
    chosen = [
        index
        for index in indexes
        if not REMAINS.search(index.name) and (not index.valid or (index.bytes >= least and bloat(index) > most))
    ]
    return sorted(chosen, key=lambda index: bloat(index) * index.bytes, reverse=True)


# Indexes of tables that are not the server's own and not temporary, and of which nobody is building one just now.
INDEXES = r"""
SELECT nspname AS schema, c.relname AS name, indisvalid AS valid, pg_relation_size(c.oid) AS bytes,
  greatest(c.reltuples, 0) AS rows,
  CASE WHEN am.amname = 'btree' AND indpred IS NULL THEN (
    SELECT sum(s.stawidth) FROM pg_attribute a
    LEFT JOIN pg_statistic s ON (s.starelid, s.staattnum) IN ((indrelid, indkey[a.attnum - 1]), (c.oid, a.attnum))
    WHERE a.attrelid = c.oid
    HAVING count(*) = count(s.stawidth)) END AS width
FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_am am ON am.oid = c.relam
WHERE c.relkind = 'i' AND c.relpersistence <> 't' AND nspname NOT LIKE 'pg\_%' AND indislive
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.relid = indrelid)
"""
