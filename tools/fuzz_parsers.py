"""Fuzzes one parser of bertfast, guided by its coverage (atheris and libFuzzer).

Usage: python tools/fuzz_parsers.py TARGET [libFuzzer options, such as -max_total_time=60]

TARGET is one of `tests/fuzz/parsers.py`. A crash is any error but bertfast's own; libFuzzer
writes its input to crash-* and stops. The exit code is 0 only if there was none.
"""

import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-not-found,unused-ignore]

sys.path.insert(0, str(Path(__file__).parent.parent))
with atheris.instrument_imports(include=["bertfast", "json"]):
    from tests.fuzz.parsers import TARGETS, run, seeds


def main() -> None:
    """Run the target that is named; libFuzzer takes the options and ends the process."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: {sys.argv[0]} TARGET [options]; TARGET is one of {', '.join(TARGETS)}")
    name = sys.argv.pop(1)
    corpus = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    for number, data in enumerate(seeds(name)):
        (corpus / f"seed-{number}").write_bytes(data)
    atheris.Setup([*sys.argv, str(corpus)], lambda data: _once(name, data))
    atheris.Fuzz()


def _once(name: str, data: bytes) -> None:
    run(name, data)


if __name__ == "__main__":
    main()
