"""The tables, under the rules for three databases (docs/architecture.md, "Storage").

A *township table* has `township_id` first in its primary key and in every unique constraint and index; a
*reference table* is small and rarely written. No sequences, no triggers: ids come from devices or from the
application, order from the township's counter under its row lock. Times are milliseconds since 1970 UTC,
bound by the application. What the merge reads and writes is opaque bytes in the form in which it
travelled; what lists filter on is a column of its own.
"""

from server.storage.tables.audit import audit_entries, audit_heads
from server.storage.tables.base import TOWNSHIP, Id, Millis, Number, Small, metadata
from server.storage.tables.casefile import case_plans, slip_templates, slips, urgings, village_defaults
from server.storage.tables.deadlines import (
    deadline_entries,
    deadline_events,
    deadline_passes,
    deadline_rules,
    deadlines,
)
from server.storage.tables.directory import (
    applications,
    devices,
    enrolments,
    former_keys,
    grids,
    recovery_keys,
    staff,
    township_keys,
    townships,
)
from server.storage.tables.duplicates import duplicate_pairs
from server.storage.tables.following import followers
from server.storage.tables.ledger import ledger, ledger_references, ledger_views
from server.storage.tables.people import attempts, credentials, links, sessions
from server.storage.tables.privacy import erasures, holds, retention_rules
from server.storage.tables.records import (
    assignments,
    changes,
    conflicts,
    exits,
    gaps,
    holdings,
    receipts,
    records,
    registers,
    taken_on,
    telephones,
)
from server.storage.tables.reference import divisions, enrolment_routes, kinds
from server.storage.tables.rounds import screenings

__all__ = [
    "TOWNSHIP",
    "Id",
    "Millis",
    "Number",
    "Small",
    "applications",
    "assignments",
    "attempts",
    "audit_entries",
    "audit_heads",
    "case_plans",
    "changes",
    "conflicts",
    "credentials",
    "deadline_entries",
    "deadline_events",
    "deadline_passes",
    "deadline_rules",
    "deadlines",
    "devices",
    "divisions",
    "duplicate_pairs",
    "enrolment_routes",
    "enrolments",
    "erasures",
    "exits",
    "followers",
    "former_keys",
    "gaps",
    "grids",
    "holdings",
    "holds",
    "kinds",
    "ledger",
    "ledger_references",
    "ledger_views",
    "links",
    "metadata",
    "receipts",
    "records",
    "recovery_keys",
    "registers",
    "retention_rules",
    "screenings",
    "sessions",
    "slip_templates",
    "slips",
    "staff",
    "taken_on",
    "telephones",
    "township_keys",
    "townships",
    "urgings",
    "village_defaults",
]
