"""Count the tests in JUnit reports: junit.py FILE|DIRECTORY prints how many passed and how many failed."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def main(report: Path) -> None:
    passed = failed = 0
    for file in sorted(report.glob("*.xml")) if report.is_dir() else [report] if report.exists() else []:
        for case in ElementTree.parse(file).iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
            elif case.find("skipped") is None:
                passed += 1
    print(passed, failed)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
