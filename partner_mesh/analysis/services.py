"""What a Service, an Ingress and their ports say of themselves."""

from collections.abc import Iterator, Mapping
from typing import Any

from partner_mesh.analysis.resources import Resource, string_map
from partner_mesh.analysis.sets import PROTOCOLS
from partner_mesh.analysis.written import mapping, mappings, port_number
from partner_mesh.model.record import dataclass


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service. `target` is a number or the name of a container port."""

    name: str
    port: int
    protocol: str
    target: int | str
    app_protocol: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """A Service as the registry knows it. `selector` is None where it has none: then nothing says where it leads."""

    namespace: str
    name: str
    resource: Resource
    selector: Mapping[str, str] | None
    ports: tuple[ServicePort, ...]
    headless: bool = False
    external_name: str = ""

    @property
    def host(self) -> str:
        """Its full DNS name."""
        return f"{self.name}.{self.namespace}.svc.cluster.local"


def service_of(resource: Resource) -> Service:
    """A core Service as an object."""
    spec = resource.spec
    selector = spec.get("selector")
    ports: list[ServicePort] = []
    for port in mappings(spec.get("ports")):
        number = port_number(port.get("port"))
        if number is not None:
            protocol = str(port.get("protocol") or "TCP").upper()
            written = port.get("targetPort") or number
            target = port_number(written) or str(written)
            ports.append(
                ServicePort(
                    str(port.get("name") or ""),
                    number,
                    protocol if protocol in PROTOCOLS else "TCP",
                    target,
                    str(port.get("appProtocol") or ""),
                )
            )
    return Service(
        resource.namespace,
        resource.name,
        resource,
        string_map(selector) if isinstance(selector, Mapping) else None,
        tuple(ports),
        spec.get("clusterIP") == "None",
        str(spec.get("externalName") or "") if spec.get("type") == "ExternalName" else "",
    )


def ingress_services(spec: Mapping[str, Any]) -> Iterator[tuple[str, int | str | None]]:
    """(Service, port number or name) of each backend, in both shapes that Ingress has had."""
    backends = [spec.get("defaultBackend") or spec.get("backend")]
    for rule in mappings(spec.get("rules")):
        backends += [path.get("backend") for path in mappings(mapping(rule.get("http")).get("paths"))]
    for backend in backends:
        if not isinstance(backend, Mapping):
            continue
        service = backend.get("service")
        if isinstance(service, Mapping) and service.get("name"):
            port = mapping(service.get("port"))
            yield str(service["name"]), _port(port.get("name") or port.get("number"))
        elif backend.get("serviceName"):  # extensions/v1beta1
            yield str(backend["serviceName"]), _port(backend.get("servicePort"))


def _port(written: Any) -> int | str | None:
    """A port by number or by name."""
    return None if written is None else port_number(written) or str(written)
