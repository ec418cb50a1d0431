"""A sample of the mutants of a small stack; `python -m bench.mutation` judges all of them (docs/mutation.md)."""

import random
from functools import cache

import pytest

from bench.equivalent import sure
from bench.mutants import Mutant, mutants, title_of
from bench.mutation import SEED, Judge, Noticed, chosen, judge_of, judged_by, score
from tests.specs.stacks import APPLICATIONS, GATEWAYS, loaded

SAMPLE = 90
PARTNER = {
    "name": "acme",
    "owner": "a@example.com",
    "inbound": {
        "host": "acme.partners.example.com",
        "clientCertificate": {"ca": "acme-ca", "subjectAltNames": ["a.acme.example"]},
        "sourceRanges": ["198.51.100.0/28"],
        "routes": [{"methods": ["POST"], "path": "/v1", "to": "charging:http"}],
    },
    "outbound": {"host": "api.acme.example", "from": ["charging"], "methods": ["POST"], "paths": ["/pay"]},
}


@cache
def judge() -> Judge:
    gateways = GATEWAYS | {"partners": GATEWAYS["partners"] | {"certificate": "partners-server"}}
    return judge_of(loaded(applications=APPLICATIONS, gateways=gateways, partners=[PARTNER]))


def sample(found: list[Mutant], number: int) -> list[Mutant]:
    """The same ones on every run."""
    return random.Random(SEED).sample(found, min(number, len(found)))


def mutant(title: str, what: str, *path: str | int) -> Mutant:
    return next(
        each for each in judge().mutants() if each.title == title and each.path == path and each.what.startswith(what)
    )


def test_no_mutant_of_a_sample_survives() -> None:
    judged = [judge().judge(each) for each in sample(judge().mutants(), SAMPLE)]
    assert [str(each.mutant) for each in judged if each.noticed is Noticed.NOTHING] == []
    noticed, total = score(judged)
    assert noticed == total > SAMPLE / 2


def test_what_is_sure_to_be_equivalent_changes_no_access() -> None:
    """The table that spares us asking is itself asked."""
    said_sure = [each for each in judge().mutants() if sure(each)]
    noticed = {str(each): judge().noticed(each) for each in sample(said_sure, 25)}
    assert {each for each, by in noticed.items() if by in (Noticed.ACCESS, Noticed.LAYER, Noticed.HANDSHAKE)} == set()


@pytest.mark.parametrize(
    ("title", "path", "what", "by"),
    [
        ("NetworkPolicy charging/charging", (), "dropped", Noticed.LAYER),
        ("NetworkPolicy charging/default-deny", (), "dropped", Noticed.DECISION),
        ("PeerAuthentication istio-system/default", ("spec", "mtls", "mode"), "STRICT made PERMISSIVE", Noticed.LAYER),
        (
            "Gateway istio-partners/acme-acme",
            ("spec", "servers", 0, "tls", "mode"),
            "MUTUAL made SIMPLE",
            Noticed.LAYER,
        ),
        ("ExternalSecret istio-partners/acme-acme", (), "dropped", Noticed.INVARIANT),
        ("NetworkSet istio-partners/acme", ("spec", "nets", 0), "198.51.100.0/28 made everybody", Noticed.LAYER),
    ],
)
def test_a_well_known_fault_is_noticed(title: str, path: tuple[str | int, ...], what: str, by: Noticed) -> None:
    assert judge().noticed(mutant(title, what, *path)) is by


def test_a_sample_has_one_of_each_kind_of_place_and_is_the_same_on_every_run() -> None:
    every = judge().mutants()
    found = chosen(every, 1)
    assert found == chosen(every, 1)
    assert {(each.kind, each.place) for each in found} == {(each.kind, each.place) for each in every}
    assert len(found) < len(every) / 2
    assert chosen(every, None) == every
    more = chosen(every, len(found) + 5)
    assert len(more) == len(found) + 5
    assert set(map(str, found)) <= set(map(str, more))


def test_processes_say_what_one_says(capsys: pytest.CaptureFixture[str]) -> None:
    found = sample(judge().mutants(), 6)
    assert list(judged_by(judge(), found, 2)) == [judge().judge(each) for each in found]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("title", "path", "what", "proof"),
    [
        (
            "SecurityGroup pods",
            ("spec", "ingress", 0, "toPort"),
            "15020 made",
            "another rule of the group admits the same peers to the same ports",
        ),
    ],
)
def test_a_computed_proof_holds_where_it_is_given(
    title: str, path: tuple[str | int, ...], what: str, proof: str
) -> None:
    assert judge().judge(mutant(title, what, *path)).proof == proof


def test_a_mutant_changes_one_document_and_no_other() -> None:
    documents = judge().documents
    before = [repr(each) for each in documents]
    for each in sample(list(mutants(documents, lambda _: True)), 40):
        changed = each.applied(documents)
        assert len(changed) == len(documents) - (not each.path)
        assert sum(one is not other for one, other in zip(documents, changed, strict=False)) >= 1
    assert [repr(each) for each in documents] == before


def test_every_object_that_we_deploy_is_dropped_once() -> None:
    dropped = [each.title for each in judge().mutants() if not each.path]
    assert len(dropped) == len(set(dropped))
    titles = {title_of(each) for each in judge().documents}
    assert set(dropped) <= titles
    assert "NetworkPolicy charging/default-deny" in dropped
