"""What a program registers, recorded in process: no engine, no Pulumi CLI, no credentials.

`record` runs a Pulumi program against a resource monitor of our own that keeps each whole request, options included:
`pulumi.runtime.Mocks` shows a test only type, name and inputs. What the cloud would answer comes from `stand_in.py`.
"""

import asyncio
import concurrent.futures
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final

import pulumi
from google.protobuf import empty_pb2, struct_pb2  # type: ignore[import-untyped] # google ships no stubs with it
from pulumi.runtime import Settings, configure, register_stack_transformation, rpc, set_all_config
from pulumi.runtime.mocks import MockEngine
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import SETTINGS
from pulumi.runtime.stack import run_in_stack

from components.stand_in import StandIn, unknown_additions

STACK_TYPE: Final = "pulumi:pulumi:Stack"

# How Pulumi's wire marks what JSON cannot say: sdk/go/common/resource/properties.go.
_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_OF_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 a constant of the protocol
_OF_RESOURCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"


@dataclass(frozen=True, slots=True)
class Registration:
    """One resource as the program asked the engine for it.

    `inputs` and `outputs` are plain JSON values; secrets read "[secret]", values known only after deployment
    "[unknown]". `outputs` of a component are None until it calls `register_outputs`. URNs everywhere are those that
    the real engine would give; lists of URNs are sorted.
    """

    type: str
    name: str
    urn: str
    parent_urn: str | None  # None for the stack itself
    custom: bool  # False for a component
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any] | None
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] | None = None
    provider: str | None = None  # URN::id of an explicit provider
    protect: bool = False
    retain_on_delete: bool = False
    delete_before_replace: bool = False
    deleted_with: str | None = None
    aliases: tuple[str, ...] = ()  # URNs, or `key=value` descriptions where the URN is for the engine to work out
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    import_id: str | None = None
    read: bool = False  # looked up by identifier instead of created


class DuplicateUrnError(Exception):
    """Two resources of one URN: the real engine refuses the program, so the recording does."""


def record(
    program: Callable[[], object],
    *,
    project: str = "partner-mesh",
    stack: str = "dev",
    config: Mapping[str, str] | None = None,
    secret_keys: tuple[str, ...] = (),
    preview: bool = False,
    stand_in: StandIn | None = None,
    seen: Callable[[str, str], None] | None = None,
) -> tuple[Registration, ...]:
    """Run `program` to its end and return everything it registered, the stack first, parents before children and
    siblings in the order in which the program made them: the same order in every run.

    `config` holds what `pulumi.Config` reads: `project:key` to a string, JSON for structured values. With `preview`
    what a provider would compute stays unknown, as in a first `pulumi preview`. `seen(type, name)` is called at each
    registration, for progress. An exception of the program, or of anything it left pending, comes out as it is.
    """
    recorder = _Monitor(project, stack, stand_in or StandIn(), preview=preview, seen=seen)

    def run() -> None:
        # A thread of its own: Pulumi keeps its settings in context variables, and a new thread has none set.
        configure(Settings(project=project, stack=stack, monitor=recorder, engine=MockEngine(_LOG), dry_run=preview))
        set_all_config(dict(config or {}), list(secret_keys))
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            loop.set_default_executor(_Inline())
            loop.set_exception_handler(lambda _loop, _context: None)  # a failed sibling is not a second failure
            runner.run(run_in_stack(lambda: _observed(program, recorder.constructed)))

    with ThreadPoolExecutor(1, thread_name_prefix="pulumi-program") as thread:
        thread.submit(run).result()
    return recorder.registrations()


_LOG: Final = logging.getLogger("partner_mesh.recording")


async def _observed(
    program: Callable[[], object], constructed: Callable[[pulumi.ResourceTransformationArgs], None]
) -> None:
    register_stack_transformation(constructed)
    program()
    await _settled()


async def _settled() -> None:
    """Await what the program left pending, all of it at once; a failure is left to the SDK, which raises it.

    The SDK's own loop (pulumi.runtime.stack.wait_for_rpcs) puts a callback on everything pending each time that one
    thing is done: with a thousand partners that square is minutes.
    """
    while pending := [task for task in (*SETTINGS.outputs, *SETTINGS.rpc_manager.rpcs) if not task.done()]:
        done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_EXCEPTION)
        if any(task.cancelled() or task.exception() is not None for task in done):
            return


class _Inline(ThreadPoolExecutor):
    """Runs calls where they are made: the order of requests then follows from the program alone, not from threads."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = concurrent.futures.Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # it belongs to whoever awaits the future
            future.set_exception(error)
        return future


class _Monitor:
    """The engine's side of the resource monitor's protocol (pulumi/proto/pulumi/resource.proto), without an engine."""

    def __init__(
        self, project: str, stack: str, stand_in: StandIn, *, preview: bool, seen: Callable[[str, str], None] | None
    ) -> None:
        self._prefix = f"urn:pulumi:{stack}::{project}::"
        self._stand_in = stand_in
        self._preview = preview
        self._seen = seen
        self._recorded: dict[str, Registration] = {}
        self._qualified: dict[int, str] = {}  # id of a resource → its type below its parents' types
        self._order: dict[str, int] = {}  # URN → when the program made it
        self._alive: list[pulumi.Resource] = []  # keeps the ids above from being given to another object

    def constructed(self, args: pulumi.ResourceTransformationArgs) -> None:
        """Called by the SDK as each resource is constructed, in the program's own order; changes nothing."""
        parent = args.opts.parent
        qualified = _below(self._qualified.get(id(parent), "") if parent is not None else "", args.type_)
        self._alive.append(args.resource)
        self._qualified[id(args.resource)] = qualified
        self._order.setdefault(f"{self._prefix}{qualified}::{args.name}", len(self._order))

    def registrations(self) -> tuple[Registration, ...]:
        children: dict[str | None, list[Registration]] = {}
        for registration in self._recorded.values():
            children.setdefault(registration.parent_urn, []).append(registration)
        last = len(self._order)
        for siblings in children.values():
            siblings.sort(key=lambda one: (self._order.get(one.urn, last), one.urn))
        walk: list[Registration] = []
        pending = list(reversed(children.get(None, [])))
        while pending:
            registration = pending.pop()
            walk.append(registration)
            pending.extend(reversed(children.get(registration.urn, [])))
        return tuple(walk)

    # The protocol's methods keep the names that the SDK calls.

    def RegisterResource(  # noqa: N802
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        urn = self._urn(request.parent, request.type, request.name)
        inputs = _plain(request.object)
        identifier, additions = self._stand_in.created(urn, inputs) if request.custom else ("", {})
        if self._preview:
            identifier, additions = "", unknown_additions(additions, inputs, rpc.UNKNOWN)
        state = _with(request.object, additions)
        self._keep(
            Registration(
                type=request.type,
                name=request.name,
                urn=urn,
                parent_urn=request.parent or None,
                custom=request.custom,
                inputs=inputs,
                outputs=_plain(state) if request.custom else None,
                dependencies=tuple(sorted(request.dependencies)),
                property_dependencies={
                    key: tuple(sorted(of.urns)) for key, of in sorted(request.propertyDependencies.items()) if of.urns
                },
                provider=request.provider or None,
                protect=request.protect,
                retain_on_delete=request.retainOnDelete,
                delete_before_replace=request.deleteBeforeReplace,
                deleted_with=request.deletedWith or None,
                aliases=(*map(_alias, request.aliases), *request.aliasURNs),
                ignore_changes=tuple(request.ignoreChanges),
                replace_on_changes=tuple(request.replaceOnChanges),
                additional_secret_outputs=tuple(request.additionalSecretOutputs),
                import_id=request.importId or None,
            )
        )
        return resource_pb2.RegisterResourceResponse(urn=urn, id=identifier, object=state)

    def ReadResource(  # noqa: N802
        self, request: resource_pb2.ReadResourceRequest
    ) -> resource_pb2.ReadResourceResponse:
        urn = self._urn(request.parent, request.type, request.name)
        inputs = _plain(request.properties)
        _, additions = self._stand_in.created(urn, inputs)
        self._keep(
            Registration(
                type=request.type,
                name=request.name,
                urn=urn,
                parent_urn=request.parent or None,
                custom=True,
                inputs=inputs,
                outputs={**inputs, **additions},
                dependencies=tuple(sorted(request.dependencies)),
                provider=request.provider or None,
                import_id=request.id,
                read=True,
            )
        )
        return resource_pb2.ReadResourceResponse(urn=urn, properties=_with(request.properties, additions))

    def RegisterResourceOutputs(  # noqa: N802
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        self._recorded[request.urn] = replace(self._recorded[request.urn], outputs=_plain(request.outputs))
        return empty_pb2.Empty()

    def Invoke(self, request: resource_pb2.ResourceInvokeRequest) -> resource_pb2.ResourceInvokeResponse:  # noqa: N802
        answer = self._stand_in.answer(request.tok, _plain(request.args))
        return resource_pb2.ResourceInvokeResponse(**{"return": _with(struct_pb2.Struct(), answer)})

    def GetDeploymentInfo(self, _request: empty_pb2.Empty) -> resource_pb2.DeploymentInfo:  # noqa: N802
        return resource_pb2.DeploymentInfo(
            supportedFeatures=[
                resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
                resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
                resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
                resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
            ]
        )

    def SignalAndWaitForShutdown(self, _request: empty_pb2.Empty) -> empty_pb2.Empty:  # noqa: N802
        return empty_pb2.Empty()

    def _urn(self, parent: str, token: str, name: str) -> str:
        qualified = parent.split("::")[2] if parent else ""
        return f"{self._prefix}{_below(qualified, token)}::{name}"

    def _keep(self, registration: Registration) -> None:
        if registration.urn in self._recorded:
            raise DuplicateUrnError(
                f"two resources are named {registration.name!r} with type {registration.type}: {registration.urn}"
            )
        self._recorded[registration.urn] = registration
        if self._seen is not None:
            self._seen(registration.type, registration.name)


def _below(qualified_parent: str, token: str) -> str:
    """A type as URNs have it: its parents' types before it, but for the stack's."""
    return token if qualified_parent in ("", STACK_TYPE) else f"{qualified_parent}${token}"


def _alias(alias: Any) -> str:
    if alias.urn:
        return str(alias.urn)
    return ",".join(f"{field.name}={value}" for field, value in alias.spec.ListFields() if value)


def _with(properties: struct_pb2.Struct, additions: Mapping[str, Any]) -> struct_pb2.Struct:
    """The wire form of the inputs, their secret marks kept, with a provider's additions."""
    merged = struct_pb2.Struct()
    merged.CopyFrom(properties)
    merged.update(additions)
    return merged


def _plain(value: Any) -> Any:
    """A protobuf Struct as JSON values: whole numbers as int, marked values in the form in which people read them."""
    if isinstance(value, struct_pb2.Struct):
        return _unmarked({key: _plain(item) for key, item in value.items()})
    if isinstance(value, struct_pb2.ListValue):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return "[unknown]" if value == rpc.UNKNOWN else value


def _unmarked(plain: dict[str, Any]) -> Any:
    signature = plain.pop(_SIGNATURE, None)
    if signature == _OF_SECRET:
        return "[secret]"  # as `pulumi preview` prints one
    if signature == _OF_RESOURCE:
        return plain["urn"]
    return plain  # an asset's or archive's text, path or uri says what it is
