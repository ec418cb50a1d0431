"""The loopback test's objects, and the test itself in a running lab."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import yaml

from lab import LabError, hairpin, looped
from lab import stack as stacks
from lab.cluster import Cluster
from lab.control import Lab
from lab.tools import Tools
from partner_mesh.analysis.invariants import Facts, examined
from partner_mesh.analysis.resources import of_documents
from partner_mesh.specs.hairpin import Loop, job, loops, script
from tests.lab import dev

RANGE = "10.40.0.0/16"


def loop(partner: str = "acme-mobile") -> Loop:
    stack = dev.stack()
    return next(iter(loops(stack, next(p for p in stack.partners if p.name == partner), [RANGE])))


def test_the_objects_stand_beside_the_real_ones_and_are_told_by_a_label() -> None:
    real = {manifest.key for manifest in dev.compiled()}
    for manifest in loop().objects:
        assert manifest.key not in real
        assert manifest.labels["partner-mesh.dev/partner"] == "acme-mobile-hairpin"


def test_only_the_address_differs_from_the_partners_own_policy() -> None:
    own = dev.document("AuthorizationPolicy", "charging", "acme-mobile.charging")
    ours = next(m.document() for m in loop().objects if m.name == "acme-mobile.charging.hairpin")
    for rule, mine in zip(own["spec"]["rules"], ours["spec"]["rules"], strict=True):
        assert mine["to"] == rule["to"]
        assert mine["from"][0]["source"].pop("remoteIpBlocks") == [RANGE]
        assert mine["from"][0]["source"].items() <= rule["from"][0]["source"].items()


def test_our_host_leads_to_the_gateways_service_and_its_capture_is_told_to_the_caller_only() -> None:
    entry = next(m for m in loop().objects if m.kind == "ServiceEntry").body["spec"]
    assert entry["endpoints"] == [{"address": "partners.istio-partners.svc.cluster.local"}]
    assert entry["exportTo"] == ["."]
    capture = next(m for m in loop().objects if m.name.endswith(".capture")).body["spec"]
    assert capture["exportTo"] == ["charging"]
    rule = next(m for m in loop().objects if m.kind == "DestinationRule").body["spec"]
    tls = rule["trafficPolicy"]["portLevelSettings"][0]["tls"]
    assert (tls["mode"], tls["credentialName"], rule["exportTo"]) == ("MUTUAL", loop().credential, ["."])


def test_the_job_has_the_applications_identity_but_not_its_labels() -> None:
    template = job(loop(), dev.stack(), "curl").body["spec"]["template"]
    assert template["spec"]["serviceAccountName"] == "charging"
    assert "app" not in template["metadata"]["labels"]


def test_the_job_goes_to_its_applications_nodes_as_admission_asks_of_every_pod() -> None:
    spec = job(loop(), dev.stack(), "curl").body["spec"]["template"]["spec"]
    assert spec["nodeSelector"] == {"dedicated": "billing"}
    assert [(each["key"], each["value"]) for each in spec["tolerations"]] == [("dedicated", "billing")]


@pytest.mark.parametrize(
    ("answers", "status"), [(["200", "200", "403", "000"], 0), (["403", "200", "403", "000"], 1), (["200"] * 4, 1)]
)
def test_the_jobs_script_fails_if_a_call_does_not_end_as_it_should(
    tmp_path: Path, answers: list[str], status: int
) -> None:
    (tmp_path / "answers").write_text("\n".join(answers) + "\n")
    curl = tmp_path / "curl"
    curl.write_text(f"#!/bin/sh\nhead -n1 {tmp_path}/answers; sed -i 1d {tmp_path}/answers\n")
    curl.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["sh", "-ec", script(loop())], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout


def test_yaml_for_a_cluster_holds_everything_and_names_the_secret() -> None:
    stack = dev.stack()
    text = looped.objects(stack, hairpin.partners(stack, None), None, "curl")
    documents = [document for document in yaml.safe_load_all(text) if document]
    assert [d["kind"] for d in documents].count("Job") == 2
    assert "# Secret istio-egress/acme-mobile-hairpin-acme" in text


def test_the_objects_keep_to_every_invariant_but_that_a_person_brings_the_secret() -> None:
    day, judged = date(2026, 11, 25), stacks.judged(dev.compiled())
    text = looped.objects(dev.stack(), hairpin.partners(dev.stack(), None), None, "curl")
    beside = [document for document in yaml.safe_load_all(text) if document]
    before = examined(Facts(of_documents(judged), day))
    found = [each for each in examined(Facts(of_documents([*judged, *beside]), day)) if each not in before]
    assert [(each.identifier.partition("-")[0], each.object) for each in found] == [
        ("PM032", "DestinationRule istio-egress/acme-mobile-hairpin-acme"),
        ("PM032", "DestinationRule istio-egress/globex-telecom-hairpin-globex"),
    ]


def test_what_a_header_holds_stays_one_word_of_the_jobs_shell() -> None:
    inbound = loop().inbound
    route = inbound.routes[0].model_copy(update={"headers": {"x-a": "'; exit 0; '"}})
    hostile = replace(loop(), inbound=inbound.model_copy(update={"routes": (route,)}))
    done = subprocess.run(["sh", "-n", "-c", script(hostile)], check=False)
    call = next(line for line in script(hostile).splitlines() if "x-a" in line)
    assert (done.returncode, "-H 'x-a: '\"'\"'; exit 0; '\"'\"''" in call) == (0, True), call


@pytest.mark.parametrize(
    ("partner", "says"),
    [("nobody", "there is no partner nobody"), ("google-apis", "google-apis calls no HTTP host of ours")],
)
def test_a_partner_that_cannot_be_tested_is_named(partner: str, says: str) -> None:
    with pytest.raises(LabError, match=says):
        hairpin.partners(dev.stack(), partner)


@pytest.fixture(scope="module")
def cluster(lab_tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(lab_tools, Path(tmp_path_factory.mktemp("cluster"))) as running:
        yield running


@pytest.mark.lab
def test_an_api_server_admits_the_objects_and_the_job(cluster: Cluster) -> None:
    stack = dev.stack()
    cluster.apply([d for d in dev.objects() if d["kind"] == "Namespace"])
    partners = hairpin.partners(stack, None)
    documents = yaml.safe_load_all(looped.objects(stack, partners, None, "curl"))
    applied = cluster.apply([d for d in documents if d], dry_run=True)
    assert (applied.refused, applied.unserved) == ((), ())


@pytest.mark.lab
def test_the_loop_works_and_nothing_else_does(dev_lab: Lab, lab_tools: Tools) -> None:
    documents = stacks.documents(lab_tools, dev.compiled())
    found = [f for test in hairpin.tests(dev_lab, dev.stack(), documents, "acme-mobile") for f in test.findings()]
    assert [f.text() for f in found if not f.passed] == []
    assert len(found) == 14
    assert [f.sentence.partition(": ")[2] for f in found[-2:]] == [
        "The Job for a real cluster ends well.", "The Job fails once the policy that admits it is gone."
    ]  # fmt: skip
