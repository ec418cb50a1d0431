"""Concrete paths for templates: one that matches, what it becomes when rewritten, some that do not match."""

from collections.abc import Iterable

from partner_mesh.model.path import PathTemplate

SEGMENT, REST = "lab-1", "lab/1"


def sample(template: str) -> str:
    """A path that a template matches."""
    return template.replace("{**}", REST).replace("{*}", SEGMENT)


def rewritten(template: str, rewrite: str | None) -> str:
    """What `sample(template)` becomes: wildcards of the rewrite take what the template's matched, in order."""
    if rewrite is None:
        return sample(template)
    values = [SEGMENT if wildcard == "{*}" else REST for wildcard in PathTemplate(template).wildcards]
    return "".join(values.pop(0) if part in {"{*}", "{**}"} else part for part in PathTemplate(rewrite).parts)


def strange(templates: Iterable[str]) -> list[str]:
    """Paths beside those of the templates: another one, a deeper one, a shorter one; none that a template matches."""
    known = list(templates)
    tried = ["/lab/other"]
    for template in known:
        tried += [f"{sample(template).rstrip('/')}/deeper", sample(template).rpartition("/")[0] or "/"]
    wanted = [PathTemplate(template) for template in known]
    return [path for path in dict.fromkeys(tried) if not any(template.matches(path) for template in wanted)]
