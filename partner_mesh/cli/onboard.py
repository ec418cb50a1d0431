"""`partner-mesh onboard STACK`: questions or flags → a partner file that passes every rule, and the hand-over sheet.

The file is tried in a copy of the configuration first; nothing is written where it does not pass.
"""

import shutil
import sys
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from jinja2 import Environment, StrictUndefined

from partner_mesh.cli.options import ConfigDir, Refusal, StackName
from partner_mesh.cli.stack import read, refuse
from partner_mesh.config.loader import load_stack
from partner_mesh.config.partner import Partner
from partner_mesh.config.problems import ConfigurationError
from partner_mesh.config.stack import Stack
from partner_mesh.model.record import replace
from partner_mesh.model.serialize import dump
from partner_mesh.specs.handover import Sheet, sheet

_SCHEMA: Final = "# yaml-language-server: $schema=../../schema/partner.schema.json\n"
_SHEETS: Final = ("md", "html")


def onboard(  # noqa: PLR0917 - typer's flags are its parameters
    stack: StackName,
    name: Annotated[str | None, typer.Option(help="The partner's name, a DNS label.")] = None,
    owner: Annotated[str | None, typer.Option(help="Who on our side answers for it: an e-mail address.")] = None,
    inbound_host: Annotated[str | None, typer.Option(help="Our host that the partner calls.")] = None,
    client_ca: Annotated[str | None, typer.Option(help="Secret's name of the authority of its certificates.")] = None,
    client_name: Annotated[list[str] | None, typer.Option(help="Name in its certificates; repeat.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Address block that it calls from; repeat.")] = None,
    route: Annotated[
        list[str] | None, typer.Option(help="'METHOD[,METHOD] PATH APPLICATION:PORT' that it may call; repeat.")
    ] = None,
    outbound_host: Annotated[str | None, typer.Option(help="Its host that we call.")] = None,
    caller: Annotated[list[str] | None, typer.Option(help="Application of ours that calls it; repeat.")] = None,
    path: Annotated[list[str] | None, typer.Option(help="Path that we call; repeat. Every path when left out.")] = None,
    certificate: Annotated[str | None, typer.Option(help="Secret's name of our client certificate.")] = None,
    test_window: Annotated[str | None, typer.Option(help="When both sides try it; for the sheet.")] = None,
    addresses: Annotated[list[str] | None, typer.Option(help="Our NAT addresses, for the sheet; repeat.")] = None,
    sheets: Annotated[Path | None, typer.Option(help="Folder for the hand-over sheet (Markdown and HTML).")] = None,
    sheet_only: Annotated[  # noqa: FBT002  # a flag of the command
        bool, typer.Option("--sheet-only", help="The partner's file is there: write its sheet, nothing else.")
    ] = False,
    config_dir: ConfigDir = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")] = False,  # noqa: FBT002
) -> None:
    """Make a partner's file and the sheet to hand over. Asks for what no flag gives, on a terminal."""
    config = read(stack, config_dir)
    ours = tuple(_address(text) for text in addresses or ())
    answers = _Answers(interactive=sys.stdin.isatty())
    if sheet_only:
        _hand_over(config, answers.text("Partner's name", name, "--name"), ours, sheets or Path())
        return
    document: dict[str, Any] = {
        "name": answers.text("Partner's name", name, "--name"),
        "owner": answers.text("Owner's e-mail address", owner, "--owner"),
    }
    if test_window:
        document["testWindow"] = test_window
    if answers.wants("Does it call us?", inbound_host, client_ca, client_name, source, route):
        document["inbound"] = {
            "host": answers.text("Our host that it calls", inbound_host, "--inbound-host"),
            "clientCertificate": {
                "ca": answers.text("Secret's name of its authority", client_ca, "--client-ca"),
                "subjectAltNames": answers.many("Name in its certificates", client_name, "--client-name"),
            },
            "sourceRanges": answers.many("Address block that it calls from", source, "--source"),
            "routes": [_route(text) for text in answers.many("'METHOD PATH APPLICATION:PORT'", route, "--route")],
        }
    if answers.wants("Do we call it?", outbound_host, caller, path, certificate):
        document["outbound"] = {
            "host": answers.text("Its host that we call", outbound_host, "--outbound-host"),
            "from": answers.many("Application of ours that calls it", caller, "--caller"),
            **({"paths": paths} if (paths := answers.any("Path that we call (empty: every path)", path)) else {}),
            "tls": _tls(answers.maybe("Secret's name of our client certificate (empty: none)", certificate)),
        }
    target = partner_file(config_dir, stack, document["name"])
    if target.exists() and not force:
        raise Refusal(f"{target} is there already; --force replaces it")
    text = _SCHEMA + dump(document)
    partner, whole = tried(stack, config_dir, target, text)
    _written(target, text)
    if sheets is not None:
        _hand_over(whole, partner.name, ours, sheets)


def _address(text: str) -> str:
    try:
        return str(ip_network(text) if "/" in text else ip_address(text))
    except ValueError as error:
        raise Refusal(f"--addresses {text!r} is no address: {error}; they are in `pulumi stack output`") from None


def _hand_over(config: Stack, name: str, ours: tuple[str, ...], folder: Path) -> None:
    """The sheet of a partner that the configuration has, as Markdown and as HTML."""
    partner = next((each for each in config.partners if each.name == name), None)
    if partner is None:
        known = ", ".join(each.name for each in config.partners) or "none"
        raise Refusal(f"there is no partner {name!r}; there are: {known}")
    made = sheet(config, partner, ours)
    for kind in _SHEETS:
        _written(folder / f"{name}.{kind}", rendered(made, kind))
    if made.outgoing and not ours:
        typer.echo(
            "the sheet does not say where our calls come from: give --addresses, which `pulumi stack output "
            "natAddresses` shows after the first deployment",
            err=True,
        )


def _written(target: Path, text: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refusal(f"{target} cannot be written: {error.strerror}") from None
    typer.echo(f"wrote {target}")


class _Answers:
    """Flags first; on a terminal, questions for the rest; otherwise the missing flag by name."""

    def __init__(self, *, interactive: bool) -> None:
        self.interactive = interactive

    def text(self, question: str, given: str | None, flag: str) -> str:
        """One answer."""
        if given is not None:
            return given
        if not self.interactive:
            raise Refusal(f"{flag} is missing: {question.lower()}")
        return str(typer.prompt(question)).strip()

    def many(self, question: str, given: list[str] | None, flag: str) -> list[str]:
        """One answer or more."""
        if given:
            return list(given)
        if not self.interactive:
            raise Refusal(f"{flag} is missing: {question.lower()}")
        found: list[str] = []
        while True:
            answer = str(
                typer.prompt(f"{question}{' (empty: no more)' if found else ''}", default="" if found else None)
            ).strip()
            if not answer:
                return found
            found.append(answer)

    def any(self, question: str, given: list[str] | None) -> list[str]:
        """As many answers as there are, none included."""
        found = list(given or ())
        while given is None and self.interactive and (answer := self.maybe(question, None)):
            found.append(answer)
        return found

    def maybe(self, question: str, given: str | None) -> str:
        """One answer, or none."""
        if given is not None or not self.interactive:
            return given or ""
        return str(typer.prompt(question, default="", show_default=False)).strip()

    def wants(self, question: str, *flags: object) -> bool:
        """Whether a direction is meant: any of its flags says so."""
        return any(flags) or (self.interactive and typer.confirm(question, default=True))


def _tls(certificate: str) -> dict[str, Any]:
    return {"mode": "mutual", "certificate": certificate} if certificate else {"mode": "simple"}


def _route(text: str) -> dict[str, Any]:
    parts = text.split()
    if len(parts) != 3:
        raise Refusal(
            f"--route {text!r}: write 'METHOD[,METHOD] PATH APPLICATION:PORT', as 'POST /v1/hooks/{{*}} charging:http'"
        )
    methods, path, to = parts
    return {"methods": methods.split(","), "path": path, "to": to}


def partner_file(config_dir: Path, stack: str, name: str) -> Path:
    """Where a partner's file belongs."""
    if not name or "/" in name or name.startswith("."):
        raise Refusal(f"{name!r} is not a name: lower-case letters, digits and inner hyphens")
    return config_dir / "partners" / stack / f"{name}.yaml"


def tried(stack: str, config_dir: Path, target: Path, text: str) -> tuple[Partner, Stack]:
    """The partner and the whole stack with it; with mistakes they are printed and the program ends with status 2."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        for file in config_dir.glob("Pulumi*.yaml"):
            shutil.copyfile(file, copy / file.name)
        folder = copy / "partners" / stack
        folder.mkdir(parents=True)
        for file in target.parent.glob("*.yaml"):
            if file.name != target.name:
                shutil.copyfile(file, folder / file.name)
        (folder / target.name).write_text(text, encoding="utf-8")
        try:
            whole = load_stack(stack, copy)
        except ConfigurationError as error:
            # The copy's place is nobody's business: the files are named as the person has them.
            here = (replace(each, file=each.file.replace(str(copy), str(config_dir))) for each in error.problems)
            refuse(tuple(here))
            raise typer.Exit(2) from None
    return next(partner for partner in whole.partners if partner.name == target.stem), whole


def _cell(text: str) -> str:
    """Text in a cell of a Markdown table: one line, no column's edge, no markup of HTML."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def rendered(made: Sheet, kind: str) -> str:
    """The sheet laid out; in HTML everything from configuration is escaped."""
    environment = Environment(
        autoescape=kind == "html",  # noqa: S701 - Markdown is text: escaping would show `&lt;` to a person
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = _cell
    template = files("partner_mesh.cli") / "templates" / f"handover.{kind}.j2"
    context: Mapping[str, Any] = {"sheet": made}
    return environment.from_string(template.read_text(encoding="utf-8")).render(context)
