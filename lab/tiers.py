"""The lab's first two tiers, each a list of findings in sentences: what Istio's tools say, what the API server admits.

Tier 1: `istioctl validate` and `analyze` of all objects; Istio's charts rendered with the compiled values, what comes
out admitted by the API server. Tier 2: server-side apply of everything with Istio's CRDs and istiod's webhook, and once
more, which must change nothing. Tier 3, the data plane, asks requests: `lab.scenarios`.
"""

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from lab import home
from lab.charts import folder_of, rendered
from lab.cluster import Applied, Cluster
from lab.tools import Tools
from partner_mesh.model import ChartRelease

Document = Mapping[str, Any]
ISTIO: Final = ("networking.istio.io", "security.istio.io", "telemetry.istio.io", "extensions.istio.io")
# analyze looks for Secrets that an external store delivers, and at clusters: neither is in a file.
EXPECTED: Final[Mapping[str, str]] = {
    "IST0101": "a credential's Secret comes from outside",
    "IST0134": "istiod allocates addresses of TCP hosts by itself",
    "IST0129": "analyze does not read credentialName",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence of a tier's table; `details` are lines below it."""

    tier: int
    passed: bool
    sentence: str
    details: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def text(self) -> str:
        """For a person: one line, and what failed below it."""
        lines = [f"{self.tier}  {'ok    ' if self.passed else 'FAILED'}  {self.sentence}"]
        return "\n".join([*lines, *(f"             {detail}" for detail in self.details)])


def offline(tools: Tools, documents: Sequence[Document]) -> list[Finding]:
    """What istioctl says about the objects as files."""
    istio = [d for d in documents if d["apiVersion"].partition("/")[0] in ISTIO]
    with home.temporary() as folder:
        mine, all_of_them = folder / "istio.yaml", folder / "all.yaml"
        mine.write_text(yaml.safe_dump_all(istio, sort_keys=False))
        all_of_them.write_text(yaml.safe_dump_all([dict(d) for d in documents], sort_keys=False))
        return [_validated(tools, mine, len(istio)), _analyzed(tools, all_of_them, len(documents))]


def charts(tools: Tools, releases: Sequence[ChartRelease], cluster: Cluster) -> list[Finding]:
    """Istio's charts rendered with the compiled values; whether the API server admits what comes out."""
    documents = rendered(tools, releases)
    own = [release.name for release in releases if folder_of(tools, release) is not None]
    others = [release.name for release in releases if folder_of(tools, release) is None]
    found = [
        Finding(
            1, passed=True, sentence=f"helm renders {len(documents)} objects from Istio's charts: {', '.join(own)}."
        )
    ]
    if others:
        found.append(
            Finding(1, passed=True, sentence=f"Charts of others are not at hand and not rendered: {', '.join(others)}.")
        )
    cluster.apply([_namespace(name) for name in dict.fromkeys(release.namespace for release in releases)])
    # Not the webhooks: live, they would call a Service that nobody serves.
    applied = cluster.apply(documents, dry_run=True)
    return [*found, _admission(1, "The API server admits", applied)]


def admitted(documents: Sequence[Document], cluster: Cluster) -> list[Finding]:
    """Server-side apply of everything, twice."""
    named = {d["metadata"]["name"] for d in documents if d["kind"] == "Namespace"}
    wanted = dict.fromkeys(d["metadata"]["namespace"] for d in documents if "namespace" in d["metadata"])
    cluster.apply([_namespace(name) for name in wanted if name not in named])
    first = cluster.apply(documents)
    second = cluster.apply(documents)
    changed = [name for name, content in second.content.items() if content != first.content.get(name)]
    found = [_admission(2, "The API server and istiod's webhook accept", first)]
    if first.unserved:
        kinds = ", ".join(dict.fromkeys(name.partition(" ")[0] for name in first.unserved))
        found.append(
            Finding(
                2,
                passed=True,
                sentence=f"{len(first.unserved)} objects of kinds that their operators bring were left out: {kinds}.",
            )
        )
    many = f"changes {len(changed)} objects" if changed else "changes nothing"
    found.append(
        Finding(2, passed=not changed, sentence=f"Applying everything a second time {many}.", details=tuple(changed))
    )
    return found


def refusals(cluster: Cluster, broken: Iterable[Document]) -> list[str]:
    """Those of some bad objects that were accepted all the same: the webhook seen failing."""
    return list(cluster.apply(list(broken), dry_run=True).accepted)


def _validated(tools: Tools, path: Path, count: int) -> Finding:
    done = subprocess.run(
        [tools.built("istioctl"), "validate", "-f", path], capture_output=True, text=True, check=False
    )
    said = tuple(line for line in (done.stdout + done.stderr).splitlines() if line.strip())
    if done.returncode == 0:
        return Finding(1, passed=True, sentence=f"istioctl validate accepts {count} objects.")
    return Finding(1, passed=False, sentence=f"istioctl validate refuses some of {count} objects.", details=said)


def _analyzed(tools: Tools, path: Path, count: int) -> Finding:
    # Without -A it looks at namespace default only, and calls broken files clean.
    done = subprocess.run(
        [tools.built("istioctl"), "analyze", "--use-kube=false", "-A", "-o", "json", path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        messages = json.loads(done.stdout or "[]") or []
    except ValueError:
        return Finding(
            1,
            passed=False,
            sentence="istioctl analyze failed.",
            details=tuple((done.stdout + done.stderr).splitlines()),
        )
    serious = [m for m in messages if m["level"] in {"Error", "Warning"} and m["code"] not in EXPECTED]
    known = sorted({m["code"] for m in messages if m["code"] in EXPECTED})
    because = f" ({', '.join(f'{code}: {EXPECTED[code]}' for code in known)})" if known else ""
    lines = tuple(f"{m['code']} {m.get('origin', '')}: {m['message']}" for m in serious)
    if not serious:
        return Finding(1, passed=True, sentence=f"istioctl analyze finds nothing wrong in {count} objects{because}.")
    return Finding(
        1, passed=False, sentence=f"istioctl analyze finds {len(serious)} faults in {count} objects.", details=lines
    )


def _admission(tier: int, beginning: str, applied: Applied) -> Finding:
    if not applied.refused:
        return Finding(tier, passed=True, sentence=f"{beginning} {len(applied.accepted)} objects.")
    lines = tuple(f"{name}: {reason}" for name, reason in applied.refused)
    return Finding(tier, passed=False, sentence=f"{len(applied.refused)} objects are refused.", details=lines)


def _namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


__all__ = ["Finding", "admitted", "charts", "offline", "refusals"]
