"""Models on a server of the Open Inference Protocol (KServe v2) over gRPC, by tritonclient."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from numpy.typing import NDArray

from engines.runtimes import Session, TensorInfo, Tensors
from engines.runtimes.feeds import check_feeds
from engines.runtimes.remote.open_inference import NAMES, declared
from engines.runtimes.remote.remote import Remote, TransientError
from engines.runtimes.remote.server import Server

T = TypeVar("T")
_AGAIN = {
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "ABORTED",
    "INTERNAL",
    "UNKNOWN",
}
# A connection that was lost is tried again at once, and every second: gRPC's own waits grow to two
# minutes, in which a server that is back would not be used.
_CHANNEL = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
]


class KserveGrpcSession:
    """A model of a server; safe to run from several threads."""

    def __init__(self, server: Server) -> None:
        self._grpc = _tritonclient()
        self._remote, self._server = Remote(server), server
        address = self._remote.address
        self._client = self._grpc.InferenceServerClient(
            address.host, ssl=address.scheme == "grpcs", channel_args=_CHANNEL
        )
        weakref.finalize(self, self._client.close)
        self._headers: dict[str, str] | None = None
        if address.authorization is not None:
            self._headers = {"authorization": address.authorization}
        metadata = self._ask(self._client.get_model_metadata, as_json=False)
        try:
            self.inputs: Mapping[str, TensorInfo] = declared(map(_fields, metadata.inputs))
            self.outputs: Mapping[str, TensorInfo] = declared(map(_fields, metadata.outputs))
        except ValueError as error:
            raise self._remote.refuse(f"its metadata cannot be used: {error}") from None

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name.

        Raises:
            FeedError: an input is missing, is not the model's, or has another shape or type.
            RemoteError: the server is out of reach, too slow, refuses, or answers other tensors.
        """
        check_feeds(self.inputs, feeds)
        inputs = []
        for name, array in feeds.items():
            tensor = self._grpc.InferInput(name, array.shape, NAMES[array.dtype])
            inputs.append(tensor.set_data_from_numpy(array))
        outputs = [self._grpc.InferRequestedOutput(name) for name in self.outputs]
        result = self._ask(self._client.infer, inputs=inputs, outputs=outputs)
        try:
            got = {name: result.as_numpy(name) for name in self.outputs}
        except ValueError as error:
            raise self._remote.refuse(f"answered with an invalid reply: {error}") from None
        got = {name: array.copy() for name, array in got.items() if array is not None}
        return self._remote.check_answer(self.outputs, got)

    def _ask(self, call: Callable[..., T], **arguments: Any) -> T:
        """One call of the client about the model, repeated as the manifest's ``server`` allows."""
        from tritonclient.utils import InferenceServerException

        def once(within_s: float) -> T:
            try:
                return call(
                    model_name=self._server.model,
                    model_version=self._server.version,
                    headers=self._headers,
                    client_timeout=within_s,
                    **arguments,
                )
            except InferenceServerException as error:
                raise self._failure(error, within_s) from None

        return self._remote.ask(once)

    def _failure(self, error: Any, within_s: float) -> Exception:
        status = str(error.status()).removeprefix("StatusCode.")
        if status == "DEADLINE_EXCEEDED":
            return TransientError(f"no answer within {within_s:.1f} s")
        said = f"answered {status} {error.message()}".strip()
        return TransientError(said) if status in _AGAIN else self._remote.refuse(said)


def _fields(tensor: Any) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}


def _tritonclient() -> Any:
    # Else gRPC writes of each lost connection to stderr, beside what the session says.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    try:
        import tritonclient.grpc
    except ImportError as error:
        raise ImportError('tritonclient is missing; pip install "mirante[remote]"') from error
    return tritonclient.grpc


def open_session(server: Server) -> Session:
    """The session of a model, after asking the server for the model's inputs and outputs.

    Raises:
        ImportError: tritonclient is not installed.
        RemoteError: the server is out of reach or has no such model.
        ValueError: the address names an environment variable that is not set.
    """
    return KserveGrpcSession(server)
