"""Tests on the real Pulumi engine. Without it they say so in the summary and do not run: nothing stands in for them."""

import os
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from components.stand_in import StandIn
from lab.api import Api
from lab.control_plane import ControlPlane, Ports
from lab.process import Processes
from lab.tools import Tools, are_built, tools
from tests.engine.aws_echo import serve
from tests.engine.deployment import program_path
from tests.engine.eks import log_in

# What the API server itself writes now and then, whoever uses it.
_RESTLESS: Final = frozenset({"events", "events.events.k8s.io", "leases.coordination.k8s.io"})


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a test asks of the API server, past the engine's back."""

    tools: Tools
    kubeconfig: Path
    api: Api

    def versions(self) -> dict[str, str]:
        """Every object there is → its resource version, which any write to it changes."""
        listable = self._kubectl("api-resources", "--verbs=list", "--output=name").split()
        kinds = ",".join(sorted(set(listable) - _RESTLESS))
        columns = (
            "custom-columns=V:.apiVersion,K:.kind,S:.metadata.namespace,N:.metadata.name,R:.metadata.resourceVersion"
        )
        rows = self._kubectl("get", kinds, "--all-namespaces", "--no-headers", "--ignore-not-found", "-o", columns)
        return {" ".join(row.split()[:-1]): row.split()[-1] for row in rows.splitlines()}

    def _kubectl(self, *arguments: str) -> str:
        command = [str(self.tools.kubectl), "--kubeconfig", str(self.kubeconfig), *arguments]
        done: subprocess.CompletedProcess[str] = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout


@dataclass(frozen=True, slots=True)
class Eks:
    """A cluster of ours; `environment` is what leads the engine to it."""

    cluster: Cluster
    plane: ControlPlane
    environment: Mapping[str, str]


def _missing(item: pytest.Item) -> str | None:
    if shutil.which("pulumi") is None:
        return "the engine tests did not run: the Pulumi CLI is not on PATH (docs/how-to/deploy.md)"
    if {"cluster", "eks"} & set(getattr(item, "fixturenames", ())) and not are_built():
        return "this engine test did not run: the API server is not built yet (make lab builds it)"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("engine") and (reason := _missing(item)) is not None:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def aws() -> Iterator[dict[str, str]]:
    """The environment in which the engine finds the echoing AWS provider."""
    server, port = serve(StandIn())
    yield {"PULUMI_DEBUG_PROVIDERS": f"aws:{port}", "AWS_REGION": "eu-central-1"}
    server.stop(grace=None)


@contextmanager
def _control_plane(directory: Path) -> Iterator[tuple[Cluster, ControlPlane]]:
    """etcd, kube-apiserver, and the controllers that empty namespaces and follow owners. No node."""
    programs = tools()
    with Processes(directory / "logs") as processes:
        plane = ControlPlane(programs, processes, directory, Ports.free())
        plane.start()
        plane.start_controller_manager("namespace-controller,garbage-collector-controller")
        api = plane.api()
        yield Cluster(programs, plane.kubeconfig, api), plane
        api.close()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Somebody's cluster: a bare API server that has Istio's kinds."""
    with _control_plane(tmp_path_factory.mktemp("cluster")) as (bare, _):
        definitions = istio_definitions(bare.tools)
        for definition in definitions:
            bare.api.apply(definition)
        bare.api.wait_established(definitions)
        yield bare


@pytest.fixture(scope="session")
def eks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Eks]:
    """A real API server where the echoing provider says that EKS is, and an `aws` that logs in to it."""
    directory = tmp_path_factory.mktemp("eks")
    with _control_plane(directory / "cluster") as (bare, plane):
        log_in(directory / "bin", plane.pki)
        authority = b64encode((plane.pki / "ca.crt").read_bytes()).decode()
        account = StandIn(eks_endpoint=f"https://127.0.0.1:{plane.ports.api}", eks_ca=authority)
        server, port = serve(account)
        environment = {
            "PULUMI_DEBUG_PROVIDERS": f"aws:{port}",
            "AWS_REGION": account.region,
            "PATH": f"{directory / 'bin'}{os.pathsep}{program_path()}",
        }
        yield Eks(bare, plane, environment)
        server.stop(grace=None)


def istio_definitions(programs: Tools) -> list[Any]:
    """Istio's kinds, as its chart has them."""
    return [document for document in yaml.load_all(programs.crds.read_text(), Loader=yaml.CSafeLoader) if document]
