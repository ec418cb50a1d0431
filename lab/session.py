"""One running lab: started from documents, changed with apply, stopped without trace; `lab.asking` sends its probes.

Lives inside the sandbox (`lab.netns`); from outside talk to it through `lab.control`. Blocking work (API, processes)
runs on a thread of its own, because meanwhile the event loop must answer DNS queries and requests.
"""

import asyncio
import ipaddress
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from lab import LabError, packet_filter, services
from lab.api import Api, ApiError
from lab.control_plane import ControlPlane
from lab.credentials import PUBLIC, Credentials
from lab.definitions import definitions
from lab.identity import key
from lab.kubelet import Kubelet
from lab.network import NODE, OUTSIDE, Network, mount_files
from lab.overlay import overlay
from lab.process import Processes
from lab.servers import Servers, serve_names
from lab.tools import Tools
from lab.world import DNS_ADDRESS, OUTSIDE_ADDRESS, POD_RANGE, Document, Workload, World, world

T = TypeVar("T")
ISTIOD: Final = "istiod"
# Kinds that must be there before others can refer to them or be admitted.
FIRST: Final = (
    "Namespace",
    "CustomResourceDefinition",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
)


@dataclass(slots=True)
class Session:
    """One lab. `report` hears what happens, a sentence at a time."""

    tools: Tools
    directory: Path
    report: Callable[[str], None] = lambda _: None
    pod_range: str = POD_RANGE
    enforcing: bool = True  # NetworkPolicies; off shows what the mesh alone turns away
    network: Network = field(default_factory=Network)
    credentials: Credentials = field(default_factory=Credentials)
    servers: Servers = field(default_factory=Servers)
    documents: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)  # objects of kinds that only operators we do not run would serve
    addresses: dict[str, str] = field(default_factory=dict)  # what DNS answers
    unready: dict[str, None] = field(default_factory=dict)  # pods that run and get no traffic: starting or draining
    twins: dict[str, str] = field(default_factory=dict)  # pods that replace others -> key of the first of them
    counter: int = 0  # of those
    spare: Iterator[str] = field(init=False)  # addresses for pods that come later
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "lab"))
    processes: Processes = field(init=False)
    plane: ControlPlane = field(init=False)
    api: Api = field(init=False)
    kubelet: Kubelet = field(init=False)
    world: World = field(init=False)

    def __post_init__(self) -> None:
        # From the range's end: those that documents name are handed out from its beginning.
        block = ipaddress.IPv4Network(self.pod_range)
        self.spare = (str(block[-number]) for number in range(10, block.num_addresses))
        self.processes = Processes(self.directory / "logs")
        self.plane = ControlPlane(
            self.tools, self.processes, self.directory / "control-plane", bind="0.0.0.0", addresses=(NODE,)
        )

    async def start(self, documents: Sequence[Document]) -> None:
        """From documents (rendered charts, compiled objects, inventory) to a mesh whose every proxy is ready."""
        began = time.monotonic()
        self.documents = overlay(documents)
        self.world = world(self.documents, pod_range=self.pod_range)
        await self.aside(self._start_network)
        await self.aside(self._start_control_plane)
        self.report(f"{time.monotonic() - began:5.1f} s  etcd and the API server are ready")
        await self._start_names()
        await self.aside(self._start_istiod)
        self.report(f"{time.monotonic() - began:5.1f} s  istiod is ready, its webhooks are on")
        await self.aside(lambda: self.write([d for d in self.documents if d["kind"] not in FIRST]))
        self.report(f"{time.monotonic() - began:5.1f} s  {len(self.documents) - len(self.skipped)} objects applied")
        await self._start_remotes()
        await self.start_workloads([w for w in self.world.workloads.values() if w.netns not in self.network.namespaces])
        self.report(f"{time.monotonic() - began:5.1f} s  {len(self.proxies())} proxies are ready")

    async def apply(self, documents: Sequence[Document]) -> None:
        """Add or change objects of a running lab, as Pulumi would, and bring the outside world up to date."""
        named = {key(each) for each in documents}
        changed = [d for d in overlay(documents) if key(d) in named]
        await self.aside(lambda: self.write(changed))
        replaced = {key(d) for d in changed}
        await self._refresh([*(d for d in self.documents if key(d) not in replaced), *changed])

    async def delete(self, documents: Sequence[Document]) -> None:
        """Remove objects of a running lab."""
        await self.aside(lambda: self.erase(documents))
        gone = {key(d) for d in documents}
        await self._refresh([d for d in self.documents if key(d) not in gone])

    async def enforce(self, enforcing: bool) -> None:  # noqa: FBT001  # it is the one thing said
        """Switch the enforcement of NetworkPolicies on or off."""
        self.enforcing = enforcing
        await self.aside(self._filter)

    async def stop(self) -> None:
        """Everything, whatever state it is in."""
        self.servers.close()
        self.processes.stop_all()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def proxies(self) -> list[str]:
        """Keys of the pods that have a proxy."""
        return [key for key, pod in self.kubelet.pods.items() if pod.proxy is not None]

    def resolve(self, name: str) -> str | None:
        """What the cluster's DNS answers; Service names also in their shorter forms."""
        for candidate in (name, f"{name}.svc.cluster.local", f"{name}.cluster.local"):
            if candidate in self.addresses:
                return self.addresses[candidate]
        return None

    # -- the steps of a start, on the session's thread

    async def aside(self, work: Callable[[], T]) -> T:
        """Blocking work on the session's own thread, one piece at a time."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _start_network(self) -> None:
        self.network.start()
        self.network.add_outside(OUTSIDE_ADDRESS)
        self.network.own([*self.world.client_ranges, *(f"{r.address}/32" for r in self.world.remotes.values())])
        mount_files(
            self.directory / "etc",
            {
                "/etc/resolv.conf": f"nameserver {DNS_ADDRESS}\nsearch svc.cluster.local cluster.local\n".encode(),
                "/etc/ssl/certs/ca-certificates.crt": self.credentials.authority(PUBLIC).certificate,
            },
        )

    def _start_control_plane(self) -> None:
        self.plane.start()
        self.api = self.plane.api()
        self.kubelet = Kubelet(self.tools, self.processes, self.api, self.directory / "pods")
        kinds = definitions(self.tools, self.documents)
        for definition in kinds:
            self.api.apply(definition)
        self.api.wait_established(kinds)
        first = [d for kind in FIRST for d in self.documents if d["kind"] == kind]
        self.write([d for d in first if d["kind"] != "CustomResourceDefinition"])
        self.write(list(self.credentials.secrets(self.world)))

    async def _start_names(self) -> None:
        """DNS is a pod like any other; what answers is this process."""
        dns = next((w for w in self.world.workloads.values() if w.labels.get("k8s-app") == "kube-dns"), None)
        if dns is None:
            raise LabError("the lab's documents hold no workload with the label k8s-app: kube-dns")
        await self.aside(lambda: self.create_pods([dns]))
        await self.aside(self.translate)
        await serve_names(dns.netns, "0.0.0.0", self.resolve)

    def _start_istiod(self) -> None:
        workloads = [w for w in self.world.workloads.values() if w.labels.get("app") == ISTIOD]
        if not workloads:
            raise LabError("the lab's documents hold no istiod Deployment: is its chart among the rendered ones?")
        for workload in workloads:
            self.create_pods([workload])
            self.run_istiod(workload)
        self.translate()
        self.wait_webhooks()

    def run_istiod(self, workload: Workload) -> None:
        """Its process, once the Pod exists, or again after it was killed; back when it is ready."""
        pod = self.kubelet.pods[workload.key]
        token = self.api.service_account_token(workload.namespace, workload.service_account, [])
        config = self.plane.kubeconfig_for(pod.directory / "kubeconfig", NODE, {"token": token})
        self.kubelet.start_container(pod, self.tools.built("pilot-discovery"), extra=["--kubeconfig", str(config)])
        self.processes.wait_until(pod.process, partial(answers, f"http://{workload.address}:8080/ready"))

    def wait_webhooks(self, seconds: float = 30.0) -> None:
        """Until istiod has written its root into each webhook, nothing can be admitted."""
        deadline = time.monotonic() + seconds
        kinds = {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}
        for document in [d for d in self.documents if d["kind"] in kinds]:
            while not all("caBundle" in w["clientConfig"] for w in (self.api.get(document) or {}).get("webhooks", ())):
                if time.monotonic() > deadline:
                    raise LabError(
                        f"istiod: {document['kind']} {document['metadata']['name']} has no caBundle after {seconds} s"
                    )
                time.sleep(0.05)

    async def start_workloads(self, workloads: Sequence[Workload]) -> None:
        """Pods, Services that lead to them, proxies, applications: endpoints first, or the first requests find none."""
        await self.aside(lambda: self.create_pods(workloads))
        await self.aside(self.translate)
        await self.aside(lambda: self._start_proxies(workloads))
        for workload in workloads:
            if workload.template["spec"]["containers"][0].get("image") != "auto":  # a gateway has no application
                for _, port in workload.ports:
                    await self.servers.add(workload.netns, "0.0.0.0", port, workload.key)
        await self.aside(lambda: self._wait_proxies(workloads))

    def create_pods(self, workloads: Sequence[Workload]) -> None:
        """Namespaces and Pods, which the webhook injects; no process yet."""
        for workload in workloads:
            self.kubelet.create(workload, self.network.add(workload.netns, workload.address))

    def remove_pod(self, workload: Workload) -> None:
        """Its processes, its network, its object; whoever leads to it leads elsewhere."""
        self.processes.stop(workload.netns)
        pod = self.kubelet.pods.pop(workload.key, None)  # none was admitted
        with suppress(LabError):
            self.network.remove(workload.netns)
        if pod is not None:
            self.api.delete(pod.document)
        self.world = replace(self.world, workloads={k: w for k, w in self.world.workloads.items() if k != workload.key})
        self.unready.pop(workload.key, None)
        self.translate()

    def _start_proxies(self, workloads: Sequence[Workload]) -> None:
        for pod in [self.kubelet.pods[w.key] for w in workloads]:
            if pod.proxy is not None:
                self.kubelet.intercept(pod)
                self.kubelet.start_proxy(pod)

    async def _start_remotes(self) -> None:
        for issuer, host, path in self.world.issuers:
            self.servers.fixed[host, path] = self.credentials.issuer(issuer).jwks()
        for remote in self.world.remotes.values():
            for port, protocol in remote.ports:
                if (remote.address, port) not in self.servers.running:
                    encrypted = protocol in {"HTTPS", "TLS"} or port in remote.tls
                    context = self.credentials.remote_context(remote, port) if encrypted else None
                    await self.servers.add(OUTSIDE, remote.address, port, remote.host, context)

    def _wait_proxies(self, workloads: Sequence[Workload]) -> None:
        for pod in [self.kubelet.pods[w.key] for w in workloads]:
            if pod.proxy is not None:
                self.processes.wait_until(
                    pod.process,
                    partial(answers, f"http://{pod.workload.address}:15021/healthz/ready"),
                    what="its Envoy is not ready",
                )

    # -- keeping the cluster's tables

    def write(self, documents: Sequence[Document]) -> None:
        """Server-side apply in order; kinds that the API server does not serve are noted and left out."""
        failures = []
        for document in documents:
            if not self.api.serves(document):
                self.skipped.append(
                    f"{document['kind']} {document['metadata'].get('namespace', '')}/{document['metadata']['name']}"
                )
                continue
            try:
                self.api.apply(document)
            except ApiError as error:
                failures.append(f"{document['kind']} {document['metadata']['name']}: {error.reason}")
        if failures:
            raise LabError(f"the API server refuses {len(failures)} objects:\n  " + "\n  ".join(failures))

    def erase(self, documents: Sequence[Document]) -> None:
        """Delete in order."""
        for document in documents:
            self.api.delete(document)

    async def surround(self, documents: Sequence[Document]) -> None:
        """All that documents suppose of the world around them, without writing them."""
        named = {key(each) for each in documents}
        added = [d for d in overlay(documents) if key(d) in named]
        replaced = {key(d) for d in added}
        await self._refresh([*(d for d in self.documents if key(d) not in replaced), *added])

    async def _refresh(self, documents: list[dict[str, Any]]) -> None:
        self.documents = documents
        fresh = world(documents, pod_range=self.pod_range)
        new = {
            key: replace(w, address=next(self.spare))
            for key, w in fresh.workloads.items()
            if key not in self.world.workloads
        }
        self.world = replace(
            fresh,
            workloads={**self.world.workloads, **new},  # who runs keeps its address
            remotes={**fresh.remotes, **self.world.remotes},
            balancers={**fresh.balancers, **self.world.balancers},
            client_ranges=tuple(dict.fromkeys([*self.world.client_ranges, *fresh.client_ranges])),
            stranger=self.world.stranger,
        )
        await self.aside(lambda: self.write(list(self.credentials.secrets(self.world))))
        await self.aside(
            lambda: self.network.own(
                [*self.world.client_ranges, *(f"{r.address}/32" for r in self.world.remotes.values())]
            )
        )
        await self.aside(self.translate)
        await self._start_remotes()

    def translate(self) -> None:
        """Service addresses, load balancers, EndpointSlices and DNS, from the Services as the API server has them."""
        running = {w.key for w in self.world.workloads.values() if w.netns in self.network.namespaces}
        declared = [d for d in self.documents if d["kind"] == "Service"]
        tables = services.tables(self.world, declared, self.api.get, running - self.unready.keys())
        for slice_ in tables.slices:
            self.api.apply(slice_)
        self.network.translate(tables.translation)
        self.addresses = tables.names
        self._filter()

    def _filter(self) -> None:
        running = [w for w in self.world.workloads.values() if w.netns in self.network.namespaces]
        judged = [d for d in self.documents if d["kind"].startswith(("NetworkPolicy", "GlobalNetworkPolicy"))]
        known = packet_filter.cluster(self.documents, running)
        links = {w.key: self.network.link(w.netns) for w in running}
        self.network.filter(packet_filter.program(judged if self.enforcing else [], known, links))


def answers(url: str) -> bool:
    """Whether a GET says 200; OSError while nobody listens."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return int(response.status) == 200
    except urllib.error.HTTPError:
        return False
