"""Coverage floors by room: `python -m tests.floors coverage.json`. What decides, says or judges has the highest."""

import json
import sys
from fnmatch import fnmatchcase
from pathlib import Path

FLOORS = {
    "controller/previews/plan.py": 90,
    "controller/previews/*report.py": 90,
    "controller/common/spec.py": 90,
    "controller/previews/*.py": 90,
    "controller/common/*.py": 90,
    "controller/deploys/*.py": 90,
    "controller/probes/*.py": 90,
    "controller/access/*.py": 90,
    "smoke/*": 90,
    "*": 80,
}
"""Percent of lines and branches together, over all files that match."""


def main(report: Path) -> int:
    files = json.loads(report.read_text())["files"]
    failed = 0
    for pattern, floor in FLOORS.items():
        found = [entry["summary"] for path, entry in files.items() if fnmatchcase(path, pattern)]
        covered = sum(one["covered_lines"] + one["covered_branches"] for one in found)
        total = sum(one["num_statements"] + one["num_branches"] for one in found)
        percent = 100 * covered / total if total else 0.0
        failed += percent < floor
        print(f"{'ok' if percent >= floor else 'LOW':3} {percent:5.1f}% (floor {floor}%) {pattern}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
