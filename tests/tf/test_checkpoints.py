"""Checkpoints: the original's format, published whole, verified, with fallback."""

import re
import resource
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertfast.checkpoint import read_checkpoint
from bertfast.errors import CheckpointError
from tests.tf.conftest import Arrays

tf = pytest.importorskip("tensorflow")

from bertfast.tf import checkpoints  # noqa: E402
from bertfast.tf.checkpoints import CheckpointStore  # noqa: E402

DATA = "data-00000-of-00001"


def arrays(step: int, size: int = 100) -> Arrays:
    """A weight, its slots and the step."""
    rng = np.random.default_rng(step)
    names = ("bert/x/kernel", "bert/x/kernel/adam_m", "bert/x/kernel/adam_v")
    values: Arrays = {name: rng.normal(size=(size, 3)).astype(np.float32) for name in names}
    values["global_step"] = np.array(step, np.int64)
    return values


def assert_same(given: Arrays, expected: Arrays) -> None:
    assert set(given) == set(expected)
    for name, value in expected.items():
        assert given[name].dtype == value.dtype
        np.testing.assert_array_equal(given[name], value)


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    """Three checkpoints, of steps 10, 20 and 30."""
    store = CheckpointStore(tmp_path / "out")
    for step in (10, 20, 30):
        store.save(step, arrays(step))
    return store


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_save_writes_what_tensorflow_and_we_read(store: CheckpointStore, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    prefix = tf.train.latest_checkpoint(str(folder))
    assert prefix == str(folder / "model.ckpt-30")
    reader = tf.train.load_checkpoint(prefix)
    given = {
        name: np.asarray(reader.get_tensor(name)) for name in reader.get_variable_to_shape_map()
    }
    assert_same(given, arrays(30))
    assert_same(read_checkpoint(folder, keep_optimizer=True), arrays(30))
    saved = store.latest()
    assert saved is not None
    assert (saved.step, saved.prefix) == (30, folder / "model.ckpt-30")
    assert_same(saved.variables, arrays(30))
    state = tf.train.get_checkpoint_state(str(folder))
    assert [Path(path).name for path in state.all_model_checkpoint_paths] == [
        "model.ckpt-10",
        "model.ckpt-20",
        "model.ckpt-30",
    ]


def test_save_is_restored_by_the_originals_saver(store: CheckpointStore, tmp_path: Path) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        variable = v1.get_variable("bert/x/kernel", [100, 3], use_resource=False)
        saver = v1.train.Saver([variable])
        saver.restore(session, str(tmp_path / "out" / "model.ckpt-20"))
        np.testing.assert_array_equal(session.run(variable), arrays(20)["bert/x/kernel"])


def test_save_leaves_nothing_else_and_keeps_the_newest(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, keep=2)
    for step in (1, 2, 3, 11):
        store.save(step, arrays(step))
    suffixes = (DATA, "index", "json")
    expected = {f"model.ckpt-{step}.{suffix}" for step in (3, 11) for suffix in suffixes}
    assert names_in(tmp_path) == {*expected, "checkpoint"}
    assert store.steps() == [3, 11]


def test_latest_of_nothing_is_none(tmp_path: Path) -> None:
    assert CheckpointStore(tmp_path).latest() is None
    assert CheckpointStore(tmp_path / "absent").latest() is None


def damage(path: Path, kind: str) -> None:
    content = path.read_bytes()
    if kind == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "flipped":
        path.write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
    else:
        path.unlink()


@pytest.mark.parametrize("suffix", [DATA, "index"])
@pytest.mark.parametrize("kind", ["truncated", "empty", "flipped", "missing"])
@pytest.mark.parametrize("with_manifest", [True, False])
def test_latest_passes_over_a_damaged_one_and_says_so(
    store: CheckpointStore, tmp_path: Path, suffix: str, kind: str, with_manifest: bool
) -> None:
    folder = tmp_path / "out"
    damage(folder / f"model.ckpt-30.{suffix}", kind)
    if not with_manifest:  # as the original code leaves it
        (folder / "model.ckpt-30.json").unlink()
    said: list[str] = []
    saved = CheckpointStore(folder, on_message=said.append).latest()
    assert saved is not None
    assert saved.step == 20
    assert_same(saved.variables, arrays(20))
    if with_manifest or suffix != "index" or kind != "missing":  # else nothing of it is left
        assert re.match(r"model\.ckpt-30 is damaged and passed over: .*", said[0])
        assert said[-1] == "falling back to model.ckpt-20"
        assert tf.train.latest_checkpoint(str(folder)) == str(folder / "model.ckpt-20")


def test_latest_passes_over_a_damaged_manifest(store: CheckpointStore, tmp_path: Path) -> None:
    (tmp_path / "out" / "model.ckpt-30.json").write_text("{}")
    saved = store.latest()
    assert saved is not None
    assert saved.step == 20


def test_latest_of_damaged_ones_alone_is_an_error(store: CheckpointStore, tmp_path: Path) -> None:
    for step in (10, 20, 30):
        damage(tmp_path / "out" / f"model.ckpt-{step}.{DATA}", "truncated")
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* is intact .*start anew"):
        store.latest()


def test_save_replaces_a_damaged_one(store: CheckpointStore, tmp_path: Path) -> None:
    damage(tmp_path / "out" / f"model.ckpt-30.{DATA}", "truncated")
    assert store.latest().step == 20  # type: ignore[union-attr]
    store.save(30, arrays(30))
    saved = store.latest()
    assert saved is not None
    assert_same(saved.variables, arrays(30))


def test_latest_reads_checkpoints_without_a_manifest(tmp_path: Path) -> None:
    checkpoints.write_tensors(tmp_path / "model.ckpt-7", arrays(7))
    saved = CheckpointStore(tmp_path).latest()
    assert saved is not None
    assert saved.step == 7


def test_save_interrupted_anywhere_leaves_the_ones_before(
    store: CheckpointStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run killed in the middle of a save leaves the files of that moment behind."""
    folder = tmp_path / "out"
    n_left, dead = 0, False
    replace, rmtree = Path.replace, shutil.rmtree

    class Killed(BaseException):
        pass

    def replace_or_die(self: Path, target: Path) -> Path:
        nonlocal n_left, dead
        if not n_left:
            dead = True
            raise Killed
        n_left -= 1
        return replace(self, target)

    def rmtree_if_alive(path: Path, **options: Any) -> None:
        if not dead:  # a killed process does not tidy up
            rmtree(path, **options)

    monkeypatch.setattr(Path, "replace", replace_or_die)
    monkeypatch.setattr(shutil, "rmtree", rmtree_if_alive)
    for n_done in range(4):
        n_left, dead = n_done, False
        with pytest.raises(Killed):
            store.save(40, arrays(40))
        saved = CheckpointStore(folder).latest()
        assert saved is not None
        assert saved.step == (40 if n_done >= 2 else 30)  # complete, if not yet recorded
        assert_same(saved.variables, arrays(saved.step))
        for path in folder.glob("model.ckpt-40.*"):
            path.unlink()
    monkeypatch.undo()
    assert [name for name in names_in(folder) if name.startswith(".saving")]
    store.save(50, arrays(50))
    assert not [name for name in names_in(folder) if name.startswith(".saving")]


def test_save_on_a_full_disk_keeps_the_last_good_one(
    store: CheckpointStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(prefix: Path, variables: Arrays) -> None:
        Path(f"{prefix}.{DATA}.tempstate").write_bytes(b"half")
        raise CheckpointError(f"{prefix}; No space left on device")

    before = names_in(tmp_path / "out")
    monkeypatch.setattr(checkpoints, "write_tensors", full)
    with pytest.raises(CheckpointError, match=r"cannot save .*No space left.*ckpt-30 is kept"):
        store.save(40, arrays(40))
    assert names_in(tmp_path / "out") == before
    saved = store.latest()
    assert saved is not None
    assert_same(saved.variables, arrays(30))


def test_save_that_the_system_refuses_keeps_the_last_good_one(
    store: CheckpointStore, tmp_path: Path
) -> None:
    """The system's own limit on a file's size stands for a full disk, through TensorFlow."""
    before = names_in(tmp_path / "out")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(CheckpointError, match=r"cannot save .*model\.ckpt-30 is kept"):
            store.save(40, arrays(40, size=100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert names_in(tmp_path / "out") == before
    saved = store.latest()
    assert saved is not None
    assert_same(saved.variables, arrays(30))


def test_save_detects_bytes_that_did_not_arrive(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = checkpoints.write_tensors

    def lossy(prefix: Path, variables: Arrays) -> None:
        real(prefix, variables)
        damage(Path(f"{prefix}.{DATA}"), "truncated")

    monkeypatch.setattr(checkpoints, "write_tensors", lossy)
    with pytest.raises(CheckpointError, match="truncated"):
        store.save(40, arrays(40))
    assert store.steps() == [10, 20, 30]
