"""The HTTP application over real stores: what it answers, refuses and counts."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from jobs.runtime.errors import ServiceError
from jobs.runtime.online.sqlite_lists import SqliteLists
from jobs.runtime.online.sqlite_values import SqliteValues
from jobs.runtime.online.values import Write
from jobs.runtime.service.application import Limits
from tests.support.online_stores import Clock
from tests.unit.runtime.service.conftest import HOUR, MakeClient
from transforms.experiments.assignment import assign
from transforms.experiments.definitions import Catalogue

TOKEN = "a-token-of-an-application"
OTHER = "a-token-of-another-application"
WITH_TOKEN = {"authorization": f"Bearer {TOKEN}"}
ADA = "/v1/users/ada"


def problem(client: TestClient, path: str, **options: Any) -> tuple[int, str, str]:
    """Status, code and detail of a request that is not answered."""
    response = client.get(path, **options)
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert body["status"] == response.status_code
    return response.status_code, body["type"].removeprefix("urn:playhead:problem:"), body["detail"]


def test_recommendations_say_their_source_and_age(client: TestClient, clock: Clock) -> None:
    first = client.get(f"{ADA}/recommendations").json()
    clock.now += 60
    again = client.get(f"{ADA}/recommendations").json()
    assert (first["source"], first["model_version"], first["age_s"]) == ("read_model", "7", 0)
    assert (first["from_cache"], again["from_cache"], again["age_s"]) == (False, True, 60)
    assert first["published_at"] == again["published_at"]
    assert [item["title_id"] for item in first["items"]] == ["t1"]


@pytest.mark.parametrize(
    ("query", "title", "source"),
    [
        ("ada/recommendations?context=homepage&device=smart_tv", "t2", "read_model"),
        ("ada/recommendations?context=continue_watching", "t1", "read_model"),
        ("new/recommendations?region=eu-west-1", "t9", "popular"),
    ],
)
def test_a_context_chooses_the_list(
    client: TestClient, query: str, title: str, source: str
) -> None:
    body = client.get(f"/v1/users/{query}").json()
    assert (body["items"][0]["title_id"], body["source"]) == (title, source)


def test_an_unknown_context_is_refused_with_those_there_are(client: TestClient) -> None:
    status, code, detail = problem(client, f"{ADA}/recommendations?context=banner")
    assert (status, code) == (400, "invalid_request")
    assert "use homepage, homepage:tv" in detail


def test_features_say_of_which_event_they_are_and_whether_they_have_expired(
    client: TestClient, clock: Clock
) -> None:
    body = client.get(f"{ADA}/features").json()
    assert (body["features"], body["event_id"]) == ({"device_type": "smart_tv"}, "e1")
    assert (body["source"], body["age_s"], body["is_expired"]) == ("online_store", 0, False)
    clock.now += HOUR
    body = client.get(f"{ADA}/features").json()
    assert (body["age_s"], body["is_expired"]) == (HOUR, True)


def test_unknown_and_deleted_features_are_not_there(
    client: TestClient, values: SqliteValues, clock: Clock
) -> None:
    assert problem(client, "/v1/users/new/features")[:2] == (404, "no_features")
    values.apply([Write("ada", "features", int(clock.now) * 1_000_000, "e2", None)])
    assert problem(client, f"{ADA}/features")[:2] == (404, "no_features")


def test_an_age_asked_for_is_honoured_or_refused(client: TestClient, clock: Clock) -> None:
    for path in (f"{ADA}/features", f"{ADA}/recommendations"):
        assert client.get(f"{path}?max_age_s=60").status_code == 200
    clock.now += 61
    for path in (f"{ADA}/features", f"{ADA}/recommendations"):
        status, code, detail = problem(client, f"{path}?max_age_s=60")
        assert (status, code, detail) == (412, "too_stale", "its age is 61 s, max_age_s=60")


def test_a_variant_is_that_of_the_hash(
    client: TestClient, definitions: Catalogue, clock: Clock
) -> None:
    now, context = datetime.fromtimestamp(clock.now, UTC), {"device_type": "smart_tv"}
    for user in ("ada", "bob", "cy"):
        body = client.get(f"/v1/users/{user}/assignments/rows?device_type=smart_tv").json()
        assert body["variant"] == assign(user, "rows", definitions, at=now, context=context)
        assert (body["source"], body["is_published"]) == ("definitions", False)
    assert client.get(f"{ADA}/assignments/rows").json()["variant"] is None
    assert problem(client, f"{ADA}/assignments/none")[:2] == (404, "unknown_experiment")


class Publishing:
    """An assigner that publishes while Kafka takes it."""

    is_up = True

    def assign(self, user_id: str, experiment_id: str, context: Mapping[str, str]) -> str:
        if not self.is_up:
            raise ServiceError("Kafka at localhost:1 did not take an event", "start it")
        return "new"


def test_an_assignment_is_published_or_not_answered(make_client: MakeClient) -> None:
    assigner = Publishing()
    client = make_client(assigner=assigner)
    assert client.get(f"{ADA}/assignments/rows").json()["is_published"] is True
    assigner.is_up = False
    assert problem(client, f"{ADA}/assignments/rows")[:2] == (503, "unavailable")


@pytest.mark.parametrize(
    "user", ["a%00b", "a%0Ab", "%C3%A9", "a%20b", "x" * 129, "x" * 10_000, "%ff", "%F0%9F%98%80"]
)
@pytest.mark.parametrize("what", ["recommendations", "features", "assignments/rows"])
def test_an_id_that_no_user_has_is_refused(client: TestClient, user: str, what: str) -> None:
    status, code, detail = problem(client, f"/v1/users/{user}/{what}")
    assert (status, code) == (400, "invalid_request")
    assert len(detail) < 200
    assert detail.isprintable()


@pytest.mark.parametrize(
    "query",
    [
        "contxt=homepage",
        "context=",
        "context=a&context=b",
        "region=%00",
        "region=" + "x" * 129,
        "max_age_s=-1",
        "max_age_s=nan",
        "max_age_s=1e999",
        "&".join(f"p{n}=1" for n in range(21)),
    ],
)
def test_a_parameter_that_is_not_declared_so_is_refused(client: TestClient, query: str) -> None:
    assert problem(client, f"{ADA}/recommendations?{query}")[:2] == (400, "invalid_request")


@pytest.mark.parametrize("query", ["a%20b=1", "a=%00", "a=", "=1", "a=1&a=2", "a=" + "x" * 129])
def test_an_attribute_that_nobody_has_is_refused(client: TestClient, query: str) -> None:
    assert problem(client, f"{ADA}/assignments/rows?{query}")[:2] == (400, "invalid_request")


def test_other_paths_and_methods_are_problems_too(client: TestClient) -> None:
    assert problem(client, "/v1/users/ada")[:2] == (404, "not_found")
    response = client.post(f"{ADA}/features", content=b"x")
    assert (response.status_code, set(response.headers["allow"].split(", "))) == (
        405,
        {"GET", "HEAD"},
    )
    assert response.json()["type"] == "urn:playhead:problem:method_not_allowed"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer \xe9\xff",
    ],
)
def test_without_its_token_a_client_is_not_answered(
    make_client: MakeClient, header: str | None
) -> None:
    headers = {} if header is None else {"authorization": header.encode("latin-1")}
    client = make_client(OTHER, TOKEN)
    response = client.get(f"{ADA}/features", headers=headers)
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert TOKEN not in response.text


def test_with_a_token_a_client_is_answered(make_client: MakeClient) -> None:
    client = make_client(OTHER, TOKEN)
    for token in (TOKEN, OTHER):
        for scheme in ("Bearer", "bearer"):
            headers = {"authorization": f"{scheme} {token}"}
            assert client.get(f"{ADA}/features", headers=headers).status_code == 200
    for path in ("/health", "/ready", "/metrics", "/openapi.json"):
        assert client.get(path).status_code == 200


def test_a_client_that_asks_too_much_does_not_stand_in_the_way_of_others(
    make_client: MakeClient,
) -> None:
    client = make_client(TOKEN, OTHER, limits=Limits(3, 8, 10))
    statuses = [client.get(f"{ADA}/features", headers=WITH_TOKEN).status_code for _ in range(9)]
    assert statuses[:3] == [200] * 3
    assert 429 in statuses
    headers = {"authorization": f"Bearer {OTHER}"}
    assert client.get(f"{ADA}/features", headers=headers).status_code == 200


class Waiting:
    """Queries that wait until they are let go."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()

    def features(self, user_id: str, max_age_s: float | None) -> Any:
        self.began.set()
        self.go.wait()
        raise ServiceError("nothing", "nothing")


def test_more_at_a_time_than_can_be_answered_is_refused_at_once(make_client: MakeClient) -> None:
    queries = Waiting()
    client = make_client(queries=queries, limits=Limits(1_000, 1, 60))
    with client:
        first = threading.Thread(target=lambda: client.get(f"{ADA}/features"))
        first.start()
        queries.began.wait()
        assert problem(client, f"{ADA}/features")[:2] == (503, "overloaded")
        assert client.get("/health").status_code == 200
        queries.go.set()
        first.join()
        assert problem(client, f"{ADA}/features")[:2] == (503, "unavailable")


def test_what_takes_too_long_is_given_up_and_keeps_its_place_until_it_ends(
    make_client: MakeClient,
) -> None:
    queries = Waiting()
    client = make_client(queries=queries, limits=Limits(1_000, 1, 0.05))
    status, code, detail = problem(client, f"{ADA}/features")
    assert (status, code, detail) == (504, "timed_out", "no answer in 0.05 s")
    assert problem(client, f"{ADA}/features")[:2] == (503, "overloaded")
    queries.go.set()


class Defective:
    def features(self, user_id: str, max_age_s: float | None) -> Any:
        raise KeyError("a secret of the code")


def test_a_defect_is_a_problem_that_tells_nothing_of_the_code(make_client: MakeClient) -> None:
    status, code, detail = problem(make_client(queries=Defective()), f"{ADA}/features")
    assert (status, code, detail) == (500, "internal_error", "see the service's log")


def test_stores_that_do_not_serve_are_a_problem_with_the_place(
    client: TestClient, lists: SqliteLists, values: SqliteValues
) -> None:
    for store in (lists, values):
        store._database._close()
        store._database.file.write_bytes(b"damaged" * 1_000)
    for what in ("features", "recommendations"):
        status, code, detail = problem(client, f"{ADA}/{what}")
        assert (status, code) == (503, "unavailable")
        assert "does not serve: file is not a database" in detail
    ready = client.get("/ready")
    assert ready.status_code == 503
    assert [reason["code"] for reason in ready.json()["reasons"]] == [
        "lists_unavailable",
        "values_unavailable",
    ]
    assert client.get("/health").status_code == 200


def test_features_that_are_no_json_object_are_a_problem(
    client: TestClient, values: SqliteValues, clock: Clock
) -> None:
    values.apply([Write("bob", "features", int(clock.now) * 1_000_000, "e", "[1]")])
    assert problem(client, "/v1/users/bob/features")[:2] == (503, "unavailable")


def test_ready_says_that_nothing_is_published(
    make_client: MakeClient, client: TestClient, lists: SqliteLists
) -> None:
    assert client.get("/ready").json() == {"is_ready": True, "reasons": []}
    with lists._database.transaction() as connection:
        connection.execute("DELETE FROM published")
    ready = client.get("/ready")
    assert (ready.status_code, ready.json()["reasons"]) == (
        503,
        [{"code": "nothing_published", "remedy": "python -m jobs.publish"}],
    )


def test_metrics_count_by_route_and_never_hold_what_a_client_sent(client: TestClient) -> None:
    client.get("/v1/users/secret_user/features")
    client.get(f"{ADA}/features?max_age_s=1")
    client.get("/secret_path")
    text = client.get("/metrics").text
    route = 'route="/v1/users/{user_id}/features"'
    assert f'playhead_http_requests_total{{{route},status="404"}} 1.0' in text
    assert f'playhead_http_requests_total{{{route},status="200"}} 1.0' in text
    assert 'playhead_http_requests_total{route="other",status="404"} 1.0' in text
    assert 'playhead_answers_total{source="online_store"} 1.0' in text
    assert "playhead_http_requests_in_flight 1.0" in text  # this very request
    assert "secret" not in text


def test_the_service_needs_no_spark() -> None:
    script = (
        "import sys, jobs.runtime.service.opening, jobs.runtime.service.server;"
        "import jobs.runtime.experiments.definitions;"
        "sys.exit('pyspark' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
