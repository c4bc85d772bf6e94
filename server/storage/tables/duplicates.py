"""Pairs of records that may be one matter."""

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table

from server.storage.tables.base import Id, Millis, Number, key, metadata, township

duplicate_pairs = Table(  # the two ids in order; a pair that was decided is never suggested again
    "duplicate_pairs",
    metadata,
    township(),
    Column("pair_id", Id, nullable=False),  # follows from both
    Column("one_id", Id, nullable=False),
    Column("other_id", Id, nullable=False),
    Column("n", Number, nullable=False),  # of the change that made them alike: the oldest come first
    Column("score", Integer, nullable=False),  # 0 to 100
    Column("reasons", LargeBinary, nullable=False),  # why, as codes and figures; no word of either record
    Column("status", String(10), nullable=False),  # open, joined, different
    Column("found_ms", Millis, nullable=False),
    Column("decided_ms", Millis),
    Column("decided_by", Id),
    Column("reason", String(500)),
    key("duplicate_pairs", "pair_id"),
    Index("ix_duplicate_pairs_status", "township_id", "status", "n"),
    Index("ix_duplicate_pairs_one", "township_id", "one_id"),
    Index("ix_duplicate_pairs_other", "township_id", "other_id"),
)
