"""The part of a kubelet that the lab plays: a Pod of the API server becomes processes of this machine.

A Pod is created from its workload's template, so istiod's webhook injects it as in a cluster. The injected Pod is then
taken at its word: the init container's arguments set up interception, the proxy container's arguments and environment
start pilot-agent, its volumes become files. Only what a container image would supply is ours: where Envoy and the
bootstrap template are, and that proxies run with group 1337 (not user 1337, who could not read root's cache).
"""

import base64
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lab import LabError
from lab.api import Api
from lab.network import NODE
from lab.process import Processes
from lab.tools import Tools
from lab.world import Workload

PROXY_GROUP: Final = 1337
PROXY_CONTAINER: Final = "istio-proxy"
CNI_ONLY: Final = frozenset(
    {"--run-validation", "--skip-rule-apply"}
)  # with these the CNI plugin sets the rules; here we do
BOOTSTRAP_OVERRIDE: Final = "ISTIO_BOOTSTRAP_OVERRIDE"  # a file of the Pod, named by its absolute path in a container
PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"

_VARIABLE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
_MAP_FIELD = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


@dataclass(slots=True)
class Pod:
    """One running Pod: its document as the API server has it, and where its files are."""

    workload: Workload
    document: Mapping[str, Any]
    netns: Path
    directory: Path

    @property
    def proxy(self) -> Mapping[str, Any] | None:
        """The proxy's container, if the Pod was injected; a native sidecar is among the init containers."""
        spec = self.document["spec"]
        for container in [*spec.get("initContainers", ()), *spec["containers"]]:
            if container["name"] == PROXY_CONTAINER and container.get("args"):
                return dict(container)
        return None

    @property
    def process(self) -> str:
        """What the Pod's process is called in messages."""
        return self.workload.netns


@dataclass(slots=True)
class Kubelet:
    """Starts and stops Pods."""

    tools: Tools
    processes: Processes
    api: Api
    directory: Path
    pods: dict[str, Pod] = field(default_factory=dict)

    def create(self, workload: Workload, netns: Path) -> Pod:
        """The Pod in the API server, injected if the cluster says so, with its address in its status."""
        template = workload.template
        document = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                **{k: v for k, v in template.get("metadata", {}).items() if k in {"labels", "annotations"}},
                "name": f"{workload.name}-0",
                "namespace": workload.namespace,
            },
            "spec": {**template["spec"], "nodeName": "lab", "serviceAccountName": workload.service_account},
        }
        admitted = self.api.create(document)
        conditions = [
            {"type": kind, "status": "True"} for kind in ("Initialized", "PodScheduled", "ContainersReady", "Ready")
        ]
        status = {
            "phase": "Running",
            "hostIP": NODE,
            "podIP": workload.address,
            "podIPs": [{"ip": workload.address}],
            "conditions": conditions,
        }
        self.api.status(document, status)
        pod = Pod(workload, {**admitted, "status": status}, netns, self.directory / workload.netns)
        self.pods[workload.key] = pod
        return pod

    def intercept(self, pod: Pod) -> None:
        """Run the init container that redirects the Pod's traffic to its proxy; none for gateways."""
        for container in pod.document["spec"].get("initContainers", ()):
            arguments = [a for a in container.get("args", ()) if a not in CNI_ONLY]
            if not arguments or arguments[0] != "istio-iptables":
                continue
            name = f"{pod.process}-init"
            process = self.processes.start(
                name,
                [self.tools.built("pilot-agent"), *arguments, "-g", str(PROXY_GROUP)],
                env={"PATH": PATH, **self._environment(pod, container)},
                netns=pod.netns,
            )
            if process.popen.wait() != 0:
                raise process.failure("cannot set up interception")
            del self.processes.running[name]

    def start_proxy(self, pod: Pod) -> None:
        """pilot-agent with Envoy as the injected container describes it."""
        container = pod.proxy
        if container is None:
            raise LabError(
                f"{pod.workload.key}: the Pod was not injected: its namespace's or its own labels name no revision"
            )
        self._mount(pod, container)
        environment = self._environment(pod, container)
        # What the image has at fixed places.
        config = json.loads(environment.get("PROXY_CONFIG", "{}"))
        config |= {"binaryPath": str(self.tools.envoy), "configPath": "./etc/istio/proxy"}
        environment["PROXY_CONFIG"] = json.dumps(config)
        if (override := environment.get(BOOTSTRAP_OVERRIDE)) is not None:
            environment[BOOTSTRAP_OVERRIDE] = str(pod.directory / override.strip("/"))
        self.processes.start(
            pod.process,
            [
                self.tools.built("pilot-agent"),
                *_expanded(container["args"], environment),
                f"--templateFile={self.tools.bootstrap}",
            ],
            env={"PATH": PATH, "HOME": str(pod.directory), **environment},
            cwd=pod.directory,
            netns=pod.netns,
            gid=PROXY_GROUP,
        )

    def start_container(
        self, pod: Pod, program: Path, *, extra: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> None:
        """The Pod's first container as a process: istiod."""
        container = pod.document["spec"]["containers"][0]
        self._mount(pod, container)
        environment = {**self._environment(pod, container), **(env or {})}
        self.processes.start(
            pod.process,
            [program, *_expanded(container.get("args", ()), environment), *extra],
            env={"PATH": PATH, "HOME": str(pod.directory), **environment},
            cwd=pod.directory,
            netns=pod.netns,
        )

    def _mount(self, pod: Pod, container: Mapping[str, Any]) -> None:
        """The container's volumes as files below the Pod's directory: Istio's programs use paths relative to theirs."""
        volumes = {volume["name"]: volume for volume in pod.document["spec"].get("volumes", ())}
        pod.directory.mkdir(parents=True, exist_ok=True)
        for mount in container.get("volumeMounts", ()):
            target = pod.directory / mount["mountPath"].strip("/")
            target.mkdir(parents=True, exist_ok=True)
            for name, content in self._content(pod, volumes.get(mount["name"], {})):
                (target / name).write_text(content)

    def _content(self, pod: Pod, volume: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for source in [volume, *volume.get("projected", {}).get("sources", ())]:
            if (token := source.get("serviceAccountToken")) is not None:
                audiences = [token["audience"]] if "audience" in token else []
                yield (
                    token["path"],
                    self.api.service_account_token(pod.workload.namespace, pod.workload.service_account, audiences),
                )
            for item in source.get("downwardAPI", {}).get("items", ()):
                yield item["path"], _map_file(pod.document["metadata"], item["fieldRef"]["fieldPath"])
            if "configMap" in source:
                yield from self._config_map(
                    pod, source["configMap"]["name"], optional=source["configMap"].get("optional", False)
                )

    def _config_map(self, pod: Pod, name: str, *, optional: bool) -> Iterable[tuple[str, str]]:
        found = self.api.get(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": pod.workload.namespace}}
        )
        if found is None and not optional:
            raise LabError(f"{pod.workload.key}: its volume needs ConfigMap {name}, which does not exist")
        data: dict[str, str] = (found or {}).get("data", {})
        return data.items()

    def _environment(self, pod: Pod, container: Mapping[str, Any]) -> dict[str, str]:
        environment: dict[str, str] = {}
        for variable in container.get("env") or ():
            source = variable.get("valueFrom")
            value: str | None = variable.get("value", "")
            if source is not None and "secretKeyRef" in source:
                value = self._secret_key(pod, source["secretKeyRef"])
            elif source is not None:
                value = _value_from(pod.document, source, container)
            if value is not None:
                environment[variable["name"]] = _expanded([value], environment)[0]
        return environment

    def _secret_key(self, pod: Pod, reference: Mapping[str, Any]) -> str | None:
        """A Secret's value; None where it is missing and may be."""
        metadata = {"name": reference["name"], "namespace": pod.workload.namespace}
        found = self.api.get({"apiVersion": "v1", "kind": "Secret", "metadata": metadata}) or {}
        if (value := found.get("data", {}).get(reference["key"])) is not None:
            return base64.b64decode(value).decode()
        if reference.get("optional"):
            return None
        raise LabError(f"{pod.workload.key}: its environment needs {reference['key']} of Secret {reference['name']}")


def _value_from(pod: Mapping[str, Any], source: Mapping[str, Any], container: Mapping[str, Any]) -> str | None:
    if (reference := source.get("fieldRef")) is not None:
        return _field(pod, reference["fieldPath"])
    if (resource := source.get("resourceFieldRef")) is not None:
        return (
            cores(container, os.cpu_count() or 1) if resource["resource"] == "limits.cpu" else None
        )  # memory: not limited here
    raise LabError(
        f"container {container['name']}: the lab knows fieldRef, resourceFieldRef, secretKeyRef, not {sorted(source)}"
    )


def cores(container: Mapping[str, Any], node: int) -> str:
    """The container's CPU limit in whole cores, rounded up; without one the node's, as the downward API answers.

    Envoy's worker threads (pilot-agent, `ISTIO_CPU_LIMIT`) and istiod's (`GOMAXPROCS`) follow from it.
    """
    limit = str(container.get("resources", {}).get("limits", {}).get("cpu", ""))
    if not limit:
        return str(node)
    return str(math.ceil(int(limit[:-1]) / 1000 if limit.endswith("m") else float(limit)))


def _field(pod: Mapping[str, Any], path: str) -> str:
    if (match := _MAP_FIELD.fullmatch(path)) is not None:
        return str(pod["metadata"].get(match[1], {}).get(match[2], ""))
    value: Any = pod
    for part in path.split("."):
        value = value.get(part, "") if isinstance(value, Mapping) else ""
    return str(value)


def _map_file(metadata: Mapping[str, Any], path: str) -> str:
    """Labels or annotations as the downward API writes them."""
    values = metadata.get(path.rpartition(".")[2], {})
    return "".join(f"{key}={json.dumps(value)}\n" for key, value in sorted(values.items()))


def _expanded(arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """`$(NAME)` as Kubernetes expands it: unknown names stay."""
    return [_VARIABLE.sub(lambda match: environment.get(match[1], match[0]), argument) for argument in arguments]
