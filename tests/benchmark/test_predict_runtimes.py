"""Each installed runtime gives bertfast's embeddings of a tiny model, in a process of its own."""

from pathlib import Path

import numpy as np
import pytest

from bertfast.benchmark.corpora import Corpus, write_corpus
from bertfast.benchmark.predict.checking import compare
from bertfast.benchmark.predict.embedder import FloatArray, Setup
from bertfast.benchmark.predict.models import Model, open_model
from bertfast.benchmark.predict.peers import BERTFAST, PEERS, Peer, our_rows
from bertfast.benchmark.predict.processes import Process, describe
from bertfast.benchmark.predict.random_model import write_random_model
from bertfast.benchmark.predict.texts import generate_texts
from tests.benchmark.conftest import TEXTS
from tests.benchmark.test_predict_command import CONFIG


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A tiny model with everything that is made of it."""
    folder = tmp_path_factory.mktemp("runtimes")
    source = write_random_model(folder / "tiny", TEXTS, config=CONFIG)
    return open_model(str(source), folder / "cache", lambda step: None)


@pytest.fixture(scope="module")
def texts_path(model: Model) -> Path:
    """Texts of many lengths, and an empty one."""
    path = model.files.cache / "texts.txt"
    write_corpus(Corpus.of("", ["", *generate_texts(20, model.tokenizer)]), path)
    return path


@pytest.fixture(scope="module")
def expected(model: Model, texts_path: Path) -> FloatArray:
    """What bertfast gives in float32."""
    return embed(BERTFAST, model, texts_path, 0)


def embed(peer: Peer, model: Model, texts_path: Path, batch: int) -> FloatArray:
    output = model.files.cache / "out.npy"
    setup = describe(Setup(model.files, peer.variant, 1))
    with Process(1) as process:
        process.ask("prepare", adapter=peer.adapter, setup=setup)
        process.ask("load", adapter=peer.adapter, setup=setup)
        process.ask("read", path=str(texts_path))
        process.ask("embed", batch=batch, path=str(output))
    result: FloatArray = np.load(output)
    return result


@pytest.mark.parametrize("peer", list(PEERS.values()), ids=list(PEERS))
def test_runtime_gives_our_embeddings(
    peer: Peer, model: Model, texts_path: Path, expected: FloatArray
) -> None:
    if not peer.is_installed:
        pytest.skip(f"not installed; {peer.install}")
    agreement = compare(embed(peer, model, texts_path, peer.batches[0]), expected, peer.precision)
    assert agreement.problem == ""
    assert agreement.worst > (0.99999 if peer.precision == "fp32" else 0.9)


def test_every_row_of_ours_gives_the_same(
    model: Model, texts_path: Path, expected: FloatArray
) -> None:
    for peer in our_rows(model.files):
        given = embed(peer, model, texts_path, 256)
        assert compare(given, expected, peer.precision).problem == ""
