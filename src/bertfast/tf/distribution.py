"""Where a model trains: one device, several, or a TPU, behind one switch."""

from typing import Any

import tensorflow as tf

from bertfast.errors import DeviceError
from bertfast.tf.devices import Devices


def make_strategy(devices: Devices) -> Any:
    """Return the `tf.distribute.Strategy` that the switch means.

    Raises:
        DeviceError: a TPU cannot be reached, or the CPU can no longer be split.
    """
    if devices.is_tpu:
        return _tpu(devices)
    local = _local_devices(devices.n_cpu_devices)
    if devices.strategy == "mirrored" or (devices.strategy == "auto" and len(local) > 1):
        return tf.distribute.MirroredStrategy(local, cross_device_ops=_cross_device_ops(local))
    return tf.distribute.OneDeviceStrategy(local[0])


def is_on_cpu(strategy: Any) -> bool:
    """Tell whether the replicas are CPUs: where shapes may vary from batch to batch freely."""
    return all("CPU" in device.upper() for device in strategy.extended.worker_devices)


def _local_devices(n_cpu_devices: int) -> list[str]:
    """Names of the GPUs, else of the CPU's logical devices."""
    if n_cpu_devices > 1:
        _split_cpu(n_cpu_devices)
        return [f"/cpu:{n}" for n in range(n_cpu_devices)]
    gpus = tf.config.list_physical_devices("GPU")
    return [f"/gpu:{n}" for n in range(len(gpus))] or ["/cpu:0"]


def _split_cpu(n_devices: int) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    wanted = [tf.config.LogicalDeviceConfiguration() for _ in range(n_devices)]
    try:
        tf.config.set_logical_device_configuration(cpu, wanted)
    except RuntimeError as error:
        if len(tf.config.list_logical_devices("CPU")) < n_devices:
            raise DeviceError(
                f"TensorFlow already runs, so the CPU cannot be split into {n_devices} devices"
            ) from error


def _cross_device_ops(local: list[str]) -> Any:
    """NCCL between GPUs; CPUs have none, and reduce onto one device."""
    if "cpu" in local[0]:
        return tf.distribute.ReductionToOneDevice()
    return None


def _tpu(devices: Devices) -> Any:
    target = devices.tpu_name or devices.master or ""
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(
            target, zone=devices.tpu_zone, project=devices.gcp_project
        )
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        strategy = tf.distribute.TPUStrategy(resolver)
    except (ValueError, RuntimeError, OSError, ImportError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DeviceError(f"cannot use the TPU {target or '(local)'!r}: {reason}") from error
    if strategy.num_replicas_in_sync != devices.num_tpu_cores:
        raise DeviceError(
            f"--num_tpu_cores is {devices.num_tpu_cores}, but the TPU has "
            f"{strategy.num_replicas_in_sync} cores"
        )
    return strategy
