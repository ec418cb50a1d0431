"""Request sets: boxes of hosts, methods and paths, with exact algebra."""

from hypothesis import given, settings
from hypothesis import strategies as st

from partner_mesh.analysis import strings
from partner_mesh.analysis.http import Condition, HttpSet, Requests, of

HOSTS = ("a.example", "b.example", "a.example:443", "b.example:80", "c")
METHODS = ("GET", "POST", "PUT")
PATHS = ("/", "/a", "/a/b", "/a/b/c", "/b")

host_sets = st.sampled_from(
    [
        strings.StringSet.ALL,
        strings.exact("a.example"),
        strings.host_with_any_port("a.example"),
        strings.suffix("example"),
        strings.host_with_any_port("b.example"),
    ]
)
method_sets = st.sampled_from(
    [strings.StringSet.ALL, strings.exact("GET"), strings.exact("GET") | strings.exact("POST")]
)
path_sets = st.sampled_from(
    [
        strings.prefix("/"),
        strings.prefix("/a"),
        strings.path_template("/a/{*}"),
        strings.exact("/b"),
        strings.prefix("/a") - strings.prefix("/a/b"),
    ]
)
boxes = st.builds(Requests, host_sets, method_sets, path_sets)
http_sets = st.lists(boxes, max_size=3).map(of)


@given(http_sets, http_sets)
@settings(max_examples=200)
def test_algebra_agrees_with_membership(left: HttpSet, right: HttpSet) -> None:
    both, either, only = left & right, left | right, left - right
    for host in HOSTS:
        for method in METHODS:
            for path in PATHS:
                request = host, method, path
                in_left, in_right = left.accepts(*request), right.accepts(*request)
                assert both.accepts(*request) == (in_left and in_right)
                assert either.accepts(*request) == (in_left or in_right)
                assert only.accepts(*request) == (in_left and not in_right)


VERSION_2 = Condition("request.headers[x-api-version]", "2", exact=True)
VERSION_3 = Condition("request.headers[x-api-version]", "3", exact=True)


def test_taking_away_a_conditional_box_leaves_the_requests_without_it() -> None:
    left = HttpSet.ALL - of([Requests(conditions=frozenset([VERSION_2]))])
    assert left.document() == [
        {"hosts": ["*"], "methods": ["*"], "paths": ["*"], "when": ["request.headers[x-api-version] is not 2"]}
    ]


def test_two_exact_values_of_one_header_exclude_each_other() -> None:
    assert not of([Requests(conditions=frozenset([VERSION_2]))]) & of([Requests(conditions=frozenset([VERSION_3]))])
    assert not of([Requests(conditions=frozenset([VERSION_2, VERSION_2.negated()]))])


def test_boxes_that_differ_in_one_field_become_one() -> None:
    box = Requests(strings.host_with_any_port("a.example"), strings.exact("GET"), strings.exact("/a"))
    both = of([box, Requests(box.hosts, box.methods, strings.exact("/b"))])
    assert both.document() == [{"hosts": ["a.example"], "methods": ["GET"], "paths": ["/a", "/b"]}]


def test_everything_is_one_value() -> None:
    assert of([Requests(methods=strings.exact("GET")), Requests()]) == HttpSet.ALL


def test_what_is_taken_at_one_host_leaves_the_rest_as_few_boxes_as_can_be() -> None:
    get, post = (
        Requests(methods=strings.exact("GET")),
        Requests(methods=strings.exact("POST"), paths=strings.exact("/b")),
    )
    host = strings.host_with_any_port("a.example")
    left = of([get, post]) - of([Requests(host, strings.exact("GET"))])
    assert left == of([Requests(strings.StringSet.ALL - host, get.methods), post])
    assert len(left.boxes) == 2
