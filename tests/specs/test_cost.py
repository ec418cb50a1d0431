"""The bill follows the configuration, and never guesses a price."""

from pathlib import Path

import pytest

from partner_mesh.config.loader import load_stack
from partner_mesh.config.stack import Stack
from partner_mesh.specs.cost import monthly

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def dev() -> Stack:
    return load_stack("dev", ROOT)


def with_platform(stack: Stack, **update: object) -> Stack:
    return stack.model_copy(update={"platform": stack.platform.model_copy(update=update)})


def total(stack: Stack) -> float:
    return sum(line.least for line in monthly(stack))


def test_prod_costs_more_than_dev(dev: Stack) -> None:
    assert total(load_stack("prod", ROOT)) > 2 * total(dev)


def test_another_nat_gateway_adds_its_hours_and_its_address(dev: Stack) -> None:
    assert dev.platform.network is not None
    more = with_platform(dev, network=dev.platform.network.model_copy(update={"nat_gateways": 2}))
    assert total(more) - total(dev) == pytest.approx(730 * (0.052 + 0.005))


def test_an_unknown_region_or_instance_is_refused_by_name(dev: Stack) -> None:
    with pytest.raises(ValueError, match="mars-1"):
        monthly(dev.model_copy(update={"region": "mars-1"}))
    cluster = dev.platform.cluster
    group = cluster.node_groups["web"].model_copy(update={"instances": ("x9z.large",)})
    groups = {**cluster.node_groups, "web": group}
    with pytest.raises(ValueError, match=r"web: no price for x9z\.large"):
        monthly(with_platform(dev, cluster=cluster.model_copy(update={"node_groups": groups})))


def test_every_partner_secret_is_counted_once(dev: Stack) -> None:
    [line] = [line for line in monthly(dev) if line.component == "secrets"]
    without = dev.model_copy(update={"partners": ()})
    [bare] = [line for line in monthly(without) if line.component == "secrets"]
    assert bare.item == "2 secrets"  # the web and the partner gateway's certificates
    assert line.least > bare.least
