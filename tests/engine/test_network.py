import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertfast.config import BertConfig
from bertfast.engine import Network, native_kernel
from bertfast.errors import BundleError, InputError
from bertfast.onnx.gate import LIMITS
from bertfast.onnx.graph import OUTPUTS
from tests.engine.models import Rows, oracle_outputs, random_rows, write_model
from tests.small_bert import random_variables, small_config

LENGTHS = [1, 2, 64, 3, 17, 40, 16, 5, 33, 8]


@pytest.fixture(scope="module")
def config() -> BertConfig:
    return small_config(hidden_size=48, intermediate_size=100)


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory, config: BertConfig) -> Path:
    path = tmp_path_factory.mktemp("engine") / "model.onnx"
    return write_model(path, config, random_variables(config, n_labels=3))


@pytest.fixture(scope="module")
def network(model_path: Path, config: BertConfig) -> Network:
    return Network(model_path, config)


def run(
    network: Network,
    rows: Rows,
    output: str,
    *,
    budget: int = 64,
    threads: int = 1,
    workers: int | None = None,
) -> Any:
    return network.run(
        *rows.arguments(), output=output, token_budget=budget, threads=threads, workers=workers
    )


@st.composite
def configs(draw: st.DrawFn) -> BertConfig:
    n_heads = draw(st.integers(1, 8))
    head_size = draw(st.sampled_from([1, 3, 4, 7, 8, 12, 16]))
    return small_config(
        hidden_size=n_heads * head_size,
        num_attention_heads=n_heads,
        num_hidden_layers=draw(st.integers(1, 3)),
        intermediate_size=draw(st.integers(1, 200)),
        hidden_act=draw(st.sampled_from(["gelu_erf", "gelu_tanh", "relu", "tanh", "linear"])),
        layer_norm_eps=draw(st.sampled_from([1e-12, 1e-5])),
    )


@settings(max_examples=int(os.environ.get("BERTFAST_HYPOTHESIS_EXAMPLES", "40")))
@given(
    config=configs(),
    lengths=st.lists(st.integers(1, 64), min_size=1, max_size=6),
    seed=st.integers(0, 99),
)
def test_every_output_equals_the_oracle(
    tmp_path_factory: pytest.TempPathFactory, config: BertConfig, lengths: list[int], seed: int
) -> None:
    variables = random_variables(config, n_labels=3, seed=seed)
    path = write_model(tmp_path_factory.mktemp("any") / "model.onnx", config, variables)
    network = Network(path, config)
    rows = random_rows(config, lengths, seed)
    expected = oracle_outputs(config, variables, rows)
    for output in OUTPUTS:
        given = run(network, rows, output)
        for row, values in enumerate(expected):
            begin, end = rows.offsets[row : row + 2]
            found = given[begin:end] if output == "sequence_output" else given[row]
            limit = LIMITS[output] * max(1.0, float(np.abs(values[output]).max()))
            assert found.shape == values[output].shape
            assert np.abs(found - values[output]).max() <= limit, output


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("quantize", [False, True])
def test_a_rows_bits_depend_on_the_row_alone(
    model_path: Path, config: BertConfig, output: str, quantize: bool
) -> None:
    network = Network(model_path, config, quantize=quantize)
    rows = random_rows(config, LENGTHS)
    order = list(reversed(range(len(rows))))
    alone = [run(network, rows.take([row]), output) for row in range(len(rows))]
    for budget, threads in ((1, 1), (64, 1), (10_000, 1), (50, 3), (10_000, 2)):
        given = run(network, rows, output, budget=budget, threads=threads)
        assert np.array_equal(given, np.concatenate(alone)), (budget, threads)
        turned = run(network, rows.take(order), output, budget=budget, threads=threads)
        assert np.array_equal(turned, np.concatenate([alone[row] for row in order]))


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("quantize", [False, True])
def test_several_threads_on_one_row_give_the_same_bits(
    model_path: Path, config: BertConfig, output: str, quantize: bool
) -> None:
    network = Network(model_path, config, quantize=quantize)
    for lengths in ([64], [64, 3], [1, 2], LENGTHS):
        rows = random_rows(config, lengths)
        alone = run(network, rows, output)
        for threads, workers in ((2, None), (2, 1), (3, 1), (7, 1), (5, 2), (4, 9)):
            together = run(network, rows, output, threads=threads, workers=workers)
            assert np.array_equal(together, alone), (lengths, threads, workers)


def test_model_without_heads_has_their_outputs_not(tmp_path: Path, config: BertConfig) -> None:
    variables = random_variables(config)
    pooler = [name for name in variables if name.startswith("bert/pooler")]
    for name in pooler:
        del variables[name]
    from bertfast.onnx.graph import build_model

    path = tmp_path / "model.onnx"
    path.write_bytes(build_model(config, variables, ["mean_embedding"]).SerializeToString())
    network = Network(path, config)
    assert network.width("mean_embedding") == 48
    assert [network.width(name) for name in ("pooled_output", "logits", "probabilities")] == [0] * 3
    with pytest.raises(BundleError, match=r"does not have the weights of 'logits'"):
        run(network, random_rows(config, [3]), "logits")


def test_no_rows_give_an_empty_array(network: Network, config: BertConfig) -> None:
    assert run(network, random_rows(config, []), "logits").shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": 17}, r"id 17 is not in 0\.\.16"),
        ({"ids": -1}, r"id -1 is not in 0\.\.16"),
        ({"segments": 2}, r"segment 2 is not in 0\.\.1"),
        ({"segments": -5}, r"segment -5 is not in 0\.\.1"),
    ],
)
def test_ids_beyond_the_tables_are_refused(
    network: Network, config: BertConfig, change: dict[str, int], message: str
) -> None:
    rows = random_rows(config, [3, 4])
    for name, value in change.items():
        getattr(rows, name)[5] = value
    with pytest.raises(InputError, match=message):
        run(network, rows, "logits")


@pytest.mark.parametrize("offsets", [[0, 0], [0, 65], [0, 4, 2], [0, 71], [-1, 3], [], [5, 5, 6]])
def test_offsets_that_fit_nothing_are_refused(
    network: Network, config: BertConfig, offsets: list[int]
) -> None:
    rows = random_rows(config, [64, 6])
    with pytest.raises(InputError, match=r"row 0 has|offsets"):
        network.run(
            rows.ids,
            rows.segments,
            np.array(offsets, np.int64),
            output="logits",
            token_budget=64,
            threads=1,
        )


def test_config_that_contradicts_the_weights_raises(model_path: Path, config: BertConfig) -> None:
    wider = small_config(hidden_size=96, intermediate_size=100)
    with pytest.raises(BundleError, match="does not fit its configuration: expected"):
        Network(model_path, wider)
    deeper = small_config(hidden_size=48, intermediate_size=100, num_hidden_layers=3)
    with pytest.raises(BundleError, match="lacks 'bert/encoder/layer_2"):
        Network(model_path, deeper)


def test_int8_weights_stay_close_to_the_float_ones(
    model_path: Path, network: Network, config: BertConfig
) -> None:
    rows = random_rows(config, LENGTHS)
    exact = run(network, rows, "mean_embedding")
    close = run(Network(model_path, config, quantize=True), rows, "mean_embedding")
    assert not np.array_equal(exact, close)
    assert (exact * close).sum(axis=1).min() > 0.99


@pytest.mark.parametrize("output", ["mean_embedding", "logits"])
def test_smoothing_is_multiplied_back_in(
    model_path: Path, network: Network, config: BertConfig, tmp_path: Path, output: str
) -> None:
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(model_path))
    rng = np.random.default_rng(0)
    for tensor in list(model.graph.initializer):
        if tensor.name.endswith(("qkv/kernel", "intermediate/dense/kernel")):
            factors = rng.uniform(0.2, 3, 48).astype(np.float32)
            kernel = numpy_helper.to_array(tensor) / factors[:, None]
            tensor.CopyFrom(numpy_helper.from_array(kernel, tensor.name))
            model.graph.initializer.append(
                numpy_helper.from_array(factors, f"{tensor.name}_smoothing")
            )
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    rows = random_rows(config, LENGTHS)
    given = run(Network(path, config), rows, output)
    assert np.abs(given - run(network, rows, output)).max() < 1e-5


def test_progress_counts_every_row_and_token(network: Network, config: BertConfig) -> None:
    rows = random_rows(config, LENGTHS * 20)
    for threads in (1, 3):
        told: list[tuple[int, int]] = []
        network.run(
            *rows.arguments(),
            output="logits",
            token_budget=64,
            threads=threads,
            advance=lambda *done: told.append(done),  # noqa: B023
        )
        assert np.sum(told, axis=0).tolist() == [len(rows), len(rows.ids)]
        assert len(told) > 1 or threads > 1  # helpers may have taken all batches


def test_what_progress_raises_stops_the_run(network: Network, config: BertConfig) -> None:
    rows = random_rows(config, LENGTHS * 20)
    told = []

    def advance(n_rows: int, n_tokens: int) -> None:
        told.append(n_rows)
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        network.run(*rows.arguments(), output="logits", token_budget=64, threads=2, advance=advance)
    assert len(told) == 1


def test_ctrl_c_stops_the_run(network: Network, config: BertConfig) -> None:
    rows = random_rows(config, LENGTHS * 20)
    # A shell lets its background commands ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            network.run(
                *rows.arguments(),
                output="logits",
                token_budget=64,
                threads=1,
                advance=lambda *_: os.kill(os.getpid(), signal.SIGINT),
            )
    finally:
        signal.signal(signal.SIGINT, before)


def test_python_threads_share_a_network(network: Network, config: BertConfig) -> None:
    rows = random_rows(config, LENGTHS * 5)
    expected = run(network, rows, "probabilities")
    same: list[bool] = []

    def work() -> None:
        for _ in range(5):
            same.append(np.array_equal(run(network, rows, "probabilities", threads=2), expected))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same == [True] * 30


@pytest.mark.skipif("libasan" in os.environ.get("LD_PRELOAD", ""), reason="ASan is to be first")
def test_a_fork_beside_the_first_run_leaves_a_child_that_works(
    model_path: Path, tmp_path: Path
) -> None:
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs Linux and a C compiler")
    # The tables of the activations take half a second, in which the process forks.
    source = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <unistd.h>
        double erfc(double x) {
          static int n_calls;
          if (n_calls++ == 0) usleep(500000);
          return ((double (*)(double))dlsym(RTLD_NEXT, "erfc"))(x);
        }
    """
    code = """
        import os, signal, sys, threading, time
        from bertfast.engine import Network
        from tests.engine.models import random_rows
        from tests.engine.test_network import run
        from tests.small_bert import small_config

        config = small_config(hidden_size=48, intermediate_size=100)
        network = Network(sys.argv[1], config)
        rows = random_rows(config, [8])
        thread = threading.Thread(target=run, args=(network, rows, "logits"))
        thread.start()
        time.sleep(0.2)
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            run(network, rows, "logits")
            os._exit(0)
        print(os.waitpid(child, 0)[1])
        thread.join()
    """
    (tmp_path / "slow.c").write_text(textwrap.dedent(source))
    library = str(tmp_path / "slow.so")
    command = [compiler, "-shared", "-fPIC", str(tmp_path / "slow.c"), "-o", library, "-ldl"]
    subprocess.run(command, check=True)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), str(model_path)],
        env=os.environ | {"LD_PRELOAD": library},
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


@pytest.mark.parametrize(("threads", "workers"), [(1, 1), (2, 2), (2, 1)])
def test_the_interpreter_ends_beside_a_daemon_that_predicts(
    model_path: Path, threads: int, workers: int
) -> None:
    code = f"""
        import sys, threading, time
        from bertfast.engine import Network
        from tests.engine.models import random_rows
        from tests.engine.test_network import LENGTHS
        from tests.small_bert import small_config

        class Late:
            def __del__(self, sleep=time.sleep):
                sleep(0.5)  # without the lock, which the daemon takes or is ended

        config = small_config(hidden_size=48, intermediate_size=100)
        network = Network(sys.argv[1], config)
        rows = random_rows(config, LENGTHS * 200).arguments()
        begun = threading.Event()

        def work():
            while True:
                network.run(*rows, output="logits", token_budget=64, threads={threads},
                            workers={workers}, advance=lambda *_: begun.set())

        sys.modules["late"] = Late()
        threading.Thread(target=work, daemon=True).start()
        begun.wait()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(model_path)],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("kernel", ["portable", "avx2", "avx512"])
def test_kernels_agree(model_path: Path, config: BertConfig, network: Network, kernel: str) -> None:
    rows = random_rows(config, LENGTHS)
    code = """
        import sys
        import numpy as np
        from bertfast.engine import Network, native_kernel
        from tests.engine.models import random_rows
        from tests.engine.test_network import LENGTHS, run
        from tests.small_bert import small_config
        config = small_config(hidden_size=48, intermediate_size=100)
        values = run(Network(sys.argv[1], config), random_rows(config, LENGTHS), "sequence_output")
        np.save(sys.argv[2], values)
        print(native_kernel())
    """
    result = model_path.with_name(f"{kernel}.npy")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(model_path), str(result)],
        env={**os.environ, "BERTFAST_KERNEL": kernel},
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if done.stdout.strip() != kernel:
        pytest.skip(f"this CPU has no {kernel}: it took {done.stdout.strip()}")
    exact = run(network, rows, "sequence_output")
    assert np.abs(np.load(result) - exact).max() < 1e-4
    if kernel == native_kernel():
        assert np.array_equal(np.load(result), exact)


def test_memory_stays_flat_over_many_shapes(network: Network, config: BertConfig) -> None:
    resource = pytest.importorskip("resource")
    rng = np.random.default_rng(0)

    def calls(n_calls: int) -> None:
        for _ in range(n_calls):
            lengths = rng.integers(1, 65, int(rng.integers(1, 12))).tolist()
            run(network, random_rows(config, lengths), "pooled_output", budget=256, threads=2)

    calls(500)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    calls(2000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4096  # KiB


@pytest.mark.parametrize("output", ["sequence_output", "probabilities"])
def test_rows_of_no_tokens_are_refused_for_every_output(output: str) -> None:
    from bertfast.bundle import Bundle

    bundle = Bundle.load()
    network = Network(bundle.model_path, bundle.manifest.config)
    none = np.zeros(0, np.int32)
    with pytest.raises(InputError, match="row 0 has 0 tokens"):
        network.run(none, none, np.zeros(3, np.int64), output=output, token_budget=8, threads=1)
    empty = network.run(none, none, np.zeros(1, np.int64), output=output, token_budget=8, threads=1)
    assert not len(empty)
