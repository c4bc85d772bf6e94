"""What Alembic runs around the revisions. The connection comes from migrations.run, never from a file."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=context.config.attributes.get("metadata"),
    render_as_batch=connection.dialect.name == "sqlite",
    # All revisions or none: PostgreSQL and SQLite both roll DDL back.
    transaction_per_migration=False,
)
context.run_migrations()
