# The image of the sidecar, and of every other command of sidegate (the load test is one).
#
#   docker build -t sidegate .
#   docker build -t sidegate --build-arg BASE=python:3.14-slim .
#
# Where no package index can be reached: put the wheels of all dependencies, and of hatchling,
# into wheels/ beside this file, and give --build-arg PIP_NO_INDEX=1 --build-arg PIP_FIND_LINKS=/src/wheels

ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ARG PIP_INDEX_URL
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
WORKDIR /src
RUN python3 -m venv /pip && python3 -m venv --without-pip /opt/sidegate
COPY . .
RUN /pip/bin/pip --python /opt/sidegate/bin/python install --no-cache-dir \
    -c constraints.txt ".[sidecar,grpc,sidecar-otel,sidecar-resp]"

FROM ${BASE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="sidegate" \
    org.opencontainers.image.description="A distributed rate limiter for Python services, without Redis: the sidecar" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/sidegate /opt/sidegate
# Where Unix sockets and state files go. Mounted there, a new volume takes over the owner.
RUN mkdir -p /run/sidegate /var/lib/sidegate && chown 10001:10001 /run/sidegate /var/lib/sidegate
# In a container "this machine only" would be nobody; without a secret or TLS it refuses to start.
# The socket is for an app that is another user: who is to reach it mounts its folder.
ENV PATH=/opt/sidegate/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    SIDEGATE_LINK=0.0.0.0:7171 \
    SIDEGATE_SOCKET_MODE=666 \
    SIDEGATE_HTTP=0.0.0.0:7172
# By number, so that Kubernetes can tell that it isn't root.
USER 10001:10001
EXPOSE 7171 7172
# The process is the first of the container, and gets SIGTERM itself: it hands over and leaves.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=3s --start-period=15s CMD ["sidegate", "health"]
ENTRYPOINT ["sidegate"]
CMD ["serve"]
