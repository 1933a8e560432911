"""Rate and memory of `predict_files`: all but the model, and against `Predictor.predict`.

    python benchmarks/batch_job.py stub [ROWS]          a stub in the model's place: what reading,
                                                        tokenizing and writing cost, and whether
                                                        memory stays flat (default 10,000,000)
    python benchmarks/batch_job.py model BUNDLE [ROWS]  a real model: the job beside the Predictor
                                                        in memory (default 20,000)

Prints one line of JSON. Ratios are the Predictor's seconds by the job's; `cpu_ratio` is what
holds on a machine that is busy with other work. The memory is sampled ten times a second;
`peak_mb` is over the whole job, `peak_first_tenth_mb` over its first tenth.
"""

import json
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertfast.bundle import Bundle
from bertfast.jobs import JobOptions, predict_files
from bertfast.runtime import Predictor
from bertfast.runtime.loaded import LoadedModel
from bertfast.runtime.onnx_runner import OnnxRunner
from bertfast.tokenizer import Tokenizer

WORDS = [
    *("the", "a", "of", "and", "to", "in", "is", "was", "it", "for", "on", "with", "as", "film"),
    *("good", "bad", "story", "never", "ending", "but", "not", "service", "room", "staff"),
    *("price", "unaffable", "tokenization", "\u5927\u5b66", "\u00fcber"),
]
N_TEXTS = 50_000


class StubSession:
    """Answers with a constant, at once."""

    def __init__(self, width: int) -> None:
        self._width = width

    def run(
        self,
        output_names: Sequence[str],
        feeds: dict[str, NDArray[np.int32]],
        run_options: Any = None,
    ) -> list[NDArray[np.float32]]:
        """Return the constant for each row."""
        return [np.full((len(feeds["input_ids"]), self._width), 0.5, np.float32)]

    def get_outputs(self) -> Sequence[Any]:
        """Return nothing: nobody asks."""
        return []

    def get_providers(self) -> list[str]:
        """Return nothing: nobody asks."""
        return []


class StubPredictor(Predictor):
    """A Predictor without a model."""

    def _open(self) -> LoadedModel:
        if self._model is None:
            vocab = self.bundle.vocab_path
            tokenizer = Tokenizer(vocab, do_lower_case=True)
            runner = OnnxRunner(str(vocab), StubSession(2), self.output, 2, 3, 16_384)
            self._model = LoadedModel(tokenizer, runner, self.max_length)
        return self._model


class Memory:
    """Samples this process's resident memory until it is stopped."""

    def __init__(self) -> None:
        self.samples: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> dict[str, int]:
        """End the sampling and return the peaks."""
        self._stop.set()
        self._thread.join()
        tenth = self.samples[: max(len(self.samples) // 10, 1)]
        return {"peak_mb": round(max(self.samples)), "peak_first_tenth_mb": round(max(tenth))}

    def _run(self) -> None:
        page = resource.getpagesize()
        while not self._stop.wait(0.1):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.samples.append(pages * page / 1e6)


def texts(n_rows: int, seed: int = 0) -> list[str]:
    """Short texts of 1 to 40 words, most of them short."""
    rng = np.random.default_rng(seed)
    lengths = np.minimum(rng.geometric(0.1, n_rows), 40)
    words = rng.integers(0, len(WORDS), int(lengths.sum()))
    ends = np.cumsum(lengths)
    return [
        " ".join(WORDS[word] for word in words[end - length : end])
        for end, length in zip(ends, lengths, strict=True)
    ]


def write_rows(path: Path, n_rows: int) -> None:
    """Write a TSV of id and text."""
    sample = texts(N_TEXTS)
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, n_rows, N_TEXTS):
            rows = sample[: n_rows - start]
            file.write("".join(f"{start + at}\t{text}\n" for at, text in enumerate(rows)))


def run_stub(folder: Path, bundle: Bundle, n_rows: int) -> dict[str, Any]:
    """Time a job whose model costs nothing."""
    write_rows(folder / "in.tsv", n_rows)
    memory = Memory()
    options = JobOptions(text_column=1, keep=(0,), part_rows=65_536)
    summary = predict_files(
        folder / "in.tsv", folder / "out.tsv", StubPredictor(bundle), options=options
    )
    found = memory.stop()
    return {
        "rows": summary.rows_out,
        "seconds": round(summary.seconds, 1),
        "rows_per_second": round(summary.rows_per_second),
        "tokens_per_second": round(summary.tokens / summary.seconds),
        **found,
    }


def run_model(folder: Path, bundle: Bundle, n_rows: int) -> dict[str, Any]:
    """Time a job and the Predictor in turns; the predictions must be equal."""
    write_rows(folder / "in.tsv", n_rows)
    rows = [line.split("\t")[1] for line in (folder / "in.tsv").read_text("utf-8").splitlines()]
    predictor = Predictor(bundle)
    predictor.predict(rows[:1000])
    seconds: dict[str, list[float]] = {"job": [], "memory": []}
    cpu_seconds: dict[str, list[float]] = {"job": [], "memory": []}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        seconds[name].append(time.perf_counter() - wall)
        cpu_seconds[name].append(time.process_time() - cpu)

    options = JobOptions(text_column=1, overwrite=True)
    for _ in range(3):
        with timed("memory"):
            expected = predictor.predict(rows)
        with timed("job"):
            predict_files(folder / "in.tsv", folder / "out.npy", predictor, options=options)
        if not np.array_equal(np.load(folder / "out.npy"), expected):
            raise SystemExit("the job's predictions are not the Predictor's")
    job, memory = (float(np.median(seconds[name])) for name in ("job", "memory"))
    return {
        "rows": n_rows,
        "job_rows_per_second": round(n_rows / job, 1),
        "memory_rows_per_second": round(n_rows / memory, 1),
        "ratio": round(memory / job, 3),
        "cpu_ratio": round(
            float(np.median(cpu_seconds["memory"]) / np.median(cpu_seconds["job"])), 3
        ),
        "seconds": {name: [round(value, 2) for value in seconds[name]] for name in seconds},
    }


def stub_bundle(folder: Path) -> Bundle:
    """Write a bundle whose model is never opened."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tests.runtime.probe_model import write_probe_bundle

    path = write_probe_bundle(folder, default_output="probabilities", labels=("no", "yes"))
    return Bundle.load(path)


def main() -> None:
    """Run one of the two; see the top of this file."""
    kind, *arguments = sys.argv[1:] or ["stub"]
    if kind not in ("stub", "model") or (kind == "model" and not arguments):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if kind == "model":
            bundle = Bundle.load(arguments[0])
            result = run_model(folder, bundle, int((arguments[1:] or ["20000"])[0]))
        else:
            bundle = stub_bundle(folder / "bundle")
            result = run_stub(folder, bundle, int((arguments or ["10000000"])[0]))
    print(json.dumps({"kind": kind, "cpus": len(os.sched_getaffinity(0)), **result}))


if __name__ == "__main__":
    main()
