"""A small client of the Kubernetes API: server-side apply and the few calls a kubelet makes, over one connection."""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import quote

from lab import LabError

FIELD_MANAGER: Final = "partner-mesh-lab"
Document = Mapping[str, Any]


class ApiError(LabError):
    """The API server's own refusal: `status` is the HTTP status, `reason` its words."""

    def __init__(self, status: int, reason: str, what: str) -> None:
        super().__init__(f"{what}: {reason}")
        self.status = status
        self.reason = reason


@dataclass(slots=True)
class Api:
    """One cluster as one caller. Not for use from several threads."""

    address: str
    port: int
    context: ssl.SSLContext
    token: str | None = None
    _connection: http.client.HTTPSConnection | None = None
    _resources: dict[str, dict[str, tuple[str, bool]]] = field(
        default_factory=dict
    )  # apiVersion -> kind -> plural, namespaced

    def apply(self, document: Document, *, dry_run: bool = False) -> dict[str, Any]:
        """Server-side apply, as Pulumi and kubectl do it; conflicts with other managers are errors."""
        query = f"fieldManager={FIELD_MANAGER}&fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        return self.call("PATCH", f"{self.path(document)}?{query}", document, "application/apply-patch+yaml")

    def create(self, document: Document) -> dict[str, Any]:
        """POST: admission may change the object, which is what comes back."""
        return self.call("POST", self.path(document).rpartition("/")[0], document)

    def delete(self, document: Document) -> None:
        """Delete at once; an object that is not there is no error."""
        try:
            self.call("DELETE", f"{self.path(document)}?gracePeriodSeconds=0")
        except ApiError as error:
            if error.status != 404:
                raise

    def get(self, document: Document) -> dict[str, Any] | None:
        """The object as the server has it, or None."""
        try:
            return self.call("GET", self.path(document))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def status(self, document: Document, status: Document) -> None:
        """Set the status subresource."""
        self.call("PATCH", f"{self.path(document)}/status", {"status": status}, "application/merge-patch+json")

    def service_account_token(self, namespace: str, name: str, audiences: Sequence[str], seconds: int = 43200) -> str:
        """A token as a projected volume would hold it. No audience: the API server's own."""
        answer = self.call(
            "POST",
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"audiences": list(audiences), "expirationSeconds": seconds},
            },
        )
        return cast(str, answer["status"]["token"])

    def ready(self) -> bool:
        """Whether /readyz says ok; OSError while nobody listens."""
        status, _ = self._exchange("GET", "/readyz", None, None)
        return status == 200

    def wait_established(self, definitions: Sequence[Document], seconds: float = 60.0) -> None:
        """Until every custom resource definition is served."""
        deadline = time.monotonic() + seconds
        for definition in definitions:
            while not _established(self.get(definition)):
                if time.monotonic() > deadline:
                    raise LabError(
                        f"kube-apiserver: {definition['metadata']['name']} is not established after {seconds:.0f} s"
                    )
                time.sleep(0.05)
        self._resources.clear()

    def path(self, document: Document) -> str:
        """The URL path of a document's object."""
        version, kind, metadata = document["apiVersion"], document["kind"], document["metadata"]
        plural, namespaced = self._resource(version, kind)
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if namespaced:
            root += f"/namespaces/{metadata.get('namespace', 'default')}"
        return f"{root}/{plural}/{quote(metadata['name'])}"

    def serves(self, document: Document) -> bool:
        """Whether the server knows the document's kind."""
        try:
            self._resource(document["apiVersion"], document["kind"])
        except ApiError:
            return False
        return True

    def _resource(self, version: str, kind: str) -> tuple[str, bool]:
        if kind not in self._resources.get(version, {}):
            root = f"/apis/{version}" if "/" in version else f"/api/{version}"
            listed = self.call("GET", root)
            self._resources[version] = {
                entry["kind"]: (entry["name"], entry["namespaced"])
                for entry in listed["resources"]
                if "/" not in entry["name"]
            }
        if kind not in self._resources[version]:
            raise ApiError(404, f"the API server does not serve {kind} in {version}", f"{version} {kind}")
        return self._resources[version][kind]

    def call(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> dict[str, Any]:
        """One exchange as JSON; ApiError for any status of 400 and above."""
        status, answer = self._exchange(method, path, None if body is None else json.dumps(body).encode(), content_type)
        if status >= 400:
            raise ApiError(status, _message(answer), f"{method} {path.partition('?')[0]}")
        return cast(dict[str, Any], json.loads(answer)) if answer else {}

    def _exchange(self, method: str, path: str, body: bytes | None, content_type: str | None) -> tuple[int, bytes]:
        headers = {"Accept": "application/json"}
        if content_type is not None and body is not None:
            headers["Content-Type"] = content_type
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        for last in (False, True):
            connection = self._connected()
            try:
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                return response.status, response.read()
            except (http.client.HTTPException, OSError):
                self.close()
                if last:
                    raise
        raise AssertionError("unreachable")

    def _connected(self) -> http.client.HTTPSConnection:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(self.address, self.port, context=self.context, timeout=30)
            self._connection.connect()
            # Without it every request waits for the peer's delayed acknowledgement, 40 ms.
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._connection

    def close(self) -> None:
        """Drop the connection; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _established(definition: Mapping[str, Any] | None) -> bool:
    # A definition that was just made has `conditions: null`.
    conditions = (definition or {}).get("status", {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def _message(answer: bytes) -> str:
    try:
        return str(json.loads(answer).get("message", answer.decode(errors="replace")))
    except ValueError:
        return answer.decode(errors="replace").strip()
