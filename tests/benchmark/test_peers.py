import pytest

from bertfast.benchmark.peers import BERTFAST, PEERS, Peer, Setup, choose_peers, load
from bertfast.errors import InputError, MissingDependencyError
from tests.benchmark.conftest import TEXTS

ABSENT = Peer("absent-tokenizer", "no_such_module", "no_such_module:adapter")


def test_all_are_those_installed_and_the_rest_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    present = Peer("here", "json", "nowhere:adapter")
    both = {"absent-tokenizer": ABSENT, "here": present}
    monkeypatch.setattr("bertfast.benchmark.peers.PEERS", both)
    assert choose_peers("all") == ([present], [ABSENT])
    assert ABSENT.install == "pip install absent-tokenizer"
    assert present.version == "unknown"


def test_none_chooses_nobody() -> None:
    assert choose_peers("none") == ([], [])


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"unknown peer 'nano'; .*nanotoken, tokenizers"):
        choose_peers("nano")


def test_named_peer_that_is_absent_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEERS, ABSENT.name, ABSENT)
    with pytest.raises(MissingDependencyError, match="run pip install absent-tokenizer"):
        choose_peers("absent-tokenizer")


@pytest.fixture(params=list(PEERS.values()), ids=list(PEERS))
def installed_peer(request: pytest.FixtureRequest) -> Peer:
    """Each real peer; skips those that are not installed."""
    peer: Peer = request.param
    if not peer.is_installed:
        pytest.skip(f"{peer.name} is not installed")
    return peer


@pytest.mark.filterwarnings("ignore")  # of the libraries
def test_real_peer_gives_the_ids_of_plain_text(installed_peer: Peer, setup: Setup) -> None:
    texts = [text for text in TEXTS if text and text.isascii()]
    ours, theirs = load(BERTFAST.adapter, setup), load(installed_peer.adapter, setup)
    assert theirs.rows(theirs.encode_batch(texts)) == ours.rows(ours.encode_batch(texts))
    assert theirs.encode_one(texts[0]) is not None


@pytest.mark.filterwarnings("ignore")
def test_real_peer_pads_to_the_same_shape(installed_peer: Peer, setup: Setup) -> None:
    ours, theirs = load(BERTFAST.adapter, setup), load(installed_peer.adapter, setup)
    if theirs.encode_padded is None or ours.encode_padded is None:
        pytest.skip(f"{installed_peer.name} makes no matrices")
    expected = ours.encode_padded(TEXTS, 8).input_ids
    given = theirs.encode_padded(TEXTS, 8)
    ids = given["input_ids"] if isinstance(given, dict) else given[0]
    assert (ids.dtype, ids.tolist()) == (expected.dtype, expected.tolist())
