"""GET /v1/health/live and /v1/health/ready, for whatever watches the service."""

import msgspec
from litestar import get
from litestar.di import NamedDependency

from server.access import problems
from server.admission import ALWAYS
from server.health.service import readiness
from server.problems import Problem
from server.services import Services


class Health(msgspec.Struct, frozen=True):
    """Everything is well; anything else is a problem document."""

    status: str


@get(
    "/v1/health/live",
    opt={ALWAYS: True, "action": "health.live"},
    responses=problems(),
    summary="Whether the process answers",
    tags=["health"],
)
async def live_handler() -> Health:
    """Answers while the process is alive, whatever its database does: nobody should restart it for that."""
    return Health("live")


@get(
    "/v1/health/ready",
    opt={ALWAYS: True, "action": "health.ready"},
    responses=problems(),
    summary="Whether requests can be served",
    tags=["health"],
)
async def ready_handler(services: NamedDependency[Services]) -> Health:
    """Answers 503 while the database is out of reach or its schema is too old."""
    found = await readiness(services.engine)
    if not found.ready:
        detail = (
            f"the schema is {found.schema}: run `roundbook migrate`"
            if found.reachable
            else "the database does not answer"
        )
        raise Problem("unavailable", detail, database=found.reachable, schema=found.schema)
    return Health("ready")
