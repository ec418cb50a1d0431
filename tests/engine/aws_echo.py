"""An AWS provider for the real engine that owns no cloud: it accepts every resource and answers as `StandIn`.

    python -m tests.engine.aws_echo        prints its port, then serves until it is ended
    PULUMI_DEBUG_PROVIDERS=aws:PORT pulumi preview

In a preview what AWS would compute is unknown, as with the real provider. STAND_IN_EKS_ENDPOINT and STAND_IN_EKS_CA
(base64) let every EKS cluster answer with a real API server's address instead of an invented one.
"""

import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import Any, Final

import grpc  # type: ignore[import-untyped] # grpcio carries no types
from google.protobuf import empty_pb2, json_format, struct_pb2  # type: ignore[import-untyped] # nor does protobuf
from pulumi.runtime import rpc
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from components.stand_in import StandIn, unknown_additions

_MESSAGE_BYTES: Final = 1 << 28  # as the engine's own limit: a prod stack's user data is large
_VERSION: Final = metadata.version("pulumi-aws")  # what the program asks for


class AwsEcho(provider_pb2_grpc.ResourceProviderServicer):
    """The protocol of pulumi/proto/pulumi/provider.proto, as far as the engine speaks it for custom resources."""

    def __init__(self, account: StandIn) -> None:
        self._account = account

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802 the protocol's name, as are those below
        return provider_pb2.ProviderHandshakeResponse()

    def Attach(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=_VERSION)

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return _difference(request.old_inputs, request.news)

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        return _difference(request.old_inputs, request.news)

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        identifier, outputs = self._state(request.urn, request.properties, preview=request.preview)
        return provider_pb2.CreateResponse(id="" if request.preview else identifier, properties=outputs)

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        _, outputs = self._state(request.urn, request.news, preview=request.preview)
        return provider_pb2.UpdateResponse(properties=outputs)

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        given = request.inputs if request.inputs.fields else request.properties
        _, outputs = self._state(request.urn, given, preview=False)
        return provider_pb2.ReadResponse(id=request.id, properties=outputs, inputs=given)

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        try:
            answer = self._account.answer(request.tok, json_format.MessageToDict(request.args))
        except LookupError as error:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, str(error))
        return provider_pb2.InvokeResponse(**{"return": _struct(answer)})

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def _state(self, urn: str, properties: Any, *, preview: bool) -> tuple[str, Any]:
        inputs = json_format.MessageToDict(properties)
        identifier, additions = self._account.created(urn, inputs)
        if preview:
            additions = unknown_additions(additions, inputs, rpc.UNKNOWN)
        return identifier, _struct({**inputs, **additions})


def _difference(before: Any, after: Any) -> Any:
    """Every changed input is an update in place: which ones force a replacement only the real provider knows."""
    old, new = json_format.MessageToDict(before), json_format.MessageToDict(after)
    changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    kind = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
    return provider_pb2.DiffResponse(changes=kind, diffs=changed)


def _struct(properties: Mapping[str, Any]) -> Any:
    struct = struct_pb2.Struct()
    struct.update(properties)
    return struct


def serve(account: StandIn) -> tuple[Any, int]:
    """A running server and its port on loopback; `server.stop(0)` ends it."""
    limits = [("grpc.max_receive_message_length", _MESSAGE_BYTES), ("grpc.max_send_message_length", _MESSAGE_BYTES)]
    server = grpc.server(ThreadPoolExecutor(8), options=limits)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(AwsEcho(account), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


if __name__ == "__main__":
    defaults = StandIn()
    running, at = serve(
        StandIn(
            region=os.environ.get("AWS_REGION", defaults.region),
            eks_endpoint=os.environ.get("STAND_IN_EKS_ENDPOINT"),
            eks_ca=os.environ.get("STAND_IN_EKS_CA", defaults.eks_ca),
        )
    )
    sys.stdout.write(f"{at}\n")
    sys.stdout.flush()
    running.wait_for_termination()
