"""An API server with Istio's kinds and istiod's validating webhook, on loopback and free ports: what tier 2 applies to.

Needs neither root nor a sandbox. istiod runs without proxies here; the webhook reaches it by URL, so its certificate
names `localhost` (ISTIOD_CUSTOM_HOST).
"""

import base64
import socket
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from lab.api import Api, ApiError
from lab.control_plane import ControlPlane, Ports
from lab.definitions import definitions
from lab.home import NEEDED, require_room
from lab.process import Processes
from lab.tools import Tools

Document = Mapping[str, Any]
ROOT: Final = "istio-system"
PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
# Kinds that others refer to come first; the order inside a kind is the documents' own.
FIRST: Final = ("Namespace", "CustomResourceDefinition", "ServiceAccount", "ConfigMap", "Secret", "Service")


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a set of documents. Each entry names an object as `<kind> <namespace>/<name>`."""

    accepted: tuple[str, ...]
    unserved: tuple[str, ...]  # of kinds that only operators bring which do not run here
    refused: tuple[tuple[str, str], ...]  # object and the API server's or webhook's reason
    content: Mapping[str, Any]  # each accepted object as the server has it, without status and versions


@dataclass(slots=True)
class Cluster:
    """A context manager; `mesh` is istiod's mesh configuration as YAML."""

    tools: Tools
    directory: Path
    mesh: str = ""
    documents: Sequence[Document] = ()  # what it will hold: they say which kinds it must serve
    processes: Processes = field(init=False)
    plane: ControlPlane = field(init=False)
    api: Api = field(init=False)

    def __post_init__(self) -> None:
        self.processes = Processes(self.directory / "logs")
        self.plane = ControlPlane(self.tools, self.processes, self.directory / "control-plane", Ports.free())

    def __enter__(self) -> Self:
        require_room(self.directory, NEEDED)
        try:
            self._start()
        except BaseException:
            self.processes.stop_all()
            require_room(self.directory)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.processes.stop_all()

    def apply(self, documents: Sequence[Document], *, dry_run: bool = False) -> Applied:
        """Server-side apply of all, in an order in which they can be admitted; nothing is raised for refusals."""
        accepted, unserved, refused, content = [], [], [], {}
        ranked = sorted(documents, key=lambda d: FIRST.index(d["kind"]) if d["kind"] in FIRST else len(FIRST))
        for document in ranked:
            name = described(document)
            if not self.api.serves(document):
                unserved.append(name)
                continue
            try:
                answer = self.api.apply(document, dry_run=dry_run and document["kind"] != "Namespace")
            except ApiError as error:
                refused.append((name, error.reason))
                continue
            accepted.append(name)
            content[name] = _content(answer)
        return Applied(tuple(accepted), tuple(unserved), tuple(refused), content)

    def _start(self) -> None:
        self.plane.start()
        self.api = self.plane.api()
        kinds = definitions(self.tools, self.documents)
        for definition in kinds:
            self.api.apply(definition)
        self.api.wait_established(kinds)
        self.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ROOT}})
        self._start_istiod()

    def _start_istiod(self) -> None:
        http, https, grpc, secure, monitoring = _free_ports(5)
        home = self.directory / "istiod"
        (home / "etc/istio/config").mkdir(parents=True, exist_ok=True)
        (home / "etc/istio/config/mesh").write_text(self.mesh)
        environment = {
            "POD_NAMESPACE": ROOT, "POD_NAME": "istiod-0", "CLUSTER_ID": "Kubernetes", "REVISION": "default",
            "ISTIOD_CUSTOM_HOST": "localhost", "INJECTION_WEBHOOK_CONFIG_NAME": "",
            "VALIDATION_WEBHOOK_CONFIG_NAME": "", "ENABLE_LEADER_ELECTION": "false", "PATH": PATH, "HOME": str(home),
        }  # fmt: skip
        self.processes.start(
            "istiod",
            [
                self.tools.built("pilot-discovery"), "discovery", "--kubeconfig", self.plane.kubeconfig,
                "--meshConfig", home / "etc/istio/config/mesh", "--httpAddr", f"127.0.0.1:{http}",
                "--httpsAddr", f"127.0.0.1:{https}", "--grpcAddr", f"127.0.0.1:{grpc}",
                "--secureGRPCAddr", f"127.0.0.1:{secure}", "--monitoringAddr", f"127.0.0.1:{monitoring}",
                "--ctrlz_port", "0",
            ],
            env=environment, cwd=home,
        )  # fmt: skip
        self.processes.wait_until("istiod", lambda: _ok(f"http://127.0.0.1:{http}/ready"))
        self.processes.wait_until("istiod", lambda: self._root() is not None, what="it published no root certificate")
        root = self._root() or ""
        self.api.apply(_webhook(f"https://localhost:{https}/validate", root))

    def _root(self) -> str | None:
        published = self.api.get(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio-ca-root-cert", "namespace": ROOT}}
        )
        return None if published is None else str(published["data"]["root-cert.pem"])


def _content(answer: Document) -> dict[str, Any]:
    """What an apply is answerable for: controllers write status, every write moves versions."""
    metadata = {key: v for key, v in answer["metadata"].items() if key not in {"resourceVersion", "managedFields"}}
    return {key: value for key, value in answer.items() if key != "status"} | {"metadata": metadata}


def described(document: Document) -> str:
    """An object as messages name it."""
    metadata = document["metadata"]
    return f"{document['kind']} " + "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))


def _webhook(url: str, root: str) -> dict[str, Any]:
    """The chart's ValidatingWebhookConfiguration, with a URL in place of a Service, and closed on failure."""
    groups = ["security.istio.io", "networking.istio.io", "telemetry.istio.io", "extensions.istio.io"]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "istio-validator"},
        "webhooks": [{
            "name": "validation.istio.io", "failurePolicy": "Fail", "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "clientConfig": {"url": url, "caBundle": base64.b64encode(root.encode()).decode()},
            "rules": [
                {"operations": ["CREATE", "UPDATE"], "apiGroups": groups, "apiVersions": ["*"], "resources": ["*"]}
            ],
        }],
    }  # fmt: skip


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def _ok(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=2) as response:
        return int(response.status) == 200
