"""The server of models for the tests over gRPC, by the Open Inference Protocol's own stubs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tests.support.model_server import OF_V2, TO_V2, V2, Models, axes
from tests.support.ports import free_port

ABORTS = {
    "drop": "UNAVAILABLE",
    "hang": "UNAVAILABLE",
    "error": "INTERNAL",
    "gone": "INVALID_ARGUMENT",
}


class GrpcServer:
    """The double over gRPC, by the protocol's own stubs."""

    def __init__(self, models: Models) -> None:
        self.models, self.port = models, free_port()
        self.start()

    def start(self) -> None:
        import grpc
        from tritonclient.grpc import service_pb2_grpc

        # Else a new server shares the port with the one before, which may still be ending.
        options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)]
        self._server = grpc.server(ThreadPoolExecutor(4), options=options)
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(
            _servicer(self.models), self._server
        )
        self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()

    def stop(self) -> None:
        self.models.release.set()
        self._server.stop(0).wait(10)


def _servicer(models: Models) -> Any:
    import grpc
    from tritonclient.grpc import service_pb2, service_pb2_grpc

    class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):
        def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
            self._know(context, request.name)
            session = models.session(request.name)
            answer = service_pb2.ModelMetadataResponse(name=request.name, versions=["1"])
            for side, nodes in (
                (answer.inputs, session.get_inputs()),
                (answer.outputs, session.get_outputs()),
            ):
                for node in nodes:
                    side.add(name=node.name, datatype=V2[node.type], shape=axes(node))
            return answer

        def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
            self._know(context, request.model_name)
            fault = models.take_fault()
            if fault in ABORTS:
                context.abort(getattr(grpc.StatusCode, ABORTS[fault]), "out of memory")
            feeds = {
                tensor.name: np.frombuffer(raw, OF_V2[tensor.datatype]).reshape(tensor.shape)
                for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=True)
            }
            answer = service_pb2.ModelInferResponse(model_name=request.model_name)
            for name, value in models.run(request.model_name, feeds, fault).items():
                answer.outputs.add(name=name, datatype=TO_V2[value.dtype], shape=value.shape)
                raw = value.tobytes()
                answer.raw_output_contents.append(raw[:-8] if fault == "short" else raw)
            return answer

        def _know(self, context: Any, name: str) -> None:
            if not models.allows(dict(context.invocation_metadata()).get("authorization")):
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")
            if name not in models.sessions:
                context.abort(grpc.StatusCode.NOT_FOUND, f"Request for unknown model: {name}")

    return Servicer()
