"""Django's PostgreSQL backend with one addition: no wait on the server is unbounded."""
