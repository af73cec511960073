"""Where a network runs: ONNX Runtime's providers by the names that people use."""

from __future__ import annotations

from typing import Any

from deepmatte.errors import ModelError

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
# What brings each of them, in place of the package onnxruntime.
_PACKAGES = {
    "cuda": "onnxruntime-gpu",
    "openvino": "onnxruntime-openvino",
    "coreml": "onnxruntime on a Mac",
    "directml": "onnxruntime-directml on Windows",
}


def available_devices() -> list[str]:
    """The devices that the installed ONNX Runtime knows, ``["cpu"]`` at least."""
    import onnxruntime

    providers = onnxruntime.get_available_providers()
    return [device for device, provider in PROVIDERS.items() if provider in providers]


def device_notes(device: str) -> tuple[str, ...]:
    """Notes for the user about the device, such as that a GPU was not used."""
    others = [name for name in available_devices() if name not in ("cpu", "coreml", device)]
    if device == "cpu":
        if not others:  # nothing to choose from, and nothing to say
            return ()
        return (f"The network ran on the CPU; it could run on {' or '.join(others)} as well.",)
    return (f"The network ran on {device}.",)


def session_on(device: str, content: bytes, threads: int) -> Any:
    """An ONNX Runtime session on a device.

    Args:
        device: one of `PROVIDERS`.
        content: of an ONNX file.
        threads: of the network, where the device uses the CPU.

    Raises:
        ModelError: there is no such device, or it cannot be used.
    """
    import onnxruntime

    there = available_devices()
    if device not in PROVIDERS:
        raise ModelError(
            f"There is no device {device!r}; expected one of {', '.join(PROVIDERS)}, of which the"
            f" installed ONNX Runtime has {', '.join(there)}."
        )
    if device not in there:
        raise ModelError(
            f"The installed ONNX Runtime cannot use the device {device}, only {', '.join(there)};"
            f" for {device} install {_PACKAGES[device]} in its place."
        )
    onnxruntime.disable_telemetry_events()  # on Windows `deepmatte.privacy` is not enough
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised; its log would be said twice
    options.enable_mem_pattern = device != "directml"  # which knows none
    provider: Any = PROVIDERS[device]
    if device == "openvino":
        provider = (provider, {"device_type": "CPU", "num_of_threads": str(threads)})
    # With its fallback it prints to standard output where it fails, and tries the same again.
    session = onnxruntime.InferenceSession(
        content, options, providers=[provider], enable_fallback=False
    )
    if PROVIDERS[device] not in session.get_providers():
        raise ModelError(
            f"device {device}: ONNX Runtime could not start it on this machine; it can use"
            f" {', '.join(name for name in there if name != device)}"
        )
    return session
