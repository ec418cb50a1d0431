"""Traffic settings that applications and partners share: retries, circuit breakers, matches, limits."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from partner_mesh.config.base import Day, Duration, Flag, HeaderName, Method, Model, Path, Percent

Protocol = Literal["http", "http2", "grpc", "tcp"]
RetryOn = Literal[
    "5xx",
    "gateway-error",
    "reset",
    "connect-failure",
    "refused-stream",
    "retriable-4xx",
    "unavailable",
    "cancelled",
    "deadline-exceeded",
    "resource-exhausted",
    "internal",
]


class Retries(Model):
    """`retries: 2` is short for `{attempts: 2}`."""

    attempts: Annotated[int, Field(strict=True, ge=0, le=10)]
    per_try_timeout: Duration | None = None
    on: tuple[RetryOn, ...] = ("connect-failure", "refused-stream", "unavailable", "cancelled")


def _attempts(value: Any) -> Any:
    return {"attempts": value} if isinstance(value, int) and not isinstance(value, bool) else value


RetriesOrAttempts = Annotated[Retries, BeforeValidator(_attempts, json_schema_input_type=int | Retries)]


class CircuitBreaker(Model):
    """Bounds towards one destination, and when an endpoint is put aside."""

    max_connections: Annotated[int, Field(strict=True, ge=1)] = 100
    max_pending_requests: Annotated[int, Field(strict=True, ge=1)] = 100
    max_requests_per_connection: Annotated[int, Field(strict=True, ge=1)] | None = None
    connect_timeout: Duration = "5s"
    consecutive_errors: Annotated[int, Field(strict=True, ge=1)] = 5
    interval: Duration = "10s"
    eject_for: Duration = "30s"
    max_ejection_percent: Annotated[int, Field(strict=True, ge=1, le=100)] = 100


class ConsistentHash(Model):
    """Stick by a header, a cookie or the source address: exactly one."""

    header: HeaderName | None = None
    cookie: str | None = None
    source_address: Flag = False


class LoadBalancing(Model):
    """How requests spread over endpoints."""

    policy: Literal["least-request", "round-robin", "random", "consistent-hash"] = "least-request"
    hash: ConsistentHash | None = None
    locality: Flag = False  # prefer the caller's zone; needs a circuit breaker to fail over


class HeaderChanges(Model):
    """Headers set (replacing) and removed."""

    set: dict[HeaderName, str] = {}
    remove: tuple[HeaderName, ...] = ()


class RateLimit(Model):
    """A local rate limit: this many requests in this time, counted by each proxy for itself."""

    requests: Annotated[int, Field(strict=True, ge=1)]
    per: Duration = "1s"
    burst: Annotated[int, Field(strict=True, ge=1)] | None = None


class Abort(Model):
    """Answer with a status instead of calling."""

    status: Annotated[int, Field(strict=True, ge=200, le=599)]
    percent: Percent


class Delay(Model):
    """Wait before calling."""

    duration: Duration
    percent: Percent


class Fault(Model):
    """Fault injection; in prod only with a day on which it ends."""

    abort: Abort | None = None
    delay: Delay | None = None
    until: Day | None = None


class Mirror(Model):
    """A copy of requests goes to another version, whose answer is dropped."""

    to: str
    percent: Percent = 100


class Match(Model):
    """What a request must look like; every part that is given must agree."""

    methods: tuple[Method, ...] = ()
    path: Path | None = None
    headers: dict[HeaderName, str] = {}
