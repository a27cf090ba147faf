# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How large everything is, what goes on, and which statements take the time: as text for people."""

from __future__ import annotations

import typing as t

Rows = t.Sequence[t.Mapping[str, t.Any]]

LONGEST_CELL = 100

QUERIES = {
    "Databases": """
SELECT datname AS database, pg_size_pretty(pg_database_size(d.datid)) AS size, numbackends AS connections,
  xact_commit AS commits, xact_rollback AS rollbacks, deadlocks, pg_size_pretty(temp_bytes) AS temporary,
  round(100.0 * blks_hit / nullif(blks_hit + blks_read, 0), 1) AS cached
FROM pg_stat_database d JOIN pg_database USING (datname)
WHERE NOT datistemplate ORDER BY pg_database_size(d.datid) DESC
""",
    "Connections": """
SELECT coalesce(usename, backend_type) AS user, datname AS database, state, count(*) AS number,
  max(date_trunc('second', now() - xact_start))::text AS longest
FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
GROUP BY 1, 2, 3 ORDER BY 4 DESC
""",
    "Statements that took most time": """
SELECT datname AS database, calls, round(total_exec_time::numeric / 1000, 1) AS seconds,
  round(mean_exec_time::numeric, 1) AS mean_ms, rows, query AS statement
FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
ORDER BY total_exec_time DESC LIMIT 10
""",
    "Statements that are slow": """
SELECT datname AS database, calls, round(mean_exec_time::numeric, 1) AS mean_ms,
  round(max_exec_time::numeric, 1) AS longest_ms, query AS statement
FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
WHERE mean_exec_time > 100 ORDER BY mean_exec_time DESC LIMIT 10
""",
    "Counted since": "SELECT stats_reset::text AS since FROM pg_stat_statements_info",
}


def text(found: t.Mapping[str, Rows]) -> str:
    return "\n\n".join(f"{title}\n{table(rows)}" for title, rows in found.items())


def table(rows: Rows) -> str:
    """The rows under the names of their columns, each as wide as it has to be."""
    if not rows:
        return "  none"
    lines = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join(f"  {'  '.join(line)}".rstrip() for line in padded)


def _cell(value: t.Any) -> str:
    words = " ".join(str("" if value is None else value).split())
    return words if len(words) <= LONGEST_CELL else f"{words[: LONGEST_CELL - 3]}..."
