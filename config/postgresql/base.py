"""Django's PostgreSQL backend for processes that pool connections: survives a restart of the database; knows no models."""

from typing import Any

from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool


class DatabaseWrapper(base.DatabaseWrapper):
    """One that died did so in a restart, and the rest of the pool with it: all are replaced at once.

    The pool's own check would find them out one by one, with growing pauses, and give up before it came to the last.
    """

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """A connection of the pool that answers. Raises OperationalError if there is none within the pool's time-out."""
        connection = super().get_new_connection(conn_params)
        try:
            ConnectionPool.check_connection(connection)
        except self.Database.OperationalError:
            self.pool.putconn(connection)
            self.pool.drain()
            connection = super().get_new_connection(conn_params)
        return connection
