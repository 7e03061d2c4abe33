"""Small web applications that the connector's web processes are compared with, under the same gunicorn."""
