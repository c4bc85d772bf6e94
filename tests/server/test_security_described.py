"""What a caller without credentials is told, and what the OpenAPI description says about them."""

from collections.abc import AsyncIterator

import pytest

from tests.server.office_server import TOWN, OfficeServer, office_server

UNKNOWN = "01900000-0000-7000-8000-000000000001"


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


async def test_a_refusal_names_the_way_in(server: OfficeServer) -> None:
    async with server.client_with("rbt.wrong") as stranger:
        for method, path in (("GET", "/v1/records"), ("POST", "/v1/records"), ("GET", "/v1/changes")):
            answer = await stranger.request(method, path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == 'Bearer realm="roundbook"'
        unsigned = await stranger.post("/v1/sync", content=b"{}")
        headers = {"roundbook-serial": "1", "roundbook-signature": "AAAA"}
        forged = await stranger.post(
            "/v1/sync", content=b"{}", headers={**headers, "roundbook-device": f"{TOWN}.{UNKNOWN}"}
        )
        for answer, code in ((unsigned, "unauthorised"), (forged, "signature_invalid")):
            assert (answer.status_code, answer.json()["code"]) == (401, code)
            assert answer.headers["www-authenticate"] == 'Roundbook-Signature realm="roundbook"'
    async with await server.client("review") as known:
        forbidden = await known.get("/v1/records")
        assert forbidden.status_code == 403
        assert "www-authenticate" not in forbidden.headers


async def test_the_description_says_who_must_show_what(server: OfficeServer) -> None:
    async with await server.client() as client:
        schema = (await client.get("/schema/openapi.json")).json()
    schemes = schema["components"]["securitySchemes"]
    assert (schemes["application"]["type"], schemes["application"]["scheme"]) == ("http", "bearer")
    assert {schemes[name]["name"] for name in ("device", "serial", "signature")} == {
        "roundbook-device",
        "roundbook-serial",
        "roundbook-signature",
    }
    needed = {
        (path, method): operation.get("security")
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    }
    everybody = ("/v1/devices/enrol", "/v1/health/live", "/v1/health/ready", "/v1/sign-in", "/v1/link")
    parts = ("units", "leaders", "contact", "explanations", "extensions")
    of_record = tuple(f"/v1/records/{{record}}/{part}" for part in parts)
    people = (
        "/v1/session",
        "/v1/staff",
        "/v1/matters",
        "/v1/narrative-search",
        "/v1/contact-lookup",
        *of_record,
    )
    for (path, method), security in needed.items():
        wanted: list[dict[str, list[str]]] = [{"application": []}, {"session": []}]
        if path.startswith(people):
            wanted = [{"session": []}]
        if path == "/v1/sync":
            wanted = [{"device": [], "serial": [], "signature": []}]
        assert security == (None if path.startswith(everybody) else wanted), (path, method)
