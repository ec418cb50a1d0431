"""The order of web routes: from the most specific path to the least."""

from partner_mesh.config.application import WebRoute
from partner_mesh.model.path import PathTemplate


def specificity(route: WebRoute) -> tuple[int, int, str, int]:
    """A sort key: exact paths before `{*}` before `{**}`, longer before shorter, with methods before without."""
    template = PathTemplate(route.path)
    rank = 2 if "{**}" in template.wildcards else min(1, len(template.wildcards))
    return rank, -len(route.path), route.path, 0 if route.methods else 1
