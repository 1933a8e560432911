"""Exports checkpoints as ONNX graphs or SavedModels, each measured against its source."""

from bertfast.errors import MissingDependencyError

try:
    import onnx as _onnx  # noqa: F401
except ImportError as error:
    raise MissingDependencyError(
        'exporting needs an extra: pip install "bertfast[export]"'
    ) from error

from bertfast.onnx.export import export_bundle as export_bundle
from bertfast.onnx.saved_model import SavedModelExport as SavedModelExport
from bertfast.onnx.saved_model import export_saved_model as export_saved_model
