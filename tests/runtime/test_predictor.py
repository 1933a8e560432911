import itertools
import pickle
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertfast import Tokenizer
from bertfast.bundle import Bundle
from bertfast.errors import BundleError, DeviceError, InputError
from bertfast.runtime import Predictor
from bertfast.runtime import predictor as predictor_module
from bertfast.runtime.onnx_runner import OnnxRunner
from tests.runtime.probe_model import LABELS, write_probe_bundle

texts = st.lists(st.sampled_from([*"abcdefgh", "zz", ""])).map(" ".join)


@pytest.fixture(scope="module")
def bundle_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_probe_bundle(tmp_path_factory.mktemp("predictor") / "bundle")


@pytest.fixture(scope="module")
def model(bundle_path: Path) -> Predictor:
    return Predictor(bundle_path, threads=1)


def expected_sums(
    bundle_path: Path, first: list[str], second: list[str] | None = None, max_length: int = 16
) -> np.ndarray:
    """What the probe model must answer, from the tokenizer's own arrays."""
    if not first:
        return np.empty((0, 4), np.float32)
    enc = Tokenizer.from_bundle(bundle_path)(first, second, max_length=max_length)
    sums = [enc.input_ids.sum(1), enc.input_mask.sum(1), enc.segment_ids.sum(1)]
    return np.stack([*sums, enc.input_ids[:, 0]], axis=1).astype(np.float32)


@given(rows=st.lists(texts, max_size=40), token_budget=st.integers(1, 40))
def test_predict_texts_gives_one_row_each_in_order(
    bundle_path: Path, rows: list[str], token_budget: int
) -> None:
    model = Predictor(bundle_path, threads=1, token_budget=token_budget)
    assert np.array_equal(model.predict(rows), expected_sums(bundle_path, rows))


@given(rows=st.lists(st.tuples(texts, texts), max_size=40), max_length=st.integers(3, 40))
def test_predict_pairs_gives_one_row_each_in_order(
    bundle_path: Path, rows: list[tuple[str, str]], max_length: int
) -> None:
    first, second = [row[0] for row in rows], [row[1] for row in rows]
    model = Predictor(bundle_path, threads=1, max_length=max_length)
    expected = expected_sums(bundle_path, first, second, max_length)
    assert np.array_equal(model.predict(first, second), expected)


@given(
    rows=st.lists(texts | st.tuples(texts, texts), max_size=40),
    window=st.integers(1, 50),
    token_budget=st.integers(1, 60),
)
def test_predict_iter_takes_texts_and_pairs_mixed(
    bundle_path: Path, rows: list[str | tuple[str, str]], window: int, token_budget: int
) -> None:
    pairs = [row if isinstance(row, tuple) else (row, "") for row in rows]
    expected = expected_sums(bundle_path, [a for a, _ in pairs], [b for _, b in pairs])
    model = Predictor(bundle_path, threads=1, token_budget=token_budget)
    results = list(model.predict_iter(iter(rows), window=window))
    assert np.array_equal(np.array(results).reshape(-1, 4), expected)


def test_predict_result_is_float32_of_the_outputs_width(model: Predictor) -> None:
    result = model.predict(["a b", b"c"])
    assert result.dtype == np.float32
    assert (result.shape, model.width) == ((2, 4), 4)


def test_predict_no_texts_gives_no_rows(bundle_path: Path, model: Predictor) -> None:
    assert model.predict([]).shape == (0, 4)
    assert model.predict([], []).shape == (0, 4)
    assert list(model.predict_iter([])) == []
    classifier = Predictor(bundle_path, output="probabilities")
    assert classifier.predict([]).shape == (0, 3)


def test_predict_bytes_decode_as_utf8_with_errors_ignored(model: Predictor) -> None:
    assert np.array_equal(model.predict([b"a\xff b"]), model.predict(["a b"]))


def test_predict_classifier_gives_probabilities(tmp_path: Path) -> None:
    path = write_probe_bundle(tmp_path / "bundle", default_output="probabilities")
    with Predictor(path) as model:
        assert model.labels == LABELS
        assert model.output == "probabilities"
        scores = model.predict(["a", "a b c d"], ["", "b"])
    logits = Predictor(path, output="logits").predict(["a", "a b c d"], ["", "b"])
    assert logits.tolist() == [[3, 0, 0], [8, 2, 0]]
    exponentials = np.exp(logits)
    assert np.allclose(scores, exponentials / exponentials.sum(1, keepdims=True), atol=1e-6)


def test_predict_more_rows_than_a_window(model: Predictor, bundle_path: Path) -> None:
    rows = [" ".join("abc"[: 1 + number % 3]) for number in range(9001)]
    assert np.array_equal(model.predict(rows), expected_sums(bundle_path, rows))


def test_predict_show_progress_writes_to_stderr_only(
    model: Predictor, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bertfast.runtime.progress._LINE_INTERVAL_SECONDS", 0)
    model.predict(["a", "b"], show_progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "2 rows" in captured.err
    model.predict(["a", "b"])
    assert capsys.readouterr().err == ""


def test_sequence_output_comes_row_by_row_without_padding(bundle_path: Path) -> None:
    model = Predictor(bundle_path, output="sequence_output")
    rows: list[str | tuple[str, str]] = ["a b", ("c", "d e"), "", "a " * 99]
    results = list(model.predict_iter(rows, window=3))
    assert [result.shape for result in results] == [(4, 2), (6, 2), (2, 2), (16, 2)]
    assert results[1].tolist() == [[2, 0], [6, 0], [3, 0], [7, 1], [8, 1], [3, 1]]
    assert all(result.dtype == np.float32 for result in results)
    with pytest.raises(InputError, match=r"use predict_iter\(\), which yields one array a text"):
        model.predict(["a"])


def test_sequence_output_window_is_bounded_in_bytes(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor_module, "_MAX_SEQUENCE_WINDOW_BYTES", 3 * 16 * 2 * 4)
    model = Predictor(bundle_path, output="sequence_output")
    windows = list(model.predict_windows(["a"] * 7))
    assert [len(window.values) for window in windows] == [3, 3, 1]


def test_predict_iter_reads_one_window_ahead_only(model: Predictor) -> None:
    read = 0

    def rows() -> Iterator[str]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield "a"

    results = model.predict_iter(rows(), window=10)
    for number, _ in enumerate(results):
        assert read <= 10 * (number // 10 + 2)
    assert read == 100


def test_predict_iter_can_be_abandoned(model: Predictor) -> None:
    threads = threading.active_count()
    results = model.predict_iter(itertools.repeat("a b"), window=5)
    assert [next(results).tolist() for _ in range(7)] == [[14, 4, 0, 2]] * 7
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == threads


def test_windows_count_rows_and_real_tokens(model: Predictor) -> None:
    windows = list(model.predict_windows(["a", "a b c", "b", ""], window=3))
    assert [(window.first_row, len(window.values), window.n_tokens) for window in windows] == [
        (0, 3, 11),
        (3, 1, 2),
    ]


@pytest.mark.parametrize(
    ("bad", "given"), [(None, "NoneType"), (float("nan"), "float"), (7, "int")]
)
def test_bad_row_is_named_by_its_number_beyond_the_first_window(
    model: Predictor, bad: object, given: str
) -> None:
    rows = ["a"] * 5000 + [bad]
    with pytest.raises(InputError, match=f"^row 5000: expected str or bytes, got {given}$"):
        model.predict(rows)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^row 5000: "):
        model.predict(["a"] * 5001, rows)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^row 5000: "):
        list(model.predict_iter(rows, window=64))  # type: ignore[arg-type]


def test_one_text_instead_of_a_list_raises(model: Predictor) -> None:
    with pytest.raises(InputError, match="texts is one str; pass a list of texts"):
        model.predict("a b")


@pytest.mark.parametrize("window", [0, -1, 2.0, True])
def test_bad_window_raises(model: Predictor, window: object) -> None:
    with pytest.raises(InputError, match="window is a positive number of rows"):
        list(model.predict_iter(["a"], window=window))  # type: ignore[arg-type]


def test_unknown_output_lists_the_models_own(bundle_path: Path) -> None:
    with pytest.raises(InputError, match="has no output 'cls'; it has pooled_output, sequence_"):
        Predictor(bundle_path, output="cls")


@pytest.mark.parametrize("max_length", [0, 1, 65, True, 8.0, "8"])
def test_bad_max_length_raises(bundle_path: Path, max_length: object) -> None:
    with pytest.raises(InputError, match="max_length is an integer from 2 to 64"):
        Predictor(bundle_path, max_length=max_length)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"device": "tpu"}, DeviceError),
        ({"threads": 0}, InputError),
        ({"token_budget": 0}, InputError),
    ],
)
def test_bad_options_raise_at_once(
    bundle_path: Path, options: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Predictor(bundle_path, **options)  # type: ignore[arg-type]


def test_max_length_defaults_to_the_models_own(bundle_path: Path) -> None:
    assert Predictor(bundle_path).max_length == 16
    assert Predictor(bundle_path, max_length=5).max_length == 5
    assert Predictor(bundle_path, max_length=5).predict(["a " * 30])[0, 1] == 5


def test_bundle_object_is_accepted(bundle_path: Path, model: Predictor) -> None:
    given = Predictor(Bundle.load(bundle_path))
    assert np.array_equal(given.predict(["a"]), model.predict(["a"]))


def test_missing_bundle_raises(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="does not exist"):
        Predictor(tmp_path / "nowhere")


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_damaged_model_raises_one_line(tmp_path: Path, damage: str) -> None:
    path = write_probe_bundle(tmp_path / "bundle")
    if damage == "missing":
        (path / "model.onnx").unlink()
    else:
        content = (path / "model.onnx").read_bytes()
        (path / "model.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(BundleError, match=r"model\.onnx is (missing|damaged)") as caught:
        Predictor(path)
    assert "\n" not in str(caught.value)


def test_model_that_lacks_a_promised_output_raises(tmp_path: Path) -> None:
    path = write_probe_bundle(tmp_path / "bundle", outputs=("pooled_output",))
    manifest = path / "bertfast.json"
    manifest.write_text(manifest.read_text().replace("pooled_output", "logits"))
    with pytest.raises(BundleError, match="has outputs pooled_output, but not 'logits'"):
        Predictor(path).predict(["a"])


def test_model_that_fails_on_a_batch_raises_one_line(model: Predictor) -> None:
    class Broken:
        def run(self, output_names: object, feeds: object) -> None:
            raise RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : indices out of range.")

    loaded = model._open()
    copy = pickle.loads(pickle.dumps(model))
    assert isinstance(loaded.runner, OnnxRunner)
    broken = replace(loaded.runner, session=Broken())  # type: ignore[arg-type]
    copy._model = replace(loaded, runner=broken)
    with pytest.raises(BundleError, match=r"failed on a batch of \[1, 3\] tokens: indices out of"):
        copy.predict(["a"])


def test_closed_predictor_opens_again(bundle_path: Path) -> None:
    with Predictor(bundle_path) as model:
        before = model.predict(["a"])
    assert model._model is None
    assert np.array_equal(model.predict(["a"]), before)


def test_predictor_opens_its_session_on_first_use_only(bundle_path: Path) -> None:
    model = Predictor(bundle_path)
    assert model._model is None
    model.predict(["a"])
    opened = model._model
    model.predict(["b"])
    assert opened is not None
    assert model._model is opened


def test_pickle_carries_options_and_no_session(bundle_path: Path) -> None:
    model = Predictor(bundle_path, threads=1, max_length=5, token_budget=7, output="logits")
    expected = model.predict(["a b c d e f", "a"])
    data = pickle.dumps(model)
    assert len(data) < 1000
    copy = pickle.loads(data)
    assert copy._model is None
    assert (copy.max_length, copy.output, copy.labels) == (5, "logits", LABELS)
    assert np.array_equal(copy.predict(["a b c d e f", "a"]), expected)


def test_pickled_relative_path_is_found_from_elsewhere(
    bundle_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bundle_path.parent)
    data = pickle.dumps(Predictor(bundle_path.name))
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(data).predict(["a"]).shape == (1, 4)


def test_threads_share_one_predictor(bundle_path: Path) -> None:
    model = Predictor(bundle_path, threads=1, token_budget=20)
    rows = [" ".join("abcdefgh"[: number % 9]) for number in range(500)]
    expected = expected_sums(bundle_path, rows)
    results: list[np.ndarray | None] = [None] * 8

    def work(place: int) -> None:
        results[place] = np.stack([model.predict(rows) for _ in range(3)])

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(results))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        assert result is not None
        assert all(np.array_equal(one, expected) for one in result)


def run_python(code: str, *arguments: str) -> str:
    """Run code in a fresh interpreter, where forking harms no test runner's threads."""
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_forked_child_opens_a_session_of_its_own(bundle_path: Path) -> None:
    output = run_python(
        """
        import os, sys
        from bertfast import Predictor
        model = Predictor(sys.argv[1], threads=4)
        expected = model.predict(["a b"]).tolist()
        model._lock.acquire()  # as if another thread were opening it at the time of the fork
        child = os.fork()
        if child == 0:
            print(model.predict(["a b"]).tolist() == expected, flush=True)
            sys.exit(0)  # the whole shutdown, which must not wait for the parent's threads
        model._lock.release()
        _, status = os.waitpid(child, 0)
        print(status, model.predict(["a b"]).tolist() == expected)
        """,
        str(bundle_path),
    )
    assert output.split() == ["True", "0", "True"]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_process_pool_predicts(bundle_path: Path, method: str) -> None:
    output = run_python(
        f"""
        import multiprocessing, sys
        from bertfast import Predictor
        if __name__ == "__main__":
            model = Predictor(sys.argv[1], threads=2)
            rows = [["a b"], ["c"], ["d", ""]]
            expected = [model.predict(texts).tolist() for texts in rows]
            with multiprocessing.get_context("{method}").Pool(2) as pool:
                print([result.tolist() for result in pool.map(model.predict, rows)] == expected)
        """,
        str(bundle_path),
    )
    assert output.strip() == "True"


def test_onnxruntime_telemetry_is_off_unless_the_user_sets_it(bundle_path: Path) -> None:
    code = """
        import os, sys
        os.environ.pop("ORT_DISABLE_TELEMETRY", None)
        os.environ.update(dict([argument.split("=") for argument in sys.argv[2:]]))
        from bertfast import Predictor
        Predictor(sys.argv[1], threads=1).predict(["a"])
        print(os.environ["ORT_DISABLE_TELEMETRY"])
    """
    assert run_python(code, str(bundle_path)).strip() == "1"
    assert run_python(code, str(bundle_path), "ORT_DISABLE_TELEMETRY=0").strip() == "0"


def test_import_of_runtime_loads_no_onnxruntime() -> None:
    code = """
        import sys, bertfast.runtime, bertfast.jobs
        print(sorted({"onnx", "onnxruntime", "tensorflow", "rich"} & set(sys.modules)))
    """
    assert run_python(code).strip() == "[]"
