# The command alone, statically linked: no shell, no libraries, no other user.
#
#   docker build --tag weighin .
#   docker run --rm --read-only --tmpfs /tmp --network none \
#     --volume "$PWD:/models:ro" weighin scan /models
FROM rust:1.95-alpine AS build
# hadolint ignore=DL3018
RUN apk add --no-cache musl-dev
WORKDIR /src
COPY . .
ARG PROFILE=release
RUN cargo build --locked --profile "$PROFILE" --bin weighin
# Where it ends up differs: `dev` builds into `debug`.
# The certificates are for stores and registries.
RUN mkdir -p /image/tmp /image/models /image/etc/ssl/certs \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && find target -maxdepth 2 -name weighin -type f -exec cp {} /image/weighin \; \
    && cp LICENSE-MIT LICENSE-APACHE /image/ \
    && chmod 1777 /image/tmp

FROM scratch
COPY --from=build /image/ /
USER 65532:65532
WORKDIR /models
ENTRYPOINT ["/weighin"]
CMD ["--help"]
