"""The native inference engine: weights straight from model.onnx, packed for this CPU."""

from bertfast.engine.network import Network as Network
from bertfast.engine.network import native_kernel as native_kernel
