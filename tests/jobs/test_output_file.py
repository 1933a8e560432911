import os
import stat
import threading
from pathlib import Path

import pytest

from bertfast.errors import InputError
from bertfast.jobs.output_file import output_stream


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_output_appears_only_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    with output_stream(str(path)) as stream:
        stream.write(b"all")
        stream.flush()
        assert not path.exists()
    assert path.read_bytes() == b"all"
    assert names_in(tmp_path) == ["out.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_output_failed_block_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "out.txt"
    path.write_bytes(b"old")
    with pytest.raises(error), output_stream(str(path)) as stream:
        stream.write(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["out.txt"]


def test_output_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with output_stream(str(tmp_path / "out.txt")):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.txt").stat().st_mode) == 0o640


def test_output_through_a_link_replaces_what_it_points_to(tmp_path: Path) -> None:
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with output_stream(str(link)) as stream:
        stream.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_output_device_is_written_not_replaced() -> None:
    with output_stream("/dev/null") as stream:
        stream.write(b"gone")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_output_named_pipe_is_written_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    with output_stream(str(pipe)) as stream:
        stream.write(b"through")
    reader.join(timeout=10)
    assert received == [b"through"]
    assert names_in(tmp_path) == ["pipe"]


def test_output_folder_raises(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder; name a file"), output_stream(str(tmp_path)):
        pass


def test_output_in_a_missing_folder_raises(tmp_path: Path) -> None:
    path = tmp_path / "no" / "out.txt"
    with pytest.raises(InputError, match="does not exist; create it first"):  # noqa: SIM117
        with output_stream(str(path)):
            pass
