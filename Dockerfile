# Mayfly's image: the controller, and what it runs beside an application (`python -m smoke`). With the extra `embedded`
# also PostgreSQL's programs, with `browser` Chromium. Builds with the classic builder and with BuildKit.
ARG BASE_IMAGE=python:3.13-slim-bookworm

FROM ${BASE_IMAGE} AS builder
# pip's own settings, for those who build behind a mirror or a proxy; only this stage sees them.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ARG PIP_CERT
ARG EXTRAS=kubernetes,github
RUN python3 -c 'import ensurepip, venv' \
 || (apt-get update && apt-get install --yes --no-install-recommends python3-venv)
WORKDIR /src
COPY pyproject.toml requirements.lock ./
COPY .ci/image ./.ci/image
RUN python3 -m venv /build && python3 -m venv --without-pip /opt/mayfly \
 && python3 .ci/image/requirements.py build > /tmp/build.txt \
 && python3 .ci/image/requirements.py "$EXTRAS" > /tmp/run.txt \
 && /build/bin/pip install --quiet --no-cache-dir --require-hashes --only-binary :all: --requirement /tmp/build.txt \
 && /build/bin/pip --python /opt/mayfly/bin/python install --quiet --no-cache-dir --require-hashes \
      --only-binary :all: --requirement /tmp/run.txt
COPY README.md ./
COPY controller ./controller
COPY smoke ./smoke
COPY manifests ./manifests
RUN /build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /tmp/wheel . \
 && /build/bin/pip --python /opt/mayfly/bin/python install --quiet --no-cache-dir --no-deps --no-index /tmp/wheel/*.whl \
 && sh .ci/image/slim.sh /opt/mayfly

FROM ${BASE_IMAGE}
ARG EXTRAS=kubernetes,github
RUN set -eu; missing=; \
    command -v git >/dev/null || missing="git"; \
    case ",$EXTRAS," in *,browser,*) missing="$missing chromium fonts-dejavu-core libatomic1" ;; esac; \
    if [ -n "$missing" ]; then \
      apt-get update; apt-get install --yes --no-install-recommends $missing; rm -rf /var/lib/apt/lists/*; \
    fi; \
    if python3 -m pip --version >/dev/null 2>&1; then python3 -m pip uninstall --yes pip setuptools wheel || true; fi; \
    groupadd --gid 10001 mayfly; \
    useradd --uid 10001 --gid 10001 --no-log-init --home-dir /var/lib/mayfly --shell /usr/sbin/nologin mayfly; \
    install --directory --owner 10001 --group 10001 /var/lib/mayfly
COPY --from=builder /opt/mayfly /opt/mayfly
ENV PATH=/opt/mayfly/bin:/opt/mayfly/postgresql/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/var/lib/mayfly MAYFLY_HOME=/var/lib/mayfly \
    LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE=
LABEL org.opencontainers.image.title="Mayfly" \
      org.opencontainers.image.description="A checked, reported, clickable and reaped preview for every pull request" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED" \
      org.opencontainers.image.source="$SOURCE"
USER 10001:10001
WORKDIR /var/lib/mayfly
VOLUME /var/lib/mayfly
EXPOSE 8080
# The loopback address is one of the controller's own names, whatever its domain is.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import http.client as h, sys; c = h.HTTPConnection('127.0.0.1', 8080, timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["mayfly"]
CMD ["serve", "--home", "/var/lib/mayfly", "--listen", "0.0.0.0:8080"]
