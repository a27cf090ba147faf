# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to evenkeel.fleet. Asks a Postgres one thing, by the driver that the host has."""

from __future__ import annotations

import importlib
import math
import typing as t


class DriverMissingError(Exception):
    """The host has no psycopg2."""


def first_row(arguments: t.Mapping[str, t.Any], query: str, timeout: float) -> t.Sequence[t.Any] | None:
    """The first row that a query gives, if any. It may only read.

    Raises DriverMissingError, TimeoutError or OSError.
    """
    try:
        psycopg2: t.Any = importlib.import_module("psycopg2")
    except ImportError as exc:
        raise DriverMissingError(
            "the Python library psycopg2 is missing on this host; wanted the package python3-psycopg2"
        ) from exc
    try:
        connection = psycopg2.connect(
            **arguments,
            # The driver knows whole seconds only, and takes one second for two.
            connect_timeout=max(2, math.ceil(timeout)),
            options=f"-c statement_timeout={max(1, round(timeout * 1000))} -c default_transaction_read_only=on",
            application_name="evenkeel health gate",
        )
        try:
            with connection.cursor() as cursor:
                cursor.execute(query)
                return t.cast("t.Sequence[t.Any] | None", cursor.fetchone())
        finally:
            connection.close()
    except psycopg2.extensions.QueryCanceledError as exc:
        raise TimeoutError(f"gave no answer within {timeout} s") from exc
    except psycopg2.Error as exc:
        raise OSError(" ".join(str(exc).split())) from exc
