"""Certificates that rotate under load: a partner's authority, our server and client certificates, workloads' own."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from lab.credentials import OURS
from lab.drive import Caller, streams
from lab.ground import Ground
from lab.load import Stream
from lab.pki import Authority
from lab.probe import ClientCertificate

Document = dict[str, Any]


@dataclass(slots=True)
class Rotation:
    """One partner's change of authority, and what else rotates meanwhile."""

    ground: Ground
    caller: Caller
    secret: Document  # as it was
    authority: Authority = field(default_factory=lambda: Authority.create("Lab successor"))
    serials: dict[str, str] = field(default_factory=dict)  # workload certificates when the case began, by pod

    @classmethod
    def of(cls, ground: Ground) -> Self:
        """The rotation that this case is about, the same one as long as it is played."""
        if "rotation" not in ground.kept:
            caller = next(c for c in ground.callers_of(ground.changing) if c.direction == "in")
            certificate = caller.probe.certificate
            assert certificate is not None  # a partner over HTTP shows one
            namespace, name = certificate.authority.split("/")
            made = cls(ground, caller, _read(ground, namespace, name))
            made.serials = dict(made._workloads())
            ground.kept["rotation"] = made
        found: Self = ground.kept["rotation"]
        return found

    def subjects(self) -> Iterator[Stream]:
        """The partner with its old and with its new certificate."""
        certificate = self.caller.probe.certificate
        assert certificate is not None
        pair = self.authority.issue("lab client", certificate.names)
        path = self.ground.lab.directory / "clients" / "successor.pem"
        path.touch(mode=0o600)
        path.write_bytes(pair.certificate + pair.key)
        for stream in streams(self.ground.lab, self.ground.hosts, [self.caller], "subject"):
            how = "kept" if stream.reuse else "fresh"
            yield replace(stream, name=f"{self.caller.name} old ({how})")
            yield replace(stream, name=f"{self.caller.name} new ({how})", certificate=str(path))

    def accept_both(self) -> float:
        """Our new server certificate, and both authorities of the partner; when that was written (monotonic clock)."""
        return self._write(_decoded(self.secret, "ca.crt") + self.authority.certificate)

    def accept_new_only(self) -> float:
        """The old authority is trusted no more; when that was written."""
        return self._write(self.authority.certificate)

    def _write(self, roots: bytes) -> float:
        host = self.caller.probe.host
        pair = Authority.create("Lab public successor").issue(host, [host])
        data = {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": roots}
        return self._put(self.secret, data)

    def _put(self, secret: Document, data: dict[str, bytes]) -> float:
        encoded = {name: base64.b64encode(value).decode() for name, value in data.items()}
        metadata = {name: secret["metadata"][name] for name in ("name", "namespace")}
        document = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": encoded}
        began, _ = self.ground.lab.operate("write", [document])
        return float(began)

    def renew_ours(self) -> int:
        """Every client certificate that we show partners, issued anew; how many."""
        names = dict.fromkeys(
            (rule["metadata"]["namespace"], settings["credentialName"])
            for rule in self.ground.documents if rule["kind"] == "DestinationRule"
            for settings in _tls(rule) if settings.get("mode") == "MUTUAL" and "credentialName" in settings
        )  # fmt: skip
        for namespace, name in names:
            shown = ClientCertificate(OURS, (f"{name}.clients.invalid",))
            pem = Path(self.ground.lab.certificate(shown, f"renewed-{name}")).read_bytes()
            end = pem.index(b"-----END CERTIFICATE-----") + len(b"-----END CERTIFICATE-----\n")
            secret = _read(self.ground, namespace, name)
            self._put(secret, {"tls.crt": pem[:end], "tls.key": pem[end:], "ca.crt": _decoded(secret, "ca.crt")})
        return len(names)

    def workload_certificates(self) -> str:
        """How many proxies have another workload certificate than when the case began."""
        now = dict(self._workloads())
        renewed = [pod for pod, serial in self.serials.items() if now.get(pod) not in (None, serial)]
        return f"{len(renewed)} of {len(self.serials)} workload certificates were renewed meanwhile"

    def _workloads(self) -> Iterator[tuple[str, str]]:
        for pod in self.ground.lab.status()["proxies"]:
            shown = json.loads(self.ground.lab.operate("envoy", {"pod": pod, "path": "/certs"}))
            for each in shown.get("certificates", ()):
                for chain in each.get("cert_chain", ()):
                    if any(name.get("uri", "").startswith("spiffe://") for name in chain.get("subject_alt_names", ())):
                        yield pod, chain["serial_number"]


def _read(ground: Ground, namespace: str, name: str) -> Document:
    identity = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}}
    found: Document = ground.lab.operate("read", identity)
    return found


def _decoded(secret: Document, name: str) -> bytes:
    return base64.b64decode(secret["data"][name])


def _tls(rule: Document) -> Iterator[dict[str, Any]]:
    policy = rule["spec"].get("trafficPolicy", {})
    for level in [policy, *policy.get("portLevelSettings", ())]:
        if "tls" in level:
            yield level["tls"]
