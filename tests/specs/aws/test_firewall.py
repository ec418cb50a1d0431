"""The web ACL: order, priorities that stay put, capacity."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from partner_mesh.config.platform import Firewall
from partner_mesh.config.support import WEB_ACL_CAPACITY
from partner_mesh.specs.aws.firewall import MANAGED_GROUPS, Rule, capacity, rules

groups = st.lists(st.sampled_from(list(MANAGED_GROUPS)), unique=True)


@st.composite
def firewalls(draw: st.DrawFn) -> Firewall:
    names = draw(st.lists(st.sampled_from(["login", "pay", "search", "upload"]), unique=True))
    return Firewall.model_validate(
        {
            "managedRules": draw(groups),
            "rateRules": [{"name": name, "limit": 100, "pathPrefix": f"/{name}"} for name in names],
            "blockedCountries": draw(st.lists(st.sampled_from(["KP", "XX"]), unique=True)),
            "blockedRanges": draw(st.lists(st.sampled_from(["192.0.2.0/24", "2001:db8::/32"]), unique=True)),
            "allowedRanges": draw(st.lists(st.sampled_from(["198.51.100.0/24"]), unique=True)),
        }
    )


def kinds(found: tuple[Rule, ...]) -> list[str]:
    return list(dict.fromkeys(rule.kind for rule in found))


@given(firewalls())
def test_rules_are_judged_in_order_and_each_has_a_place_of_its_own(firewall: Firewall) -> None:
    found = rules(firewall)
    assert all(one.priority < other.priority for one, other in pairwise(found))
    order = ["allow-ranges", "block-ranges", "countries", "rate", "managed", "oversize-body"]
    assert kinds(found) == [kind for kind in order if kind in kinds(found)]


@given(firewalls(), st.sampled_from(list(MANAGED_GROUPS)))
def test_one_more_managed_group_moves_no_other_rule(firewall: Firewall, added: str) -> None:
    before = {rule.name: rule for rule in rules(firewall)}
    more = firewall.model_copy(update={"managed_rules": (added, *firewall.managed_rules)})
    after = {rule.name: rule for rule in rules(more)}
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) <= {added}


@given(firewalls())
def test_nothing_is_emitted_for_an_empty_list_and_a_set_holds_one_family(firewall: Firewall) -> None:
    for rule in rules(firewall):
        if rule.kind in ("allow-ranges", "block-ranges"):
            assert rule.ranges
            assert len({":" in block for block in rule.ranges}) == 1
        if rule.kind == "countries":
            assert rule.countries


@given(firewalls())
def test_everything_together_fits_a_web_acl(firewall: Firewall) -> None:
    assert 0 < capacity(rules(firewall)) <= WEB_ACL_CAPACITY


def test_a_rate_on_a_path_costs_its_match_and_a_rate_on_everything_does_not() -> None:
    narrow = {"name": "login", "limit": 10, "pathPrefix": "/login"}
    wide = {"name": "all", "limit": 10}
    found = {rule.name: rule for rule in rules(Firewall.model_validate({"rateRules": [narrow, wide]}))}
    assert found["rate-login"].capacity == found["rate-all"].capacity + 12
    assert found["rate-all"].path_prefix is None


def test_a_group_that_only_counts_overrides_its_actions_and_the_others_do_not() -> None:
    found = rules(Firewall.model_validate({"managedRules": ["common", "sqli"], "countOnly": ["sqli"]}))
    assert {rule.name: rule.action for rule in found if rule.kind == "managed"} == {"common": "none", "sqli": "count"}


def test_a_body_beyond_what_is_inspected_is_refused() -> None:
    [rule] = [rule for rule in rules(Firewall()) if rule.kind == "oversize-body"]
    assert rule.action == "block"
