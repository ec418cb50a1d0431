"""Rules and dashboards are valid, and each alert fires on a seeded fault and on nothing else."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from partner_mesh.config.loader import load_stack
from partner_mesh.config.stack import Stack
from partner_mesh.specs.observability import dashboards, mesh_rules, observability_charts, partner_rules
from partner_mesh.specs.observability.dashboards import DASHBOARDS

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def stack() -> Stack:
    return load_stack("dev", ROOT)


def groups(stack: Stack) -> list[dict[str, Any]]:
    partners = [rules for partner in stack.partners for rules in partner_rules(stack, partner)]
    return [group for rules in (*mesh_rules(stack), *partners) for group in rules.body["spec"]["groups"]]


def test_every_expression_of_rules_and_dashboards_parses(stack: Stack) -> None:
    expressions = [rule["expr"] for group in groups(stack) for rule in group["rules"]]
    expressions += [expression for board in DASHBOARDS for panel in board.panels for expression, _ in panel.series]
    assert len(expressions) > 25
    for expression in expressions:
        promql_parser.parse(expression.replace("$__rate_interval", "5m"))


def test_a_partner_brings_its_own_rules_and_nobody_elses_change(stack: Stack) -> None:
    fewer = stack.model_copy(update={"partners": stack.partners[1:]})
    assert mesh_rules(fewer) == mesh_rules(stack)
    [rules] = partner_rules(stack, stack.partners[0])
    [rule] = rules.body["spec"]["groups"][0]["rules"]
    assert rule["labels"] == {"partner": "acme-mobile", "certificate": "acme-mobile-client"}
    assert rule["expr"] == "vector(1811808000)"  # 2027-06-01T00:00:00Z


def test_a_mesh_that_is_not_ours_gets_nothing(stack: Stack) -> None:
    mesh = stack.platform.mesh.model_copy(update={"managed": False})
    foreign = stack.model_copy(update={"platform": stack.platform.model_copy(update={"mesh": mesh})})
    assert not (*mesh_rules(foreign), *dashboards(foreign), *observability_charts(foreign))


def test_dashboards_are_json_with_panels_that_do_not_overlap(stack: Stack) -> None:
    for config_map in dashboards(stack):
        [text] = config_map.body["data"].values()
        board = json.loads(text)
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
        assert len(set(places)) == len(places) > 0
        assert all(panel["targets"] for panel in board["panels"])


# Alert → series that make it fire, and the same without the fault. Values are per minute, from 0.
FIRES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "PartnerErrorRate": (
        {
            'istio_requests_total{partner="acme",reporter="source",response_code="500"}': "0+60x60",
            'istio_requests_total{partner="acme",reporter="source",response_code="200"}': "0+60x60",
        },
        {
            'istio_requests_total{partner="acme",reporter="source",response_code="500"}': "0+1x60",
            'istio_requests_total{partner="acme",reporter="source",response_code="200"}': "0+600x60",
        },
    ),
    "PartnerDenied": (
        {'istio_requests_total{partner="acme",reporter="source",response_code="403"}': "0+60x60"},
        {'istio_requests_total{partner="acme",reporter="source",response_code="403"}': "0+1x60"},
    ),
    "PartnerHandshakeFailures": (
        {
            f'envoy_listener_ssl_{name}{{namespace="istio-partners",pod="p"}}': value
            for name, value in (
                ("connection_error", "0+60x60"),
                ("fail_verify_no_cert", "0x60"),
                ("fail_verify_error", "0x60"),
                ("fail_verify_san", "0x60"),
            )
        },
        {
            f'envoy_listener_ssl_{name}{{namespace="istio-partners",pod="p"}}': "0x60"
            for name in ("connection_error", "fail_verify_no_cert", "fail_verify_error", "fail_verify_san")
        },
    ),
    "CertificateExpires": (
        {'partner_mesh_certificate_not_after_seconds{partner="acme",certificate="c"}': "1000000x90"},
        {'partner_mesh_certificate_not_after_seconds{partner="acme",certificate="c"}': "9000000x90"},
    ),
    "CertificateExpiresNow": (
        {'partner_mesh_certificate_not_after_seconds{partner="acme",certificate="c"}': "500000x90"},
        {'partner_mesh_certificate_not_after_seconds{partner="acme",certificate="c"}': "1000000x90"},
    ),
    "ProxyConfigurationRejected": (
        {'pilot_total_xds_rejects{type="lds"}': "1x60"},
        {'pilot_total_xds_rejects{type="lds"}': "0x60"},
    ),
    "ControlPlaneGone": ({"nothing": "1x60"}, {'up{job="istiod"}': "1x60"}),
}


@pytest.mark.parametrize("alert", FIRES)
def test_an_alert_fires_on_its_fault_and_is_silent_without(alert: str, stack: Stack, tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip(
            "promtool is not on PATH (Debian: apt-get install prometheus); expressions were parsed all the same"
        )
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": groups(stack)}))
    for series, count in zip(FIRES[alert], (1, 0), strict=True):
        case = {
            "rule_files": ["rules.yaml"],
            "tests": [
                {
                    "interval": "1m",
                    "input_series": [{"series": name, "values": values} for name, values in series.items()],
                    "promql_expr_test": [
                        {
                            "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)',
                            "eval_time": "80m" if alert.startswith("Certificate") else "40m",
                            "exp_samples": [{"labels": "{}", "value": count}],
                        }
                    ],
                }
            ],
        }
        (tmp_path / "case.yaml").write_text(yaml.safe_dump(case))
        ran = subprocess.run(
            [promtool, "test", "rules", "case.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
