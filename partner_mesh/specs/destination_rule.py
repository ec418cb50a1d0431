"""An application's DestinationRule: mutual TLS towards it, its versions, and the bounds and spread of calls."""

from typing import Any

from partner_mesh.config.application import Application
from partner_mesh.config.stack import Stack
from partner_mesh.config.traffic import CircuitBreaker, LoadBalancing
from partner_mesh.model import Manifest
from partner_mesh.model.names import NETWORKING
from partner_mesh.specs.application import visible_to
from partner_mesh.specs.stack import ambient, application_host, owned

_SIMPLE = {"least-request": "LEAST_REQUEST", "round-robin": "ROUND_ROBIN", "random": "RANDOM"}


def destination_rule(stack: Stack, application: str, partner_gateways: tuple[str, ...]) -> Manifest:
    """One rule an application, seen by its callers and by the gateways that may lead to it."""
    declared = stack.applications[application]
    spec: dict[str, Any] = {
        "host": application_host(stack, application),
        "exportTo": visible_to(stack, application, partner_gateways),
        "trafficPolicy": traffic_policy(stack, declared),
    }
    if declared.versions:
        spec["subsets"] = [{"name": version, "labels": {"version": version}} for version in declared.versions]
    labels = owned(application=application)
    return Manifest(NETWORKING, "DestinationRule", application, declared.namespace, labels, body={"spec": spec})


def traffic_policy(stack: Stack, application: Application) -> dict[str, Any]:
    """The policy of every subset. `portLevelSettings` replace it whole, so they repeat all of it."""
    base: dict[str, Any] = {}
    if application.load_balancing is not None:
        base["loadBalancer"] = load_balancer(application.load_balancing)
    if application.circuit_breaker is not None:
        base["connectionPool"] = connection_pool(application.circuit_breaker)
        base["outlierDetection"] = outlier_detection(application.circuit_breaker)
    exception = application.mutual_tls
    mode = "DISABLE" if exception is not None and exception.mode == "DISABLE" else "ISTIO_MUTUAL"
    # Under ambient ztunnel speaks mutual TLS by itself, and a rule that asks for it again would ask the application.
    tls = {} if ambient(stack, application.namespace) else {"tls": {"mode": mode}}
    policy = base | tls
    if exception is not None and tls:
        plain = [
            {"port": {"number": port.port}, **base, "tls": {"mode": other}}
            for port in application.ports.values()
            if (other := _client_mode(exception.ports.get(port.target, exception.mode))) != mode
        ]
        if plain:
            policy["portLevelSettings"] = plain
    return policy or {"loadBalancer": {"simple": "LEAST_REQUEST"}}


def _client_mode(mode: str) -> str:
    """What clients do for a server's mode: PERMISSIVE servers take mutual TLS from those who have it."""
    return "DISABLE" if mode == "DISABLE" else "ISTIO_MUTUAL"


def load_balancer(balancing: LoadBalancing) -> dict[str, Any]:
    """`loadBalancer` of a traffic policy. Locality fails over only with outlier detection."""
    found: dict[str, Any] = {}
    if balancing.policy == "consistent-hash":
        hashed = balancing.hash
        if hashed is not None and hashed.header is not None:
            found["consistentHash"] = {"httpHeaderName": hashed.header}
        elif hashed is not None and hashed.cookie is not None:
            found["consistentHash"] = {"httpCookie": {"name": hashed.cookie, "ttl": "0s"}}
        else:
            found["consistentHash"] = {"useSourceIp": True}
    else:
        found["simple"] = _SIMPLE[balancing.policy]
    if balancing.locality:
        found["localityLbSetting"] = {"enabled": True}
    return found


def connection_pool(breaker: CircuitBreaker) -> dict[str, Any]:
    """`connectionPool`: bounds of connections and of requests that wait."""
    http: dict[str, Any] = {"http1MaxPendingRequests": breaker.max_pending_requests}
    if breaker.max_requests_per_connection is not None:
        http["maxRequestsPerConnection"] = breaker.max_requests_per_connection
    return {
        "tcp": {"maxConnections": breaker.max_connections, "connectTimeout": breaker.connect_timeout},
        "http": http,
    }


def outlier_detection(breaker: CircuitBreaker) -> dict[str, Any]:
    """`outlierDetection`: when an endpoint is put aside, and for how long."""
    return {
        "consecutive5xxErrors": breaker.consecutive_errors,
        "interval": breaker.interval,
        "baseEjectionTime": breaker.eject_for,
        "maxEjectionPercent": breaker.max_ejection_percent,
    }
