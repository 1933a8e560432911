"""What the figures were measured on: processor, versions, kernel."""

import os
import platform
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from bertfast import _native
from bertfast.benchmark.peers import Peer
from bertfast.version import __version__

KERNEL_VARIABLE = "BERTFAST_KERNEL"


def describe_machine() -> dict[str, str | int]:
    """Return processor, usable CPUs and system."""
    return {
        "cpu": cpu_name(),
        "n_cpus": usable_cpus(),
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
    }


def describe_versions(peers: Iterable[Peer]) -> dict[str, str]:
    """Return the versions of everything that takes part."""
    versions = {
        "bertfast": __version__,
        "python": platform.python_version(),
        "unicode": unicodedata.unidata_version,
    }
    return {peer.name: peer.version for peer in peers} | versions


def cpu_name() -> str:
    """Return the processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def usable_cpus() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def kernel_name() -> str:
    """Return the name of the scanner's kernel in use, as far as the core tells it."""
    name = getattr(_native, "KERNEL", None)
    if isinstance(name, str):
        return name
    forced = os.environ.get(KERNEL_VARIABLE)
    return f"{forced} ({KERNEL_VARIABLE})" if forced else "chosen for this processor"
