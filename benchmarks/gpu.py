"""Texts per second on a GPU, beside PyTorch's scaled dot product attention in the same batches.

Usage: python benchmarks/gpu.py [--bundle DIR ...] [--size minilm base] [--rows N] [--json OUT]

Needs nothing from the network: without --bundle, models of the sizes of MiniLM-L6 and BERT-base
with random weights are built in fp16. Rows of random ids have lengths as sentences have (7 to
192 tokens); they are sorted and batched by token budget, once for all engines, and each engine is
shown at its best budget. The vectors are compared before any time is shown. PyTorch is compared
if it is installed with CUDA. Exits with 1, saying what is missing, where there is no GPU.
Unmeasured so far: it was written without one.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from rich.console import Console
from rich.table import Table

from bertfast.bundle import Bundle
from bertfast.checkpoint import expected_variables
from bertfast.config import BertConfig
from bertfast.errors import BertfastError
from bertfast.manifest import MODEL_FILE
from bertfast.onnx.graph import assemble
from bertfast.onnx.half_graph import HalfGraph
from bertfast.runtime.batching import plan_batches
from bertfast.runtime.session import check_device, import_onnxruntime, open_session

Feeds = dict[str, NDArray[np.int32]]
Engine = Callable[[Feeds], NDArray[np.float32]]

OUTPUT = "mean_embedding"
SIZES = {
    "minilm": {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536},
    "base": {"hidden_size": 768, "num_hidden_layers": 12, "intermediate_size": 3072},
}
BUDGETS = (4096, 16384, 65536)
ROUNDS = 5
LEAST_COSINE = 0.999
_VOCAB_SIZE = 30522


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bundle", type=Path, nargs="+", default=[])
    parser.add_argument("--size", choices=sorted(SIZES), nargs="+", default=sorted(SIZES))
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--json", type=Path, metavar="OUT")
    arguments = parser.parse_args()
    try:
        check_device("cuda")
    except BertfastError as error:
        print(f"no GPU was measured: {error}", file=sys.stderr)
        return 1
    torch, obstacle = import_torch()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name, path, config in models(arguments, Path(folder)):
            rows = random_rows(config, arguments.rows)
            results += measure_model(name, path, config, rows, torch)
    show(results, obstacle)
    if arguments.json:
        content = {"versions": versions(torch), "results": results}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0


def import_torch() -> tuple[Any, str]:
    """Return the module, or None and what keeps it from being compared."""
    try:
        import torch  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return None, "PyTorch is not installed: pip install torch"
    if not torch.cuda.is_available():
        return None, "PyTorch is installed, but without CUDA or without a GPU"
    return torch, ""


def models(arguments: argparse.Namespace, folder: Path) -> list[tuple[str, Path, BertConfig]]:
    """Return name, graph and configuration of what is measured; random models are written."""
    bundles = [Bundle.load(path) for path in arguments.bundle]
    for bundle in bundles:
        if bundle.manifest.precision == "int8":
            sys.exit(
                f"{bundle.path} is in int8, which is for CPUs; export it with --precision fp16"
            )
    if bundles:
        return [(bundle.path.name, bundle.model_path, bundle.manifest.config) for bundle in bundles]
    found = []
    for size in arguments.size:
        config = BertConfig.from_dict(
            {"vocab_size": _VOCAB_SIZE, "type_vocab_size": 2} | SIZES[size]
        )
        model = assemble(HalfGraph(config, random_variables(config)), [OUTPUT])
        path = folder / size / MODEL_FILE
        path.parent.mkdir()
        path.write_bytes(model.SerializeToString())
        found.append((f"{size}, random weights", path, config))
    return found


def random_variables(config: BertConfig) -> dict[str, NDArray[np.float32]]:
    """Return weights as a fresh BERT has them."""
    rng = np.random.default_rng(0)
    variables = {}
    for name, shape in expected_variables(config).items():
        values = rng.normal(0, config.initializer_range, shape).astype(np.float32)
        variables[name] = values + 1 if name.endswith("gamma") else values
    return variables


def random_rows(config: BertConfig, n_rows: int) -> list[NDArray[np.int32]]:
    """Return rows of ids; the lengths are log-normal, 7 to 192 tokens, about 25 at the median."""
    rng = np.random.default_rng(1)
    longest = min(192, config.max_position_embeddings)
    lengths = np.clip(rng.lognormal(3.2, 0.6, n_rows).astype(int), 7, longest)
    return [rng.integers(0, config.vocab_size, n).astype(np.int32) for n in lengths]


def make_feeds(rows: Sequence[NDArray[np.int32]]) -> Feeds:
    """Return the padded inputs of one batch; widths are multiples of 8."""
    width = -(-max(len(row) for row in rows) // 8) * 8
    ids = np.zeros((len(rows), width), np.int32)
    mask = np.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return {"input_ids": ids, "input_mask": mask, "segment_ids": np.zeros_like(ids)}


def measure_model(
    name: str, path: Path, config: BertConfig, rows: Sequence[NDArray[np.int32]], torch: Any
) -> list[dict[str, Any]]:
    """Return a result for each engine at its best budget, the engines taken in turn."""
    session = open_session(path, device="cuda", max_width=config.max_position_embeddings)
    output = output_of(session)
    engines: dict[str, Engine] = {"bertfast": lambda feeds: session.run([output], feeds)[0]}
    if torch is not None and output == OUTPUT:
        engines["PyTorch SDPA fp16"] = TorchBert(torch, path, config)
    seconds: dict[str, dict[int, list[float]]] = {engine: {} for engine in engines}
    for budget in BUDGETS:
        plan = plan_batches(np.array([len(row) for row in rows]), token_budget=budget)
        batches = [make_feeds([rows[index] for index in batch]) for batch in plan]
        check(engines, batches[:: max(1, len(batches) // 8)])
        for _ in range(ROUNDS):
            for engine, run in engines.items():
                seconds[engine].setdefault(budget, []).append(time_all(run, batches))
    n_tokens = sum(len(row) for row in rows)
    return [
        describe(name, engine, by_budget, len(rows), n_tokens)
        for engine, by_budget in seconds.items()
    ]


def output_of(session: Any) -> str:
    """Return the graph output to measure: mean_embedding, or the first."""
    names = [str(output.name) for output in session.get_outputs()]
    return OUTPUT if OUTPUT in names else names[0]


def check(engines: Mapping[str, Engine], batches: Sequence[Feeds]) -> None:
    """Exit unless all engines give the same vectors. It warms them up, too."""
    for feeds in batches:
        expected, *others = (run(feeds).astype(np.float64) for run in engines.values())
        for given in others:
            norms = np.linalg.norm(given, axis=1) * np.linalg.norm(expected, axis=1)
            worst = float(((given * expected).sum(axis=1) / norms).min())
            if not worst >= LEAST_COSINE:
                sys.exit(f"the engines disagree: cosine {worst:.4f}, at least {LEAST_COSINE}")


def time_all(run: Engine, batches: Sequence[Feeds]) -> float:
    """Return the seconds for all batches, results on the host."""
    started = time.perf_counter()
    for feeds in batches:
        run(feeds)
    return time.perf_counter() - started


def describe(
    name: str, engine: str, by_budget: Mapping[int, list[float]], n_rows: int, n_tokens: int
) -> dict[str, Any]:
    """Return rate and spread at the best budget."""
    budget = min(by_budget, key=lambda one: statistics.median(by_budget[one]))
    times = by_budget[budget]
    median = statistics.median(times)
    return {
        "model": name,
        "engine": engine,
        "token_budget": budget,
        "texts_per_second": round(n_rows / median),
        "tokens_per_second": round(n_tokens / median),
        "spread": round((max(times) - min(times)) / median, 3),
    }


class TorchBert:
    """The same network in PyTorch, fp16, with the weights of the fused graph."""

    def __init__(self, torch: Any, path: Path, config: BertConfig) -> None:
        self._torch, self._config = torch, config
        graph = onnx.load(path).graph
        self._weights = {
            tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()).cuda().half()
            for tensor in graph.initializer
            if tensor.name.startswith("bert/") and tensor.dims
        }
        if config.hidden_act not in ("gelu_erf", "gelu_tanh"):
            sys.exit(f"hidden_act {config.hidden_act} is not compared with PyTorch")
        self._gelu = "tanh" if config.hidden_act == "gelu_tanh" else "none"

    def __call__(self, feeds: Feeds) -> NDArray[np.float32]:
        """Return mean_embedding, float32 [rows, hidden]."""
        torch = self._torch
        with torch.inference_mode():
            ids, mask, segments = (
                torch.from_numpy(feeds[name]).cuda().long()
                for name in ("input_ids", "input_mask", "segment_ids")
            )
            x = self._embed(ids, segments)
            attend = mask.bool()[:, None, None, :]
            for layer in range(self._config.num_hidden_layers):
                x = self._layer(f"bert/encoder/layer_{layer}", x, attend)
            rows = mask[:, :, None].float()
            mean = (x.float() * rows).sum(1) / rows.sum(1)
            vectors = torch.nn.functional.normalize(mean, dim=1)
            result: NDArray[np.float32] = vectors.cpu().numpy()
            return result

    def _embed(self, ids: Any, segments: Any) -> Any:
        scope = "bert/embeddings"
        word, position, kind = (
            self._weights[f"{scope}/{name}_embeddings"]
            for name in ("word", "position", "token_type")
        )
        return self._norm(scope, word[ids] + kind[segments] + position[: ids.shape[1]])

    def _layer(self, scope: str, x: Any, attend: Any) -> Any:
        functional = self._torch.nn.functional
        heads = (*x.shape[:2], 3, self._config.num_attention_heads, self._config.head_size)
        projected = self._dense(f"{scope}/attention/self/qkv", x).view(heads)
        query, key, value = projected.permute(2, 0, 3, 1, 4)
        context = functional.scaled_dot_product_attention(query, key, value, attn_mask=attend)
        context = context.transpose(1, 2).reshape(x.shape)
        inner = self._dense(f"{scope}/attention/output/dense", context)
        x = self._norm(f"{scope}/attention/output", inner + x)
        inner = self._dense(f"{scope}/intermediate/dense", x)
        inner = functional.gelu(inner, approximate=self._gelu)
        return self._norm(f"{scope}/output", self._dense(f"{scope}/output/dense", inner) + x)

    def _dense(self, scope: str, x: Any) -> Any:
        return x @ self._weights[f"{scope}/kernel"] + self._weights[f"{scope}/bias"]

    def _norm(self, scope: str, x: Any) -> Any:
        gamma, beta = (self._weights[f"{scope}/LayerNorm/{name}"] for name in ("gamma", "beta"))
        width = (self._config.hidden_size,)
        normed = self._torch.nn.functional.layer_norm(
            x, width, gamma, beta, self._config.layer_norm_eps
        )
        return normed


def versions(torch: Any) -> dict[str, str]:
    """Return what the figures depend on."""
    found = {"onnxruntime": str(import_onnxruntime().__version__)}
    if torch is not None:
        found |= {"torch": str(torch.__version__), "gpu": str(torch.cuda.get_device_name(0))}
    return found


def show(results: Sequence[Mapping[str, Any]], obstacle: str) -> None:
    """Print the table."""
    table = Table(title="fp16 on one GPU, inputs and results on the host, each at its best budget")
    for title in ("model", "engine", "token budget", "texts/s", "tokens/s", "spread"):
        table.add_column(title, justify="left" if title in ("model", "engine") else "right")
    for row in results:
        table.add_row(
            row["model"],
            row["engine"],
            f"{row['token_budget']:,}",
            f"{row['texts_per_second']:,}",
            f"{row['tokens_per_second']:,}",
            f"{row['spread']:.1%}",
        )
    console = Console()
    console.print(table)
    if obstacle:
        console.print(f"PyTorch was not compared: {obstacle}")


if __name__ == "__main__":
    sys.exit(main())
