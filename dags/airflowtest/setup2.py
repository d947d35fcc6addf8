"""Makes Airflow 2's database and the one user: setup2.py USER PASSWORD.

One process instead of two commands, and a hash that costs nothing: the API checks
the password at every request.
"""

import sys

from airflow import settings
from airflow.utils import db
from sqlalchemy import text
from werkzeug.security import generate_password_hash

db.initdb()
if settings.engine.dialect.name == "sqlite":
    with settings.engine.connect() as connection:
        # As in Airflow 3: readers and a writer do not lock each other out.
        connection.execute(text("PRAGMA journal_mode=WAL"))

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder  # noqa: E402

user, password = sys.argv[1:]
with get_application_builder() as builder:
    manager = builder.sm
    made = manager.add_user(
        user,
        user,
        user,
        user + "@example.invalid",
        manager.find_role("Admin"),
        hashed_password=generate_password_hash(password, method="pbkdf2:sha256:1"),
    )
sys.exit(0 if made else "the user was not made")
