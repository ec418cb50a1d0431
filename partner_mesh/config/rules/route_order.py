"""The Gateway API's own order of routes, where it is not the one that is promised here.

VirtualServices keep the order in which they are written, which goes from the most specific path to the least. An
HTTPRoute's rules istiod sorts itself: exact paths, then expressions by their length (`sortHTTPRoutes`, istio
pilot/pkg/config/kube/gateway/conversion.go), so that `/a/{**}` is tried before `/a/{*}`.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Final

from partner_mesh.config.application import WebRoute
from partner_mesh.config.platform import Gateway
from partner_mesh.config.rules.world import Path, World
from partner_mesh.config.translation import Finding
from partner_mesh.model.path import PathTemplate

Placed = tuple[Path, WebRoute]


def route_order(world: World) -> Iterator[Finding]:
    """No route of a Gateway API gateway takes what a more specific one is meant for."""
    by_host: dict[tuple[str, str | None], list[Placed]] = {}
    web = world.gateways("ingress", "web")
    for name, application in world.applications.items():
        for number, route in enumerate(application.web):
            gateway = route.gateway or next(iter(web), "")
            if _sorts_itself(web, gateway):
                host = route.host or web[gateway].host
                by_host.setdefault((gateway, host), []).append((("applications", name, "web", number), route))
    for routes in by_host.values():
        for pair in combinations(routes, 2):
            (_, first), (place, second) = sorted(pair, key=lambda each: PathTemplate(each[1].path).specificity)
            if _turned(PathTemplate(first.path), PathTemplate(second.path)):
                reason = f"the Gateway API would try it before {first.path}, which is the more specific one"
                yield Finding((*place, "path"), reason, "use api: istio")


def _sorts_itself(web: Mapping[str, Gateway], gateway: str) -> bool:
    return gateway in web and web[gateway].api == "gateway-api"


def _turned(first: PathTemplate, second: PathTemplate) -> bool:
    longer = len(second.regex()) > len(first.regex())
    return not first.exact and not second.exact and longer and first.meets(second)


RULES: Final = {"route-order": route_order}
