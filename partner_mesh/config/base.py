"""What all configuration models share: strictness, spelling, and the scalar types with their reasons.

Every message here is read by the person who wrote the file: it says what is wrong and what would be right.
"""

import ipaddress
import re
from datetime import date
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_before_validator_function

from partner_mesh.model.path import PathTemplate


class Model(BaseModel):
    """A section of the configuration: frozen, no unknown keys, camelCase as Kubernetes writes it."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=False,
        validate_default=True,
        defer_build=True,  # only models that are used build a validator: half of the start-up time
    )


_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|s))+")


def _refuse(reason: str, remedy: str) -> ValueError:
    """Reason and remedy in one exception; the loader shows them apart (split at the separator)."""
    return ValueError(f"{reason}|{remedy}")


def _name(value: str) -> str:
    if not _LABEL.fullmatch(value):
        raise _refuse(
            f"{value[:80]!r} is not a DNS label",
            "use lower-case letters, digits and inner hyphens, 63 characters at most",
        )
    return value


def _host(value: str) -> str:
    if "*" in value:
        raise _refuse(
            f"{value[:80]!r} has a wildcard", "name each host exactly: a wildcard would serve hosts that nobody owns"
        )
    if value != value.lower():
        raise _refuse(f"{value[:80]!r} is not lower case", f"write {value.lower()!r}")
    if len(value) > 253 or "." not in value or not all(_LABEL.fullmatch(label) for label in value.split(".")):
        raise _refuse(
            f"{value[:80]!r} is not a fully qualified host name",
            "write it as api.example.com, without scheme, port or path",
        )
    if re.fullmatch(r"[0-9.]+", value):
        raise _refuse(f"{value[:80]!r} is an address", "name a host: certificates and SNI need one")
    return value


def _cidr(value: str) -> str:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise _refuse(f"{value[:80]!r} is not a CIDR", "write an address block as 198.51.100.0/28") from None
    if str(network) != value:
        raise _refuse(f"{value[:80]!r} is not canonical", f"write {network}")
    return value


def _duration(value: str) -> str:
    if not _DURATION.fullmatch(value) or not re.search(r"[1-9]", value):
        raise _refuse(f"{value[:80]!r} is not a duration above zero", "write it with a unit: 500ms, 5s, 1m30s")
    return value


def _path(value: str) -> str:
    try:
        PathTemplate(value)
    except ValueError as error:
        raise _refuse(f"{value[:80]!r} is not a path: {error}", "write /exact/path, /one/{*} or /rest/{**}") from None
    return value


def _chart_source(value: str) -> str:
    if not re.fullmatch(r"(https?|oci)://[^\s/]+(/\S*)?|\.{0,2}/\S*", value):
        raise _refuse(
            f"{value[:80]!r} is no place for charts",
            "write a repository as https://host/path, a registry as oci://host/path, or a folder as ./charts",
        )
    return value


def _header_name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9!#$%&'*+.^_`|~-]+", value):
        raise _refuse(
            f"{value[:80]!r} is not a header name in lower case", "HTTP/2 header names are lower case: x-api-version"
        )
    return value


ENCRYPTED: Final = "[secret]"
"""What stands for a value that Pulumi keeps encrypted: offline nobody can read it, and nobody needs to."""

_SECRET_SHAPES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("a PEM block", re.compile(r"-----BEGIN ")),
    ("a JSON Web Token", re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.")),
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("a bearer token", re.compile(r"^(?:[Bb]earer|[Bb]asic) [\w+/=.~-]{12,}$")),
    (
        "a vendor token",
        re.compile(
            r"\b(?:gh[opsur]_|github_pat_|glpat-|npm_|pul-|[sr]k_live_|whsec_|xox[abps]-|AIza|ya29\.)[\w-]{16,}"
        ),
    ),
    ("a private key in base64", re.compile(r"\bLS0tLS1CRUdJTi")),
    ("a password in a URL", re.compile(r"://[^/\s:@]+:[^/\s@]+@")),
)


_SUSPECT: Final = re.compile("|".join(f"(?:{shape.pattern})" for _, shape in _SECRET_SHAPES))


def secret_shape(value: str) -> str | None:
    """What kind of secret a text looks like, or None. The text itself never goes into a message."""
    if _SUSPECT.search(value) is None:
        return None
    return next(what for what, shape in _SECRET_SHAPES if shape.search(value))


def _secret_name(value: str) -> str:
    if value == ENCRYPTED:
        return value
    if len(value) > 253 or not all(_LABEL.fullmatch(part) for part in value.split(".")):
        raise _refuse(
            "this is not a Secret's name", "give the name of the Secret; its content is delivered from the secret store"
        )
    return value


def _day(value: Any) -> Any:
    if isinstance(value, date) or (isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value)):
        return value
    raise _refuse("this is not a day", "write it as 2027-03-01")


def _listed(value: Any) -> Any:
    """One entry may stand without its list."""
    return value if value is None or isinstance(value, list | tuple) else [value]


def _method(value: str) -> str:
    if not re.fullmatch(r"[A-Z]+", value):
        raise _refuse(f"{value[:80]!r} is not an HTTP method", "methods are upper case: GET, POST")
    return value


def _kind(kind: str, **constraints: str) -> Any:
    """What the published schema says of a scalar: the constraints that it can express, and our word for the rest."""
    return Field(json_schema_extra={"x-kind": kind, **constraints})


class _OneOrList:
    """Lets one entry stand without its list, and says so in the schema."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_before_validator_function(_listed, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        listed = handler(schema)
        return {"anyOf": [listed["items"], listed]}


Name = Annotated[str, AfterValidator(_name), _kind("name", pattern="^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Host = Annotated[str, AfterValidator(_host), _kind("host", pattern="^[a-z0-9-]+([.][a-z0-9-]+)+$")]
Cidr = Annotated[str, AfterValidator(_cidr), _kind("CIDR", pattern="^[0-9a-f.:]+/[0-9]+$")]
Duration = Annotated[str, AfterValidator(_duration), _kind("duration", pattern="^([0-9.]+(h|ms|m|s))+$")]
Path = Annotated[str, AfterValidator(_path), _kind("path", pattern="^/")]
ChartSource = Annotated[
    str, AfterValidator(_chart_source), _kind("chart source", pattern="^((https?|oci)://|[.]{0,2}/)")
]
HeaderName = Annotated[str, AfterValidator(_header_name), _kind("header", pattern="^[^A-Z ]+$")]
SecretName = Annotated[str, AfterValidator(_secret_name), _kind("Secret's name")]
Method = Annotated[str, AfterValidator(_method), _kind("method", pattern="^[A-Z]+$")]
Flag = Annotated[bool, Field(strict=True)]  # `"yes"`, 1 and "true" are mistakes, not booleans
Day = Annotated[date, BeforeValidator(_day)]
Port = Annotated[int, Field(ge=1, le=65535, strict=True, json_schema_extra={"x-kind": "port"})]
Percent = Annotated[float, Field(ge=0, le=100, strict=True, json_schema_extra={"x-kind": "percent"})]
Weight = Annotated[int, Field(ge=0, le=100, strict=True, json_schema_extra={"x-kind": "percent"})]
Listed = _OneOrList()


def seconds(duration: str) -> float:
    """A Duration in seconds."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|s)", duration))
