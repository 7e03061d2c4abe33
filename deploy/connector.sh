#!/bin/sh
# Runs a command of the connector as the service does, with its user and its environment file: connector list
# Install it as /usr/local/bin/connector, and run it as root.
exec systemd-run --quiet --collect --wait --pty --pipe --uid=connector --working-directory=/opt/connector \
    --property=EnvironmentFile=/etc/connector/env --property=UMask=0077 \
    --property=StateDirectory=connector --property=StateDirectoryMode=0700 \
    /opt/connector/.venv/bin/python -m connector "$@"
