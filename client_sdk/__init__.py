"""The client SDK of Roundbook.

    FieldClient, AsyncFieldClient      a device: records and queue in one encrypted file, synced when there is a link
    OfficeClient, AsyncOfficeClient    an application of a township: records, conflicts, quarantine, the feed

See README.md for twenty lines that work.
"""

from client_sdk.field import FieldClient
from client_sdk.field_async import AsyncFieldClient
from client_sdk.field_views import Me
from client_sdk.office import AsyncOfficeClient, OfficeClient
from client_sdk.office_answers import Conflict, Figures, OfficeChange, OfficeRecord, Quarantined, Replayed
from client_sdk.points import Point
from client_sdk.problem import AsyncProblem, Problem
from client_sdk.reading import Differing
from client_sdk.record import Record
from client_sdk.store.queue import Entry
from client_sdk.transport import (
    AsyncHttpTransport,
    AsyncTransport,
    HttpTransport,
    LinkBroken,
    Response,
    Transport,
)
from client_sdk.words import News
from sync_protocol.errors import (
    Busy,
    CursorExpired,
    Forbidden,
    Incompatible,
    InvalidRecord,
    NotEnrolled,
    NotFound,
    Offline,
    QueueNotEmpty,
    Refused,
    Revoked,
    RoundbookError,
    StoreDamaged,
    StoreFull,
    StoreLocked,
    VersionConflict,
    WrongPassphrase,
)
from sync_protocol.session import Policy
from sync_protocol.session_report import Progress, SyncReport

__all__ = [
    "AsyncFieldClient",
    "AsyncHttpTransport",
    "AsyncOfficeClient",
    "AsyncProblem",
    "AsyncTransport",
    "Busy",
    "Conflict",
    "CursorExpired",
    "Differing",
    "Entry",
    "FieldClient",
    "Figures",
    "Forbidden",
    "HttpTransport",
    "Incompatible",
    "InvalidRecord",
    "LinkBroken",
    "Me",
    "News",
    "NotEnrolled",
    "NotFound",
    "OfficeChange",
    "OfficeClient",
    "OfficeRecord",
    "Offline",
    "Point",
    "Policy",
    "Problem",
    "Progress",
    "Quarantined",
    "QueueNotEmpty",
    "Record",
    "Refused",
    "Replayed",
    "Response",
    "Revoked",
    "RoundbookError",
    "StoreDamaged",
    "StoreFull",
    "StoreLocked",
    "SyncReport",
    "Transport",
    "VersionConflict",
    "WrongPassphrase",
]
