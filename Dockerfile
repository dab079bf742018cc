# docker build -t cds-service .
# docker run --rm -p 127.0.0.1:8080:8080 -e CDS_SERVICE_ID_KEY="$(openssl rand -hex 32)" \
#   -e CDS_SERVICE_PUBLIC_URL=http://127.0.0.1:8080 -e CDS_SERVICE_ACCEPT_UNAUTHENTICATED_CALLS=true \
#   -e CDS_SERVICE_WORKBENCH=on -e CDS_SERVICE_EVIDENCE=sealed \
#   --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges cds-service
# Calls are then not authenticated: publish it on loopback alone, or mount a clients file in place of the last three
# settings (docs/operators-guide.md, "In a container"). Keep the key.
# The base is the multi-platform index of that tag. To renew it, take the digest that this prints, with its tag:
#   docker buildx imagetools inspect python:3.13-slim
ARG PYTHON_IMAGE=python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv /opt/build && python -m venv /opt/cds-service

# The same pins and hashes as `make run`; a layer of their own, made again only when a pin changes.
COPY requirements.txt requirements-traces.txt requirements-postgresql.txt requirements-build.txt ./
RUN /opt/build/bin/pip install -q --require-hashes -r requirements-build.txt \
 && /opt/cds-service/bin/pip install -q --require-hashes -r requirements.txt -r requirements-traces.txt \
      -r requirements-postgresql.txt

COPY pyproject.toml README.md LICENSE NOTICE THIRD_PARTY_LICENSES.md ./
COPY cds_service cds_service
COPY cards cards
COPY fhir_examples fhir_examples
# The wheel is made beside the build backend and installed without it; pip has no work in the finished image.
RUN /opt/build/bin/pip wheel -q --no-deps --no-build-isolation -w /dist . \
 && /opt/cds-service/bin/pip install -q --no-deps --no-index /dist/*.whl \
 && /opt/cds-service/bin/python -m pip uninstall -q -y pip

FROM ${PYTHON_IMAGE}
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="cds-service" \
      org.opencontainers.image.description="CDS Hooks service for medical society coverage statements" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Nothing is written outside /tmp and the state folder, so the root file system can be read-only.
ENV PATH=/opt/cds-service/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=build /opt/cds-service /opt/cds-service
# The audit log outlives the container where a volume is mounted here.
RUN install -d -o 65532 -g 65532 -m 0700 /var/lib/cds-service
ENV CDS_SERVICE_STATE=/var/lib/cds-service
VOLUME /var/lib/cds-service
WORKDIR /opt/cds-service
USER 65532:65532

# A policy that does not hold together never becomes an image.
RUN ["cds-service", "check"]

EXPOSE 8080
STOPSIGNAL SIGTERM
# Straight to the service, whatever proxy the container's environment names.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:8080/readyz', timeout=4)"]
CMD ["cds-service", "serve", "--host", "0.0.0.0", "--port", "8080"]
