"""etcd, the API server and, where wanted, the controller manager: a Kubernetes control plane of native processes."""

import base64
import json
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.api import Api
from lab.pki import Authority, signing_key
from lab.process import Processes
from lab.tools import Tools

SERVICE_RANGE: Final = "10.96.0.0/16"
ISSUER: Final = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the two listen. In a sandbox the usual numbers, outside one whatever is free."""

    etcd: int = 2379
    peer: int = 2380
    api: int = 6443

    @classmethod
    def free(cls) -> "Ports":
        """Three that nobody uses at this moment on loopback."""
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        ports = [s.getsockname()[1] for s in sockets]
        for s in sockets:
            s.close()
        return cls(*ports)


@dataclass(slots=True)
class ControlPlane:
    """Its files are in `directory`; `bind` and `addresses` say where the API server can be reached."""

    tools: Tools
    processes: Processes
    directory: Path
    ports: Ports = Ports()
    bind: str = "127.0.0.1"
    addresses: tuple[str, ...] = ("127.0.0.1",)

    @property
    def pki(self) -> Path:
        """Certificates and keys of this cluster."""
        return self.directory / "pki"

    @property
    def kubeconfig(self) -> Path:
        """For kubectl and istioctl as administrator."""
        return self.directory / "kubeconfig"

    def start(self) -> None:
        """From nothing to a ready API server, about three seconds."""
        self._credentials()
        self.start_etcd()
        self.start_api_server()

    def start_etcd(self) -> None:
        """Without fsync: nothing here survives the lab."""
        client, peer = f"http://127.0.0.1:{self.ports.etcd}", f"http://127.0.0.1:{self.ports.peer}"
        self.processes.start(
            "etcd",
            [
                self.tools.etcd,
                "--data-dir",
                self.directory / "etcd",
                "--listen-client-urls",
                client,
                "--advertise-client-urls",
                client,
                "--listen-peer-urls",
                peer,
                "--initial-advertise-peer-urls",
                peer,
                "--initial-cluster",
                f"default={peer}",
                "--unsafe-no-fsync",
                "--log-level",
                "warn",
            ],
        )
        self.processes.wait_until("etcd", lambda: _listens(self.ports.etcd))

    def start_api_server(self) -> None:
        """Start, or start again after it was killed."""
        pki = self.pki
        self.processes.start(
            "kube-apiserver",
            [
                self.tools.built("kube-apiserver"),
                f"--etcd-servers=http://127.0.0.1:{self.ports.etcd}",
                f"--bind-address={self.bind}",
                f"--secure-port={self.ports.api}",
                f"--advertise-address={self.addresses[0]}",
                "--endpoint-reconciler-type=none",  # it would refuse a loopback address
                f"--tls-cert-file={pki}/apiserver.crt",
                f"--tls-private-key-file={pki}/apiserver.key",
                f"--client-ca-file={pki}/ca.crt",
                "--authorization-mode=RBAC",
                "--anonymous-auth=false",
                f"--service-account-issuer={ISSUER}",
                f"--api-audiences={ISSUER}",
                f"--service-account-key-file={pki}/sa.pub",
                f"--service-account-signing-key-file={pki}/sa.key",
                f"--service-cluster-ip-range={SERVICE_RANGE}",
                # It waits for a token controller and for default accounts, which only a controller manager makes.
                "--disable-admission-plugins=ServiceAccount",
                "--enable-priority-and-fairness=false",
                "--profiling=false",
                "--v=1",
            ],
        )
        api = self.api()
        self.processes.wait_until("kube-apiserver", api.ready)
        api.close()

    def start_controller_manager(self, controllers: str = "namespace-controller") -> None:
        """Needed where namespaces are deleted: nobody else empties them."""
        self.processes.start(
            "kube-controller-manager",
            [
                self.tools.built("kube-controller-manager"),
                f"--kubeconfig={self.kubeconfig}",
                f"--controllers={controllers}",
                "--leader-elect=false",
                "--secure-port=0",
                "--use-service-account-credentials=false",
            ],
        )

    def api(self) -> Api:
        """The cluster as its administrator."""
        context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        context.load_cert_chain(self.pki / "admin.crt", self.pki / "admin.key")
        return Api("127.0.0.1", self.ports.api, context)

    def kubeconfig_for(self, path: Path, address: str, user: Mapping[str, str]) -> Path:
        """A kubeconfig by which a user (`token` or client certificate fields) reaches the API server at `address`."""
        authority = base64.b64encode((self.pki / "ca.crt").read_bytes()).decode()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "lab",
                    "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "user"}}],
                    "clusters": [
                        {
                            "name": "lab",
                            "cluster": {
                                "server": f"https://{address}:{self.ports.api}",
                                "certificate-authority-data": authority,
                            },
                        }
                    ],
                    "users": [{"name": "user", "user": dict(user)}],
                }
            )
        )
        path.chmod(0o600)
        return path

    def _credentials(self) -> None:
        authority = Authority.create("lab-kubernetes")
        self.pki.mkdir(parents=True, exist_ok=True)
        os.chmod(self.pki, 0o700)
        (self.pki / "ca.crt").write_bytes(authority.certificate)
        names = [
            *self.addresses,
            "127.0.0.1",
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
        ]
        authority.issue("kube-apiserver", list(dict.fromkeys(names))).write(self.pki, "apiserver")
        certificate, key = authority.issue("lab-admin", organization="system:masters").write(self.pki, "admin")
        private, public = signing_key()
        (self.pki / "sa.key").write_bytes(private)
        (self.pki / "sa.pub").write_bytes(public)
        self.kubeconfig_for(
            self.kubeconfig,
            "127.0.0.1",
            {
                "client-certificate-data": base64.b64encode(certificate.read_bytes()).decode(),
                "client-key-data": base64.b64encode(key.read_bytes()).decode(),
            },
        )


def _listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
