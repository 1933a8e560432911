"""Exports checkpoints as fused ONNX graphs, each measured against its source."""

from bertfast.errors import MissingDependencyError

try:
    import onnx as _onnx  # noqa: F401
except ImportError as error:
    raise MissingDependencyError(
        'exporting needs an extra: pip install "bertfast[export]"'
    ) from error

from bertfast.onnx.export import export_bundle as export_bundle
