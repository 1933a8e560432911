"""Fixtures and options of the whole test suite.

Environment variables:
    BERTFAST_SHARED_DATA          the shared data folder (default: ../shared/data next to the
                                  checkout); tests that need it are skipped when it is absent
    BERTFAST_HYPOTHESIS_EXAMPLES  examples of each property test (default 100)
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA_VARIABLE = "BERTFAST_SHARED_DATA"

settings.register_profile(
    "bertfast",
    max_examples=int(os.environ.get("BERTFAST_HYPOTHESIS_EXAMPLES", "100")),
    deadline=None,
    print_blob=True,
    # Fixtures that choose an implementation hold no state between examples.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("bertfast")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--exhaustive` and `--parity-json`."""
    group = parser.getgroup("bertfast")
    group.addoption(
        "--exhaustive",
        action="store_true",
        help="also run the tests marked `exhaustive` (`make parity`)",
    )
    group.addoption(
        "--parity-json",
        type=Path,
        metavar="OUT",
        help="write the counts of the parity checks to OUT",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the exhaustive tests unless `--exhaustive` is given."""
    if config.getoption("--exhaustive"):
        return
    deselected = [item for item in items if item.get_closest_marker("exhaustive")]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in set(deselected)]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of vocabularies, corpora and golden outputs; skips the test when it is absent."""
    given = os.environ.get(SHARED_DATA_VARIABLE)
    folder = Path(given) if given else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder} (set {SHARED_DATA_VARIABLE})")
    return folder


@pytest.fixture(scope="session")
def shared_vocab(shared_data: Path) -> Callable[[str], Path]:
    """Path of one of Google's vocabularies by name, such as "bert-base-uncased"."""

    def path_of(name: str) -> Path:
        path = shared_data / "vocab" / f"{name}.txt"
        if not path.is_file():
            pytest.skip(f"no vocabulary at {path}")
        return path

    return path_of
