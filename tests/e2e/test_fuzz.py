"""Every endpoint under requests made from its OpenAPI description, sound and unsound: no 5xx, nothing undocumented.

The real application on either database. Ids in paths are replaced by those of records that exist, half of
the time, so that what stands behind the first look is reached; devices' requests are signed by an enrolled
device. The number of examples bounds the time; they are the same in every run.
"""

import itertools
from typing import Any, Final

import msgspec
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS, load_all_checks, not_a_server_error
from schemathesis.generation import GenerationMode

from client_sdk import Response
from sync_protocol.messages import EnrolRequest, SyncRequest
from sync_protocol.versions import CURRENT
from tests.e2e.raw import RawDevice
from tests.e2e.village import START_MS, Village

load_all_checks()
NAMED = ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
LOOKS: Final[list[Any]] = [not_a_server_error, *(CHECKS.get_one(name) for name in NAMED)]
EXAMPLES: Final = 6
SYNC, ENROL = "/v1/sync", "/v1/devices/enrol"
BASE = "http://loopback"


class Target:
    """A village with something in it, and who asks."""

    def __init__(self, village: Village) -> None:
        self.village = village
        self.device = RawDevice(village, "王芳")
        sound, unsound = self.device.create(), self.device.create(kind="unheard_of")
        answer = self.device.sync(sound, unsound)
        assert [one.result for one in answer.verdicts] == ["applied", "quarantined"]
        self.known = {"record": sound["record"], "change": unsound["id"]}
        """Ids that exist, by the name of the path's parameter."""
        self.token = village.token("records:read", "records:write", "contact:write", "review", "rescue")
        self.turns = itertools.count()

    def description(self) -> dict[str, Any]:
        """The description that the server gives, with the devices' bodies, which docs/protocol.md describes."""
        answer = self.village.ask("GET", "/schema/openapi.json")
        described: dict[str, Any] = msgspec.json.decode(answer.body)
        for path, struct in ((SYNC, SyncRequest), (ENROL, EnrolRequest)):
            (schema,), parts = msgspec.json.schema_components(
                [struct], ref_template="#/components/schemas/{name}"
            )
            described["components"]["schemas"].update(parts)
            asked = {"application/json": {"schema": schema}}
            described["paths"][path]["post"]["requestBody"] = {"required": True, "content": asked}
            # Of their answers, the description says nothing: tests/docs/test_protocol_examples.py does.
            described["paths"][path]["post"]["responses"]["200"]["content"] = {"application/json": {}}
        return described

    def aim(self, case: schemathesis.Case[Any]) -> None:
        """Half of the ids exist; nothing waits; half of the bodies speak today's protocol, half of these plainly."""
        turn = next(self.turns)
        often = bool(turn % 2)
        for name, known in self.known.items():
            if often and name in case.path_parameters:
                case.path_parameters[name] = known
        if "wait_s" in (case.query or {}):
            case.query["wait_s"] = "0"
        if often and case.operation.path in {SYNC, ENROL} and isinstance(case.body, dict):
            case.body["protocol"] = CURRENT
            if case.operation.path == SYNC:
                case.body |= {"nonce": "0" * 32, "epoch": self.device.epoch}
                if turn % 4 == 1:  # whatever else was drawn is mostly refused before it is read
                    said = ("protocol", "nonce", "epoch")
                    case.body = {name: case.body[name] for name in said} | {"now": START_MS}

    def send(self, case: schemathesis.Case[Any]) -> schemathesis.Response:
        """The case through the loopback, signed by the device or with the application's token."""
        prepared = requests.Request(**case.as_transport_kwargs(base_url=BASE)).prepare()
        body = str(prepared.body or "").encode() if not isinstance(prepared.body, bytes) else prepared.body
        headers = {str(name).lower(): _text(value) for name, value in prepared.headers.items()}
        headers["accept-encoding"] = "identity"
        if case.operation.path == SYNC:
            headers |= self.device.headers(body)
        else:
            headers["authorization"] = f"Bearer {self.token}"
        path = str(prepared.url).removeprefix(BASE)
        return _answered(self.village.link.exchange(str(prepared.method), path, headers, body), prepared)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _answered(response: Response, prepared: requests.PreparedRequest) -> schemathesis.Response:
    headers = {name: [value] for name, value in response.headers.items()}
    return schemathesis.Response(response.status, headers, response.body, prepared, 0.0, verify=False)


@pytest.mark.slow
def test_no_endpoint_fails_or_answers_what_is_not_described(village: Village) -> None:
    target = Target(village)
    schema = schemathesis.openapi.from_dict(target.description())
    seen: dict[str, set[int]] = {}
    wrong: list[str] = []
    operations: list[Any] = list(schema.get_all_operations())
    for found in operations:
        operation = found.ok()
        statuses = seen[f"{operation.method} {operation.path}"] = set()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                if mode is GenerationMode.NEGATIVE and not _can_be_wrong(operation):
                    continue
                _fuzz(target, operation, mode, statuses)
            except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 (all operations are heard, then told)
                wrong.append(f"{operation.method} {operation.path}: {_said(error)}")
    assert not wrong, "\n\n".join(wrong)
    assert len(seen) == sum(len(item) for item in target.description()["paths"].values())
    # What is behind the first look was reached.
    assert {200, 400} <= seen["post /v1/sync"]
    assert 200 in seen["get /v1/records/{record}"]


def _can_be_wrong(operation: Any) -> bool:
    """Whether it takes anything that could be of the wrong sort."""
    return bool(operation.body or operation.query or operation.path_parameters or operation.headers)


def _said(error: BaseException) -> str:
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return "; ".join([str(error)[:1_000], *(str(one)[:1_000] for one in inner)])


def _fuzz(target: Target, operation: Any, mode: GenerationMode, statuses: set[int]) -> None:
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def run(case: schemathesis.Case[Any]) -> None:
        target.aim(case)
        response = target.send(case)
        statuses.add(response.status_code)
        case.validate_response(response, checks=LOOKS)

    run()
