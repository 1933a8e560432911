"""Local clusters. They run in an environment of their own: `make test-distributed`."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.probe_model import write_probe_bundle

REPOSITORY = Path(__file__).resolve().parent.parent.parent
N_ROWS = 20_000


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier, its model run by ONNX Runtime."""
    folder = tmp_path_factory.mktemp("distributed") / "model"
    return write_probe_bundle(folder, default_output="probabilities")


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """Texts of many lengths, some too long for the model, some empty."""
    return [
        " ".join("abcdefgh"[(number * 3 + place) % 8] for place in range(number * 7 % 23))
        for number in range(N_ROWS)
    ]


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A local Spark with two executors' worth of cores, whose failed tasks are run again."""
    pytest.importorskip("pyspark", reason="pyspark is not installed: make test-distributed")
    from pyspark.sql import SparkSession

    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("no Java here, which Spark needs")
    path = os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])
    os.environ |= {"PYTHONPATH": path, "PYSPARK_PYTHON": sys.executable}  # of the workers
    session = (
        SparkSession.builder.master("local[2,3]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "1g")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.executorEnv.PYTHONPATH", path)
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def ray() -> Iterator[Any]:
    """A local Ray that believes in four cores: two actors and the readers fit."""
    module = pytest.importorskip("ray", reason="ray is not installed: make test-distributed")
    path = os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])
    module.init(
        num_cpus=4,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=200_000_000,
        runtime_env={"env_vars": {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}},
    )
    module.data.DataContext.get_current().enable_progress_bars = False
    yield module
    module.shutdown()
