"""Collects the counts of the parity checks for `--parity-json` and the terminal."""

import json
import platform
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

import pytest

PROPERTY = "parity"


class ParityRecorder:
    """Sums the counts that tests recorded, also those from xdist's workers."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._checks: dict[str, Counter[str]] = defaultdict(Counter)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what one test recorded."""
        if report.when != "call":
            return
        for name, value in report.user_properties:
            if name == PROPERTY and isinstance(value, list):
                check, cases, differences = value
                self._checks[check].update(cases=cases, differences=differences)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the file and print the table."""
        result = {
            "python": platform.python_version(),
            "unicode": unicodedata.unidata_version,
            "checks": {name: self._checks[name] for name in sorted(self._checks)},
        }
        self._output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        terminalreporter.section(f"parity (Python {result['python']}, Unicode {result['unicode']})")
        for name in sorted(self._checks):
            counts = self._checks[name]
            line = f"{name:<44} {counts['cases']:>12,} cases {counts['differences']:>6} differ"
            terminalreporter.write_line(line)
