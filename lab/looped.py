"""What `partner-mesh hairpin` does: the tests in a lab started for them, or their objects for a real cluster."""

from collections.abc import Callable, Sequence

from lab import LabError, hairpin
from lab import stack as stacks
from lab.control import Lab
from lab.tiers import Finding
from lab.tools import tools
from partner_mesh.config.partner import Partner
from partner_mesh.config.platform import ExistingCluster
from partner_mesh.config.stack import Stack
from partner_mesh.model.serialize import dump_all
from partner_mesh.specs import compile_stack
from partner_mesh.specs.hairpin import job, loops


def findings(stack: Stack, partner: str | None, report: Callable[[str], None]) -> list[Finding]:
    """Of every loop, in a lab started for it."""
    hairpin.partners(stack, partner)
    kit, compiled = tools(report), compile_stack(stack)
    documents = stacks.documents(kit, compiled)
    found: list[Finding] = []
    with Lab.start(documents, report=report) as lab:
        for test in hairpin.tests(lab, stack, documents, partner):
            report(f"{test.loop.partner}: {test.loop.application} calls {test.loop.inbound.host}")
            found += test.findings()
    return found


def objects(stack: Stack, partners: Sequence[Partner], ranges: Sequence[str] | None, image: str) -> str:
    """All objects of the loops and a Job for each, as YAML. Raises LabError where the addresses are not known."""
    if not ranges:
        if isinstance(stack.platform.cluster, ExistingCluster) or stack.platform.network is None:
            raise LabError("say with --egress-range where the egress gateway's pods have their addresses")
        ranges = [stack.platform.network.cidr]
    parts: list[str] = []
    for partner in partners:
        for loop in loops(stack, partner, ranges):
            parts.append(
                f"# {partner.name}: {loop.application} calls {loop.inbound.host} by {loop.egress} and {loop.gateway}.\n"
                f"# Secret {loop.namespace}/{loop.credential}: tls.crt and tls.key as the partner would present,\n"
                "# ca.crt the authority of our own server certificate. See docs/how-to/hairpin.md.\n"
            )
            parts.append(dump_all(m.document() for m in [*loop.objects, job(loop, stack, image)]))
    return "".join(parts)
