import pickle
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertfast import Predictor, export_bundle
from bertfast.bundle import Bundle
from bertfast.errors import BundleError, InputError
from bertfast.jobs import JobOptions, predict_files
from bertfast.runtime.memory import parse_memory, plan_memory
from bertfast.runtime.session import available_threads
from tests.runtime.probe_model import write_probe_bundle
from tests.runtime.test_predictor import run_python
from tests.small_bert import random_variables, small_config, write_original

TEXTS = ["the cat sat", "on", "unaffable mat !", "", "the " * 40, "a mat , a cat"] * 9


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("memory")
    config = small_config()
    source = write_original(folder / "uncased", config, random_variables(config, n_labels=3))
    return export_bundle(source, folder / "bundle", gate_inputs=40)


@pytest.mark.parametrize(
    ("given_size", "n_bytes"),
    [
        (None, None),
        (1, 1),
        ("7", 7),
        ("500MB", 500_000_000),
        ("1.5 GiB", 3 * 2**29),
        (" 2k ", 2000),
    ],
)
def test_sizes_are_read(given_size: Any, n_bytes: int | None) -> None:
    assert parse_memory(given_size) == n_bytes


@pytest.mark.parametrize("given_size", [0, -1, True, 1.5, "", "MB", "5 XB", "1e9", "-3MB", "0MB"])
def test_what_is_no_size_is_refused(given_size: Any) -> None:
    with pytest.raises(InputError, match=r"max_memory is a number of bytes or a size like"):
        parse_memory(given_size)


@given(
    max_memory=st.integers(1, 10**8),
    engine=st.sampled_from(["native", "onnxruntime"]),
    output=st.sampled_from(["probabilities", "mean_embedding", "sequence_output"]),
    max_length=st.integers(2, 64),
    token_budget=st.integers(1, 5000),
    workers=st.integers(1, 64),
)
def test_plan_grows_with_memory_and_is_refused_below_the_least(
    bundle: Bundle, max_memory: int, engine: str, **options: Any
) -> None:
    def plan(n_bytes: int, n_workers: int = options["workers"]) -> Any:
        chosen = options | {"workers": n_workers}
        return plan_memory(n_bytes, bundle.manifest, engine=engine, **chosen)

    with pytest.raises(InputError, match="is the least") as refused:
        plan(1)
    found = re.search(r"([\d,]+) bytes is the least", str(refused.value))
    assert found is not None
    least = int(found[1].replace(",", ""))
    with pytest.raises(InputError, match="too small for one text"):
        plan(least - 1)
    small, large = plan(least), plan(least + max_memory)
    assert 1 <= small.token_budget <= max(options["token_budget"], options["max_length"])
    assert small.workers == 1
    assert small.window_rows <= large.window_rows <= 4096
    assert small.token_budget <= large.token_budget <= options["token_budget"]
    assert 1 <= large.workers <= options["workers"]
    # What decides the batches does not depend on how many run at a time.
    other = plan(least + max_memory, 1)
    assert (other.token_budget, other.window_rows) == (large.token_budget, large.window_rows)
    assert plan(10**12).token_budget == options["token_budget"]
    assert plan(10**12).workers == options["workers"]


@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_little_memory_gives_the_same_predictions(bundle: Bundle, engine: Any) -> None:
    with pytest.raises(InputError, match=r"max_memory of 1,000 bytes is too small") as refused:
        Predictor(bundle, engine=engine, max_memory=1000)
    found = re.search(r"([\d,]+) bytes is the least", str(refused.value))
    assert found is not None
    least = int(found[1].replace(",", ""))
    model = Predictor(bundle, engine=engine, max_memory=least, threads=3)
    assert model.workers == 1
    assert model.largest_window < len(TEXTS)
    expected = Predictor(bundle, engine=engine, threads=1).predict(TEXTS)
    limit = 0 if engine == "native" else 1e-5
    for copy in (model, pickle.loads(pickle.dumps(model))):
        assert np.abs(copy.predict(TEXTS) - expected).max() <= limit


@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_workers_give_the_same_predictions(bundle: Bundle, engine: Any) -> None:
    model = Predictor(bundle, engine=engine, threads=1, token_budget=20)
    assert model.workers == 1
    expected = model.predict(TEXTS)
    for threads, workers in ((4, None), (4, 4), (4, 2), (1, 3)):
        several = Predictor(
            bundle, engine=engine, threads=threads, workers=workers, token_budget=20
        )
        assert several.workers == (workers or threads)
        assert np.array_equal(several.predict(TEXTS), expected), (threads, workers)


def test_as_many_workers_as_threads_unless_given(tmp_path: Path) -> None:
    path = write_probe_bundle(tmp_path / "bundle")
    assert Predictor(path).workers == available_threads()
    with pytest.raises(InputError, match="workers is a positive integer or None, got 0"):
        Predictor(path, workers=0)


def test_failing_batch_among_several_workers_is_one_error(tmp_path: Path) -> None:
    model = Predictor(write_probe_bundle(tmp_path / "bundle"), threads=4, token_budget=4)
    runner = model._open().runner
    calls = []

    class Failing:
        """A session whose third batch fails."""

        def run(self, *arguments: Any) -> Any:
            calls.append(arguments)
            if len(calls) == 3:
                raise RuntimeError("no memory")
            return runner.session.run(*arguments)  # type: ignore[attr-defined]

    failing = replace(runner, session=Failing())  # type: ignore[type-var]
    model._model = replace(model._open(), runner=failing)
    with pytest.raises(BundleError, match=r"failed on a batch of .* tokens: no memory"):
        model.predict(["a b c"] * 100)
    assert 3 <= len(calls) < 100


def test_job_with_other_memory_is_not_resumed(bundle: Bundle, tmp_path: Path) -> None:
    source = tmp_path / "texts.txt"
    source.write_text("the cat\n" * 10)
    folder = f"{tmp_path / 'out'}/"
    options = JobOptions(fields=("label",), part_rows=4)
    little = Predictor(bundle, max_memory="1200kB")
    assert little.largest_window < 4096
    predict_files(source, folder, little, options=options)
    with pytest.raises(InputError, match=r"options window_rows \(\d+, now 4096\)"):
        predict_files(source, folder, Predictor(bundle), options=options)
    again = predict_files(source, folder, Predictor(bundle, max_memory=1_200_000), options=options)
    assert again.rows_resumed == 10


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_native_batches_take_what_the_plan_counts(tmp_path: Path) -> None:
    config = small_config(hidden_size=96, intermediate_size=384, max_position_embeddings=512)
    source = write_original(tmp_path / "uncased", config, random_variables(config, n_labels=3))
    path = export_bundle(source, tmp_path / "bundle", gate_inputs=20).path
    output = run_python(
        """
        import sys
        from bertfast import Predictor
        from bertfast.runtime.memory import _batch_bytes

        def peak():
            lines = open("/proc/self/status").read().splitlines()
            return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])

        budget = 18_000
        model = Predictor(sys.argv[1], engine="native", threads=1, token_budget=budget)
        words = "the cat sat on a mat".split()
        texts = [f"{a} {b} " + "the cat sat on a mat " * 100 for a in words for b in words]
        model.predict(texts[:1])
        before = peak()
        model.predict(texts)
        counted = _batch_bytes(model.bundle.manifest.config, "native", budget, 512)
        print(peak() - before, counted)
        """,
        str(path),
    )
    grown, counted = map(int, output.split())
    assert counted > 40_000_000
    # Besides the batch: the ids of one window of 36 texts, and the allocator's rounding.
    assert 0.6 * counted < grown < counted + 8_000_000
