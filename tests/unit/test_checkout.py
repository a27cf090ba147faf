# Copyright: evenkeel.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The code under test is the one of this checkout."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
SOURCES = sorted(path.relative_to(PLUGINS).as_posix() for path in PLUGINS.glob("*/*.py") if path.stem != "__init__")


@pytest.mark.parametrize("source", SOURCES)
def test_imports_come_from_the_checkout(source: str) -> None:
    name = source.removesuffix(".py").replace("/", ".")
    module = import_module(f"ansible_collections.evenkeel.fleet.plugins.{name}")
    assert Path(str(module.__file__)).resolve() == PLUGINS / source
