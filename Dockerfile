# syntax=docker/dockerfile:1

# One image with all four programs. They share most of their code and are released together, so one
# image is one thing to build, scan and pin; which program runs is the container's command.
#
#   docker build -t logtally .
#   docker run --rm -p 8000:8000 -v "$PWD/examples/logs:/logs:ro" logtally

ARG RUST_VERSION=1.95

# cargo-chef builds the dependencies in a layer of their own, which changes only with Cargo.lock and
# the manifests. No protoc and no C library is needed: the .proto files are compiled in Rust.
FROM rust:${RUST_VERSION}-slim-bookworm AS chef
RUN cargo install cargo-chef --version 0.1.78 --locked
WORKDIR /src

FROM chef AS planner
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM chef AS builder
# The same packages in both commands: another set would unify features differently and build the
# dependencies again. The workspace's test crates are left out.
ARG PACKAGES="-p logtally -p logtally-ingest -p logtally-aggregator -p logtally-exporter"
COPY --from=planner /src/recipe.json recipe.json
# PACKAGES is a list of words, so it is not quoted.
# hadolint ignore=SC2086
RUN cargo chef cook --release --locked --bins ${PACKAGES} --recipe-path recipe.json
COPY . .
# The copy fails, and with it the build, if one of the four is missing. /out/data becomes the owner
# and mode of the volume below: the runtime image has no shell to make a directory with.
# hadolint ignore=SC2086
RUN cargo build --release --locked --bins ${PACKAGES} \
    && mkdir -p /out/bin /out/data \
    && cp target/release/logtally target/release/logtally-ingest \
        target/release/logtally-aggregator target/release/logtally-exporter /out/bin/

# Distroless: glibc, libgcc, CA certificates, a user (65532), nothing else. No shell and no curl is
# why `logtally healthcheck URL` exists.
FROM gcr.io/distroless/cc-debian12:nonroot

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="logtally" \
      org.opencontainers.image.description="Exactly-once log counting for Prometheus" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

COPY --from=builder /out/bin/ /usr/local/bin/
# A licence asks to travel with its work.
COPY LICENSE /usr/share/doc/logtally/LICENSE

# The embedded store. The only path that is ever written, and only by `logtally run`: everything
# works with a read-only root. Counts live and die with this volume, so name it to keep it.
COPY --from=builder --chown=65532:65532 /out/data /var/lib/logtally
VOLUME ["/var/lib/logtally"]

# A number, not a name: Kubernetes cannot check runAsNonRoot against a name.
USER 65532:65532

# No ENTRYPOINT: the first word of the command is the program. No HEALTHCHECK: the programs listen
# on different admin ports, so whoever chooses the program sets it (see docker-compose.yml).
# Pages and probes; and for those that are told to take pushes, gRPC and HTTP.
EXPOSE 8000 8001 9500 9502
CMD ["logtally", "run", "/logs/*.csv", \
     "--store", "embedded:/var/lib/logtally", \
     "--web.listen-address", ":8000", \
     "--admin.listen-address", ":8001"]
