"""A plan for people: a tree by component, counts by layer, what it costs, what is protected, what to look at."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from components.recording import STACK_TYPE, Registration
from partner_mesh.cli.plan_report import PARTNER, PartnerPlan, Plan, kind

_NAMES_SHOWN: Final = 4  # of one type, before the rest becomes a number
_PARTNERS_SHOWN: Final = 60
# Components of which there are many of one shape: a line each, unless everything is asked for.
_ONE_LINE: Final = frozenset({"partner-mesh:application:Application", "partner-mesh:application:Namespace"})


def show(plan: Plan, console: Console, *, full: bool) -> None:
    """Print the plan; `full` names every resource."""
    console.print(tree(plan, full=full))
    console.print()
    console.print(_layers(plan))
    if plan.protected:
        console.print()
        console.print(f"protected, `destroy` refuses them: {len(plan.protected)}", style="bold")
        for name in _some(plan.protected, full=full):
            console.print(f"  {name}", highlight=False)
    if plan.identities:
        console.print()
        console.print("identities, which policies name", style="bold")
        shown = [f"{workload}  {identity}" for workload, identity in plan.identities.items()]
        for line in _some(shown, full=full):
            console.print(f"  {line}", highlight=False)
    if plan.warnings:
        console.print()
        console.print("to look at", style="bold")
        for warning in plan.warnings:
            console.print(Text.assemble(("  ! ", "yellow"), warning))


def tree(plan: Plan, *, full: bool) -> Tree:
    """Components with their resources by type; partners one line each."""
    children: dict[str | None, list[Registration]] = {}
    for registration in plan.registrations:
        children.setdefault(registration.parent_urn, []).append(registration)
    [root] = [each for each in plan.registrations if each.type == STACK_TYPE]
    top = Tree(_headline(plan), guide_style="dim")
    costs = _costs_by_component(plan)
    partners = {each.name: each for each in plan.partners}
    for component in children.get(root.urn, ()):
        if component.type == PARTNER:
            continue
        if not component.custom:
            _component(top, component, children, costs.get(component.name), platform=plan.platform, full=full)
        elif full:
            top.add(Text.assemble((kind(component), "cyan"), f" {component.name}"))
    found = [each for each in children.get(root.urn, ()) if each.type == PARTNER]
    if found:
        _partners(top, found, children, partners, full=full)
    return top


def _headline(plan: Plan) -> Text:
    text = Text.assemble((plan.platform, "bold"), f"  {plan.environment} · {len(plan.registrations) - 1} resources")
    if plan.partners:
        text.append(f" · {len(plan.partners)} partners")
    if plan.costs:
        least, most = sum(line.least for line in plan.costs), sum(line.most for line in plan.costs)
        text.append(f" · {_dollars(least, most)} a month before traffic", "green")
    return text


def _component(
    top: Tree,
    component: Registration,
    children: Mapping[str | None, Sequence[Registration]],
    cost: tuple[float, float] | None,
    *,
    platform: str,
    full: bool,
) -> None:
    below = children.get(component.urn, ())
    head = Text.assemble((kind(component), "bold cyan"), f" {component.name}", (f"  {len(below)}", "dim"))
    if cost is not None:
        head.append(f"  {_dollars(*cost)} a month", "green")
    branch = top.add(head)
    if component.type in _ONE_LINE and not full:
        head.append(f"  {_kinds(below)}", "dim")
        return
    by_kind: dict[str, list[Registration]] = {}
    for resource in below:
        by_kind.setdefault(kind(resource), []).append(resource)
    for name, resources in by_kind.items():
        branch.add(_resources(name, (component.name, platform), resources, full=full))


def _resources(name: str, owners: tuple[str, str], resources: Sequence[Registration], *, full: bool) -> Text:
    """`Subnet ×12  public-0, public-1 … 10 more`."""
    text = Text.assemble((name, "cyan"), (f" ×{len(resources)}" if len(resources) > 1 else "", "dim"), "  ")
    names = [_short(each, name, owners) for each in resources]
    text.append(", ".join(_some(names, full=full)))
    protected = sum(1 for each in resources if each.protect)
    if protected:
        text.append("  protected" if protected == len(resources) else f"  {protected} protected", "magenta")
    return text


def _short(resource: Registration, of_kind: str, owners: tuple[str, str]) -> str:
    """A name without what its place in the tree says already: the component's name and kind, or the platform's name."""
    owner, platform = owners
    return resource.name.removeprefix(f"{owner}/{of_kind}/").removeprefix(f"{platform}-")


def _kinds(resources: Sequence[Registration]) -> str:
    """`Gateway, 4 VirtualService, …`, in the order of their first."""
    counts: dict[str, int] = {}
    for each in resources:
        counts[kind(each)] = counts.get(kind(each), 0) + 1
    return ", ".join(f"{count} {name}" if count > 1 else name for name, count in counts.items())


def _some(names: Sequence[str], *, full: bool) -> list[str]:
    if full or len(names) <= _NAMES_SHOWN + 1:
        return list(names)
    return [*names[:_NAMES_SHOWN], f"… {len(names) - _NAMES_SHOWN} more"]


def _partners(
    top: Tree,
    found: Sequence[Registration],
    children: Mapping[str | None, Sequence[Registration]],
    partners: Mapping[str, PartnerPlan],
    *,
    full: bool,
) -> None:
    total = sum(len(children.get(each.urn, ())) for each in found)
    lines = [partners[each.name].lines for each in found]
    known = sum(line for line in lines if line is not None)
    branch = top.add(Text.assemble(("Partners", "bold cyan"), f"  {known} lines of configuration → {total} objects"))
    shown = found if full or len(found) <= _PARTNERS_SHOWN else found[:_PARTNERS_SHOWN]
    widest = max(len(each.name) for each in shown)
    for component in shown:
        objects = children.get(component.urn, ())
        branch.add(_partner(partners[component.name], objects, widest, full=full))
    if len(shown) < len(found):
        branch.add(Text(f"… {len(found) - len(shown)} more partners; --full names them", "dim"))


def _partner(partner: PartnerPlan, objects: Sequence[Registration], widest: int, *, full: bool) -> Text:
    written = "?" if partner.lines is None else str(partner.lines)
    text = Text.assemble(f"{partner.name:<{widest}}", f"  {written:>3} lines → {partner.objects:>3} objects  ")
    text.append(_kinds(objects), "dim")
    if full:
        text.append("".join(f"\n    {each.name.removeprefix(f'{partner.name}/')}" for each in objects))
    return text


def _costs_by_component(plan: Plan) -> dict[str, tuple[float, float]]:
    """Component → dollars a month, at least and at most. The bill's `node groups` is the component `node-groups`."""
    found: dict[str, tuple[float, float]] = {}
    for line in plan.costs:
        name = line.component.replace(" ", "-")
        least, most = found.get(name, (0.0, 0.0))
        found[name] = least + line.least, most + line.most
    return found


def _dollars(least: float, most: float) -> str:
    return f"${least:,.0f}" if round(least) == round(most) else f"${least:,.0f}–{most:,.0f}"


def _layers(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right")
    table.add_column()
    for name, count in _counts(plan):
        table.add_row(str(count), name)
    return table


def _counts(plan: Plan) -> Iterator[tuple[str, int]]:
    yield from plan.layers.items()
    yield "in all", sum(plan.layers.values())
