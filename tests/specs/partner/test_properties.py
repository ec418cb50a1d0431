"""What holds of every partner, whatever its file says."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import PARTNER_LABEL
from partner_mesh.specs import compile_stack
from partner_mesh.specs.compiled import Compiled
from tests.crds import problems
from tests.specs.partner.strategies import APPLICATIONS, many
from tests.specs.stacks import GATEWAYS, stack

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def compiled(partners: list[dict[str, Any]], **changes: Any) -> Compiled:
    return compile_stack(configured(partners, **changes))


def configured(partners: list[dict[str, Any]], **changes: Any) -> Stack:
    return stack(applications=APPLICATIONS, partners=partners, **changes)


def empties(value: Any, path: str = "") -> Iterator[str]:
    """Places that hold nothing: to some reader of some kind that means everything."""
    if value is None or value in ({}, [], (), ""):
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from empties(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from empties(item, f"{path}[{index}]")


def rules_without_end(manifest: Manifest) -> Iterator[str]:
    """Rules that leave open who or what: `from` and `to` of a policy, peers and ports of a NetworkPolicy."""
    spec = manifest.body["spec"]
    if manifest.kind == "AuthorizationPolicy":
        if not spec.get("rules"):
            yield "no rules"
        for rule in spec.get("rules", ()):
            said = [part for entry in rule.get("from", ()) for part in entry["source"]]
            said += [part for entry in rule.get("to", ()) for part in entry["operation"] if part != "ports"]
            said += [condition["key"] for condition in rule.get("when", ())]
            if not said:
                yield f"nothing but a port: {rule}"
    elif manifest.kind == "NetworkPolicy" and manifest.api_version == "networking.k8s.io/v1":
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for rule in spec.get(direction, ()):
                if not rule.get(peers) or not rule.get("ports"):
                    yield f"{direction}: {rule}"


def test_the_checks_see_what_they_look_for() -> None:
    assert list(empties({"a": [{"b": {}}], "c": "d"})) == [".a[0].b"]
    policy = Manifest("security.istio.io/v1", "AuthorizationPolicy", "p", "n", body={"spec": {"rules": [{}]}})
    assert list(rules_without_end(policy))
    only_port = {"rules": [{"to": [{"operation": {"ports": ["8443"]}}]}]}
    assert list(rules_without_end(Manifest(policy.api_version, policy.kind, "p", "n", body={"spec": only_port})))
    peers = {"podSelector": {}, "ingress": [{"ports": [{"port": 1}]}]}
    assert list(rules_without_end(Manifest("networking.k8s.io/v1", "NetworkPolicy", "p", "n", body={"spec": peers})))


@quick
@given(many(), st.booleans())
def test_no_object_of_a_partner_holds_anything_empty(partners: list[dict[str, Any]], calico: bool) -> None:
    for found in compiled(partners, calico={"managed": calico}).partners.values():
        for manifest in found:
            assert not list(empties(manifest.document())), manifest.document()
            assert not list(rules_without_end(manifest)), manifest.document()


@quick
@given(many())
def test_every_object_of_istio_fits_its_schema(partners: list[dict[str, Any]]) -> None:
    for manifest in compiled(partners):
        assert problems(manifest.document()) == [], manifest.document()


@quick
@given(many())
def test_no_two_objects_share_a_name_and_each_names_its_partner(partners: list[dict[str, Any]]) -> None:
    whole = compiled(partners)
    assert [key for key, count in Counter(manifest.key for manifest in whole).items() if count > 1] == []
    for name, found in whole.partners.items():
        assert {manifest.labels[PARTNER_LABEL] for manifest in found} <= {name}


@quick
@given(many())
def test_every_host_has_one_owner_and_is_exact(partners: list[dict[str, Any]]) -> None:
    whole = compiled(partners)
    served = [
        host.partition("/")[2]
        for found in whole.partners.values()
        for manifest in found
        if manifest.kind == "Gateway"
        for server in manifest.body["spec"]["servers"]
        for host in server["hosts"]
    ]
    called = [
        host
        for found in whole.partners.values()
        for manifest in found
        if manifest.kind == "ServiceEntry"
        for host in manifest.body["spec"]["hosts"]
    ]
    owners = configured(partners).partners
    declared = [entry.host for partner in owners for entry in partner.inbound]
    declared += [entry.host for partner in owners for entry in partner.outbound]
    twice = [entry.host for partner in owners for entry in partner.outbound if entry.protocol == "tcp"]
    assert sorted(served + called) == sorted(declared + twice)  # a TCP host also has a server of its own on the way out
    assert not any("*" in host for host in served + called)


@quick
@given(many())
def test_a_partner_more_changes_no_other_object(partners: list[dict[str, Any]]) -> None:
    """What an alias needs in a namespace comes new when it is first used there; nothing that was there differs.

    Only when a gateway forms beside (a way of enforcing that nobody asked for before, a shard that overflows) do the
    shared objects that list gateways change; other partners' never.
    """
    before, after = compiled(partners[1:]), compiled(partners)
    for name, found in before.partners.items():
        assert found == after.partners[name]
    newcomers = {manifest.key for manifest in after.partners[partners[0]["name"]]}
    assert not newcomers & {manifest.key for manifest in before}
    if set(before.gateways) == set(after.gateways):
        there = {manifest.key: manifest for manifest in after}
        for manifest in before:
            assert there[manifest.key] == manifest


@quick
@given(many(), st.randoms())
def test_the_order_of_other_partners_means_nothing(partners: list[dict[str, Any]], random: Any) -> None:
    shuffled = list(partners)
    random.shuffle(shuffled)
    first, second = compiled(partners), compiled(shuffled)
    for name, found in first.partners.items():
        assert [manifest.document() for manifest in found] == [m.document() for m in second.partners[name]]


@quick
@given(many())
def test_no_gateway_of_partners_judges_principals(partners: list[dict[str, Any]]) -> None:
    """A partner's CA could sign a certificate with one of our names."""
    for manifest in compiled(partners):
        namespace = manifest.namespace or ""
        if manifest.kind == "AuthorizationPolicy" and namespace.startswith("istio-partners"):
            assert "rincipals" not in str(manifest.body)


@quick
@given(many())
def test_only_the_gateway_learns_how_to_leave(partners: list[dict[str, Any]]) -> None:
    for found in compiled(partners).partners.values():
        for manifest in found:
            spec = manifest.body.get("spec", {})
            if manifest.kind == "DestinationRule" and "portLevelSettings" in spec.get("trafficPolicy", {}):
                assert spec["exportTo"] == ["."]
                [port] = spec["trafficPolicy"]["portLevelSettings"]
                assert port["tls"]["subjectAltNames"]
                assert port["tls"]["sni"]
            elif manifest.kind == "VirtualService":
                assert "*" not in spec["exportTo"]


@pytest.mark.parametrize("count", [1, 40])
def test_objects_grow_with_partners_and_not_with_their_square(count: int) -> None:
    partners = [
        {
            "name": f"p{index:03}",
            "owner": "integrations@example.com",
            "inbound": {
                "host": f"p{index:03}.example.com",
                "clientCertificate": {"ca": "ca", "subjectAltNames": ["a.example"]},
                "sourceRanges": ["192.0.2.1/32"],
                "routes": [{"path": "/v1", "to": "charging:http"}],
            },
            "outbound": [{"host": f"api.p{index:03}.example", "from": ["charging"]}],
        }
        for index in range(count)
    ]
    whole = compiled(partners, gateways=GATEWAYS)
    assert {len(found) for found in whole.partners.values()} == {14}
    assert sum(len(found) for found in whole.gateways.values()) == sum(
        len(found) for found in compiled([]).gateways.values()
    )
