# An image of the service: `docker build -t connector .`. docs/deployment.md describes how to run it.

ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim AS build
WORKDIR /src
# Packages are checked against the hashes in the lock files.
COPY requirements.txt requirements-build.txt ./
RUN python -m venv /opt/build \
    && /opt/build/bin/python -m pip install --no-cache-dir --require-hashes -r requirements-build.txt \
    && python -m venv /opt/connector \
    && /opt/connector/bin/python -m pip install --no-cache-dir --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY connector connector
COPY mappings mappings
RUN /opt/build/bin/hatchling build -t wheel \
    && /opt/connector/bin/python -m pip install --no-cache-dir --no-index --no-deps dist/*.whl

FROM python:${PYTHON_VERSION}-slim
COPY --from=build /opt/connector /opt/connector
RUN groupadd --gid 10001 connector \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/connector --no-create-home --shell /usr/sbin/nologin connector \
    && install -d -m 700 -o connector -g connector /var/lib/connector
ENV PATH=/opt/connector/bin:$PATH \
    HOST=0.0.0.0 \
    PORT=8000
USER 10001:10001
# The database is here unless DATABASE_URL says otherwise. Nothing else is written, except to /tmp.
WORKDIR /var/lib/connector
VOLUME /var/lib/connector
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["connector", "health"]
ENTRYPOINT ["connector"]
CMD ["serve"]
