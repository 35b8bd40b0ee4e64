# An image with a static binary, the scenarios and trusted certificates, and nothing else.
FROM rust:1.95.0-alpine3.23 AS build
# A compiler for the dependencies in C (TLS, allocator), whose patch release does not matter.
# hadolint ignore=DL3018
RUN apk add --no-cache build-base
WORKDIR /src
COPY . .
# The commit that `tracegen --version` shows.
ARG TRACEGEN_COMMIT
# Downloads and builds stay in the builder's caches, so a change of the sources compiles only them again.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --profile dist --locked && \
    install -D -s target/dist/tracegen /image/usr/local/bin/tracegen && \
    readelf -d /image/usr/local/bin/tracegen >/tmp/dynamic && \
    ! grep NEEDED /tmp/dynamic

FROM scratch
COPY --from=build /image /
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY scenarios /scenarios
# Inside a container, every address is its own; the published port decides who may connect.
ENV SERVER_HOST=0.0.0.0
EXPOSE 8000
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/usr/local/bin/tracegen", "health"]
ENTRYPOINT ["/usr/local/bin/tracegen"]
CMD ["serve"]
