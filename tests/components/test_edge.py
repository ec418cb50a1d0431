"""Both ingress planes: a firewall that cannot be gone around, and addresses and clients that partners can rely on."""

from typing import Any, cast

import pytest

from components import stand_in
from components.recording import Registration
from tests.components.programs import run, run_of
from tests.pulumi_mocks import Recorded
from tests.specs.stacks import GATEWAYS, loaded


@pytest.fixture(scope="module", params=["dev", "prod"])
def recorded(request: pytest.FixtureRequest) -> Recorded:
    return run_of(str(request.param))


def balancers(recorded: Recorded, kind: str) -> list[Registration]:
    found = recorded.of_type("aws:lb/loadBalancer:LoadBalancer")
    return [one for one in found if one.inputs["loadBalancerType"] == kind]


def groups(recorded: Recorded, protocol: str) -> list[Registration]:
    found = recorded.of_type("aws:lb/targetGroup:TargetGroup")
    return [one for one in found if one.inputs["protocol"] == protocol]


def test_every_alb_stands_behind_the_web_acl_and_no_nlb_does(recorded: Recorded) -> None:
    guarded = {one.inputs["resourceArn"] for one in recorded.of_type("aws:wafv2/webAclAssociation:WebAclAssociation")}
    assert guarded == {(one.outputs or {})["arn"] for one in balancers(recorded, "application")}


def test_an_alb_forwards_no_malformed_header_and_appends_the_callers_address(recorded: Recorded) -> None:
    for one in balancers(recorded, "application"):
        assert one.inputs["dropInvalidHeaderFields"] is True
        assert one.inputs["xffHeaderProcessingMode"] == "append"
        assert one.inputs["enableWafFailOpen"] is False
        assert one.inputs["desyncMitigationMode"] == "strictest"
        assert one.inputs["accessLogs"]["enabled"] is True


def test_an_alb_speaks_tls_1_2_or_later_with_a_certificate_that_is_issued(recorded: Recorded) -> None:
    for listener in recorded.of_type("aws:lb/listener:Listener"):
        if listener.inputs["protocol"] == "HTTPS":
            assert "TLS13-1-2" in listener.inputs["sslPolicy"]
            [validation] = recorded.of_type("aws:acm/certificateValidation:CertificateValidation")
            assert recorded.waits_for(listener, validation)
        if listener.inputs["protocol"] == "HTTP":
            [action] = listener.inputs["defaultActions"]
            assert (action["type"], action["redirect"]["protocol"]) == ("redirect", "HTTPS")


def test_gateways_are_spoken_to_in_tls_and_see_the_client_behind_an_nlb(recorded: Recorded) -> None:
    assert groups(recorded, "HTTPS")
    for one in groups(recorded, "TCP"):
        assert one.inputs["targetType"] == "ip"
        assert one.inputs["preserveClientIp"] == "true"


def test_an_nlb_is_made_with_its_group_and_an_address_of_ours_in_every_zone(recorded: Recorded) -> None:
    for one in balancers(recorded, "network"):
        assert len(one.inputs["securityGroups"]) == 1
        allocations = [mapping["allocationId"] for mapping in one.inputs["subnetMappings"]]
        assert len(set(allocations)) == 3
        assert "subnets" not in one.inputs


def test_the_log_of_the_firewall_holds_neither_tokens_nor_sessions(recorded: Recorded) -> None:
    log = recorded.one("aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration")
    assert [field["singleHeader"]["name"] for field in log.inputs["redactedFields"]] == ["authorization", "cookie"]
    [group] = [one for one in recorded.of_type("aws:cloudwatch/logGroup:LogGroup") if one.name.endswith("-waf")]
    assert group.inputs["name"].startswith("aws-waf-logs-")


def test_rules_are_told_to_aws_as_they_are_decided(recorded: Recorded) -> None:
    acl = recorded.one("aws:wafv2/webAcl:WebAcl").inputs
    by_name = {rule["name"]: rule for rule in acl["rules"]}
    assert len({rule["priority"] for rule in acl["rules"]}) == len(acl["rules"])
    body = by_name["oversize-body"]["statement"]["sizeConstraintStatement"]
    assert (body["fieldToMatch"]["body"]["oversizeHandling"], body["size"]) == ("MATCH", 8192)
    common = by_name["common"]
    assert common["statement"]["managedRuleGroupStatement"]["name"] == "AWSManagedRulesCommonRuleSet"
    assert common["overrideAction"] == {"none": {}}
    assert "action" not in common
    assert by_name["rate-limit"]["action"] == {"block": {}}


def test_every_statement_of_a_firewall_with_everything_in_it() -> None:
    firewall = {
        "managedRules": ["common", "sqli"],
        "countOnly": ["sqli"],
        "rateRules": [{"name": "login", "limit": 50, "pathPrefix": "/login"}],
        "blockedCountries": ["KP"],
        "blockedRanges": ["192.0.2.0/24", "2001:db8::/32"],
        "allowedRanges": ["198.51.100.0/24"],
    }
    recorded = run(loaded(firewall=firewall))
    rules = {rule["name"]: rule for rule in recorded.one("aws:wafv2/webAcl:WebAcl").inputs["rules"]}
    narrow = rules["rate-login"]["statement"]["rateBasedStatement"]["scopeDownStatement"]["byteMatchStatement"]
    assert (narrow["searchString"], narrow["positionalConstraint"]) == ("/login", "STARTS_WITH")
    assert narrow["fieldToMatch"] == {"uriPath": {}}
    assert rules["blocked-countries"]["statement"]["geoMatchStatement"]["countryCodes"] == ["KP"]
    assert rules["sqli"]["overrideAction"] == {"count": {}}
    assert rules["allowed-ranges"]["action"] == {"allow": {}}
    sets = {one.name: one.inputs for one in recorded.of_type("aws:wafv2/ipSet:IpSet")}
    assert {name: one["ipAddressVersion"] for name, one in sets.items()} == {
        "billing-test-allowed-ranges": "IPV4",
        "billing-test-blocked-ranges": "IPV4",
        "billing-test-blocked-ranges-v6": "IPV6",
    }


def test_names_and_certificates_are_made_in_a_zone_that_is_ours() -> None:
    zoned = {name: one | ({"zoneId": "Z1"} if one["direction"] == "ingress" else {}) for name, one in GATEWAYS.items()}
    recorded = run(loaded(gateways=zoned))
    records = {one.name: one.inputs for one in recorded.of_type("aws:route53/record:Record")}
    assert set(records) == {"pay.example.com", "billing-test-web-validate-pay.example.com"}
    assert records["pay.example.com"]["type"] == "A"
    validation = recorded.one("aws:acm/certificateValidation:CertificateValidation")
    proof = records["billing-test-web-validate-pay.example.com"]["name"]
    assert validation.inputs["validationRecordFqdns"] == [proof.removesuffix(".")]


def test_without_a_zone_the_proof_of_a_host_is_told_instead() -> None:
    recorded = run(loaded())
    assert "aws:route53/record:Record" not in recorded.types()
    outputs = recorded.one("partner-mesh:load_balancers:LoadBalancers").outputs or {}
    assert all(" CNAME " in text for text in outputs["validationRecords"].values())
    assert outputs["validationRecords"]


@pytest.mark.parametrize("zone", [{}, {"zoneId": "Z1"}])
def test_a_provider_that_tells_no_proof_of_a_host_stops_nothing(
    zone: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that only echoes, as rehearsals of `up` on the real engine have."""
    monkeypatch.delitem(cast("dict[str, Any]", stand_in._ADDITIONS), "aws:acm/certificate:Certificate")
    zoned = {name: one | (zone if one["direction"] == "ingress" else {}) for name, one in GATEWAYS.items()}
    recorded = run(loaded(gateways=zoned))
    outputs = recorded.one("partner-mesh:load_balancers:LoadBalancers").outputs or {}
    told = [one.inputs["name"] for one in recorded if one.type == "aws:route53/record:Record"]
    told += outputs["validationRecords"].values()
    assert any(text.startswith("_not-asked-for.pay.example.com.") for text in told)


def test_shield_guards_the_addresses_where_it_is_asked_for() -> None:
    shielded = GATEWAYS | {"partners": GATEWAYS["partners"] | {"shield": True}}
    recorded = run(loaded(gateways=shielded))
    protected = {one.inputs["resourceArn"] for one in recorded.of_type("aws:shield/protection:Protection")}
    assert len(protected) == 3


def test_access_logs_are_private_encrypted_and_forgotten(recorded: Recorded) -> None:
    block = recorded.one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock").inputs
    assert all(
        block[key] for key in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    )
    [alb] = balancers(recorded, "application")
    assert recorded.waits_for(alb, recorded.one("aws:s3/bucketPolicy:BucketPolicy"))
