"""The order of web routes: from the most specific path to the least."""

from partner_mesh.config.application import WebRoute
from partner_mesh.model.path import PathTemplate


def specificity(route: WebRoute) -> tuple[int, int, str, int]:
    """A sort key: by path, and with methods before without."""
    return *PathTemplate(route.path).specificity, 0 if route.methods else 1
