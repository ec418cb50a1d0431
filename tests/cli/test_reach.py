"""`partner-mesh reach` as a person meets it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from typer.testing import CliRunner

from partner_mesh.cli.cluster import ClusterError, read
from partner_mesh.cli.main import app

MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template: {metadata: {labels: {app: web}}, spec: {containers: [{ports: [{containerPort: 8080}]}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: shop}
spec:
  template: {metadata: {labels: {app: db}}, spec: {containers: [{ports: [{containerPort: 5432}]}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: 5432}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "all.yaml").write_text(MANIFESTS)
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["reach", *arguments])
    return result.exit_code, result.output


def test_the_table_shows_what_is_allowed_and_counts_what_is_not(folder: Path) -> None:
    code, output = run("--manifests", str(folder))
    assert code == 0
    assert "shop/web[Deployment] -> shop/db[Deployment]   allowed  TCP 5432" in output
    assert "denied" in output.splitlines()[-1]


def test_of_one_question_the_refusal_is_shown_with_its_object(folder: Path) -> None:
    code, output = run("--manifests", str(folder), "--from", "outside", "--to", "db", "--port", "5432")
    assert code == 0
    assert "denied   TCP 5432  (NetworkPolicy shop/db)" in output


def test_explain_names_file_and_line_of_the_rule(folder: Path) -> None:
    code, output = run("--manifests", str(folder), "--from", "web", "--to", "db", "--port", "5432", "--explain")
    assert code == 0
    assert "NetworkPolicy shop/db (all.yaml:20)" in output
    assert "= allowed: TCP 5432" in output


def test_explain_speaks_json(folder: Path) -> None:
    code, output = run(
        "--manifests", str(folder), "--from", "web", "--to", "db", "--port", "5432", "--explain", "--format", "json"
    )
    [question] = json.loads(output)["questions"]
    [because] = question["layers"][0]["opinions"][0]["because"]
    assert (code, because["file"], because["line"]) == (0, "all.yaml", 20)


def test_json_is_the_published_form(folder: Path) -> None:
    code, output = run("--manifests", str(folder), "--format", "json")
    document = json.loads(output)
    assert (code, document["version"]) == (0, 1)
    assert {
        "source": {"kind": "Deployment", "namespace": "shop", "name": "web"},
        "destination": {"kind": "Deployment", "namespace": "shop", "name": "db"},
        "protocol": "TCP",
        "ports": [[5432, 5432]],
        "http": None,
        "verdict": "allowed",
        "decidedBy": [{"layer": "NetworkPolicy", "object": "NetworkPolicy shop/db"}],
    } in document["connections"]


def test_markdown_is_a_table(folder: Path) -> None:
    code, output = run("--manifests", str(folder), "--format", "markdown")
    assert code == 0
    assert "| shop/web[Deployment] | shop/db[Deployment] | allowed | TCP 5432 |  | NetworkPolicy shop/db |" in output


MESHED = """
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio-injection: enabled}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: readers, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  rules: [{from: [{source: {namespaces: [shop]}}], to: [{operation: {methods: [GET]}}]}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front, namespace: shop}
spec: {selector: {istio: elsewhere}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
"""


@pytest.fixture
def meshed(folder: Path) -> Path:
    (folder / "mesh.yaml").write_text(MESHED)
    return folder


def test_pieces_that_look_alike_are_one_row_of_the_markdown(meshed: Path) -> None:
    """The layers part ports where their reasons differ; a person sees the same words several times over."""
    code, output = run("--manifests", str(meshed), "--from", "db", "--to", "web", "--format", "markdown")
    rows = [line for line in output.splitlines() if line.startswith("| shop/db[Deployment] |")]
    assert code == 0
    assert [row.split(" | ")[2:5] for row in rows] == [
        ["denied", "TCP", "any-but-GET * *"], ["allowed", "TCP", "GET * *"], ["allowed", "UDP, SCTP", ""],
    ]  # fmt: skip


def test_explain_says_each_verdict_once_and_exceptions_in_words(meshed: Path) -> None:
    code, output = run("--manifests", str(meshed), "--from", "db", "--to", "web", "--explain")
    said = [line.strip() for line in output.splitlines() if line.startswith("  =")]
    assert code == 0
    assert said == [
        "= denied: TCP any-but-GET * *, by authorisation", "= allowed: TCP GET * *", "= allowed: UDP, SCTP",
    ]  # fmt: skip


def test_a_gateway_whose_pods_are_elsewhere_is_told_of(meshed: Path) -> None:
    _, output = run("--manifests", str(meshed))
    assert "mesh.yaml:13: Gateway shop/front selects no workload among the objects" in output


def test_the_page_names_the_whole_outside_as_people_do(folder: Path) -> None:
    _, output = run("--manifests", str(folder), "--format", "html")
    assert '"0.0.0.0/0"' in output
    assert "0.0.0.0-255.255.255.255" not in output


def test_the_grid_has_a_sign_for_each_pair(folder: Path) -> None:
    code, output = run("--manifests", str(folder), "--grid")
    assert code == 0
    assert [line.split(" ", 1) for line in output.splitlines()[1:5]] == [
        ["shop/db[Deployment]", "  ..."],
        ["shop/web[Deployment]", "+ .."],
        ["0.0.0.0/0", "           X.  "],
        ["::/0", "                X.  "],
    ]


def test_declared_ports_leave_the_others_out(folder: Path) -> None:
    _, output = run("--manifests", str(folder), "--from", "db", "--to", "web", "--declared-ports")
    assert "allowed  TCP 8080" in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name one of STACK, --manifests DIR and --context NAME"),
        (["dev", "--manifests", "."], "name one of"),
        (["--manifests", "/nowhere"], "no such file or folder"),
        (["--manifests", "FOLDER", "--format", "xml"], "'xml' is not one of 'text', 'json', 'markdown', 'html'"),
        (["--manifests", "FOLDER", "--from", "nobody"], "nobody: no such endpoint"),
        (["--manifests", "FOLDER", "--port", "http"], "--port http"),
        (["--manifests", "FOLDER", "--port", "90-80"], "the lower one first"),
        (["--manifests", "FOLDER", "--explain"], "give --from and --to"),
    ],
)
def test_a_mistake_is_a_sentence_and_status_2(folder: Path, arguments: list[str], said: str) -> None:
    code, output = run(*(str(folder) if each == "FOLDER" else each for each in arguments))
    assert code == 2
    assert said in output
    assert "Traceback" not in output


def test_a_folder_without_objects_says_what_it_found_instead(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: [")
    code, output = run("--manifests", str(tmp_path))
    assert code == 2
    assert "no Kubernetes object" in output
    assert "a.yaml:2: not readable as YAML" in output


class Api(BaseHTTPRequestHandler):
    """A cluster of two pages of Deployments, a policy and Istio's ConfigMap; everything else is not found."""

    items: ClassVar[dict[str, Any]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        found = type(self).items.get(self.path)
        body = json.dumps(found if found is not None else {"kind": "Status", "code": 404}).encode()
        self.send_response(200 if found is not None else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def answers() -> dict[str, Any]:
    web, db, policy = yaml.safe_load_all(MANIFESTS)
    listed = {"verbs": ["list"]}
    for each in (web, db, policy):
        del each["kind"], each["apiVersion"]
    return {
        "/apis": {"groups": [
            {"name": "apps", "preferredVersion": {"groupVersion": "apps/v1"}},
            {"name": "networking.k8s.io", "preferredVersion": {"groupVersion": "networking.k8s.io/v1"}},
            {"name": "other.example", "preferredVersion": {"groupVersion": "other.example/v1"}},
        ]},
        "/api/v1": {"resources": [{"name": "secrets", "kind": "Secret", **listed}]},
        "/apis/apps/v1": {"resources": [
            {"name": "deployments", "kind": "Deployment", **listed},
            {"name": "deployments/scale", "kind": "Scale", **listed},
        ]},
        "/apis/networking.k8s.io/v1": {"resources": [{"name": "networkpolicies", "kind": "NetworkPolicy", **listed}]},
        "/apis/apps/v1/deployments?limit=500": {"items": [web], "metadata": {"continue": "next"}},
        "/apis/apps/v1/deployments?limit=500&continue=next": {"items": [db], "metadata": {}},
        "/apis/networking.k8s.io/v1/networkpolicies?limit=500": {"items": [policy]},
    }  # fmt: skip


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    Api.items, Api.asked = answers(), []
    server = HTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    yield "test"
    server.shutdown()
    server.server_close()


def test_a_live_cluster_is_read_page_by_page_and_no_secret_is(cluster: str) -> None:
    code, output = run("--context", cluster, "--from", "web", "--to", "db", "--port", "5432")
    assert code == 0, output
    assert "allowed  TCP 5432" in output
    assert not any("secret" in path for path in Api.asked)


def test_a_context_that_does_not_exist_is_a_sentence(cluster: str) -> None:
    code, output = run("--context", f"not-{cluster}")
    assert code == 2
    assert "context not-test" in output


def test_calico_is_read_once_where_its_api_server_runs() -> None:
    groups = ["projectcalico.org", "crd.projectcalico.org"]
    served = {"groups": [{"name": g, "preferredVersion": {"groupVersion": f"{g}/v1"}} for g in groups]}
    kinds = {"resources": [{"name": "tiers", "kind": "Tier", "verbs": ["list"]}]}
    tier = {"items": [{"metadata": {"name": "t"}}]}

    def fetch(path: str) -> dict[str, Any]:
        if path == "/apis":
            return served
        if path in [f"/apis/{group}/v1" for group in groups]:
            return kinds
        return tier if "/tiers?" in path else {}

    assert [each["apiVersion"] for each in read(fetch).documents] == ["projectcalico.org/v1"]


def test_a_cluster_that_refuses_is_an_error_of_its_own() -> None:
    def fetch(path: str) -> dict[str, Any]:
        raise ClusterError(path)

    with pytest.raises(ClusterError):
        read(fetch)


def test_of_a_stack_explain_names_the_file_and_line_of_the_configuration() -> None:
    _, output = run("dev", "--from", "acme-mobile", "--to", "charging/charging-v1", "--port", "8080", "--explain")
    assert "AuthorizationPolicy charging/acme-mobile.charging (partners/dev/acme-mobile.yaml:3)" in output
