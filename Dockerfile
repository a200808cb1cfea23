# The image `mimic`: both binaries on a base with only a C library and CA certificates. Build it with BuildKit (Docker's
# builder), buildah or podman:
#
#   docker build -t mimic:latest .
#
# docs/releasing.md shows how to build it for several platforms. docs/decisions/0012-container-image.md explains the design.

# If these two registries cannot be reached, set other images with --build-arg.
# BUILDER must have cargo with its home in /usr/local/cargo, a C compiler, perl and make. Use the version in rust-toolchain.toml.
ARG BUILDER=docker.io/library/rust:1.95.0-trixie
# BASE must have libgcc, CA certificates, and a glibc that is not older than the builder's.
ARG BASE=gcr.io/distroless/cc-debian13:nonroot

# Always runs on the build machine's platform and cross-compiles for the target platform.
FROM --platform=$BUILDPLATFORM ${BUILDER} AS build

# Embeds the list of crates in the binaries, for image scanners.
RUN cargo install --locked --root /usr/local cargo-auditable@0.7.7

ARG TARGETARCH
ENV CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=x86_64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
RUN case "$TARGETARCH" in \
      amd64) machine=x86_64 ;; \
      arm64) machine=aarch64 ;; \
      *) echo "unsupported platform '$TARGETARCH': use amd64 or arm64" >&2; exit 1 ;; \
    esac; \
    target=$machine-unknown-linux-gnu; \
    set -ex; \
    if ! command -v "$machine-linux-gnu-gcc"; then \
      apt-get update; \
      apt-get install --yes --no-install-recommends \
        "gcc-$(echo "$machine" | tr _ -)-linux-gnu" "libc6-dev-$TARGETARCH-cross"; \
    fi; \
    if ! test -d "$(rustc --print sysroot)/lib/rustlib/$target"; then rustup target add "$target"; fi; \
    echo "$target" > /target

WORKDIR /src
COPY . .
# Downloads and build results are kept in cache mounts. Cargo compares file times to decide what to compile, and copied sources may
# be older than the cached results of other sources; `touch` prevents that. SOURCE_DATE_EPOCH keeps OpenSSL from embedding its build
# time.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    set -ex; \
    find mimic-* examples -type f -exec touch {} +; \
    target=$(cat /target); \
    SOURCE_DATE_EPOCH=0 cargo auditable build --locked --release --target "$target" --bin mimic-server --bin mimic; \
    install -D -t /out "target/$target/release/mimic-server" "target/$target/release/mimic"

# This stage runs no command, so it can be built for a platform other than the build machine's.
FROM ${BASE}
LABEL org.opencontainers.image.title="mimic" \
      org.opencontainers.image.description="Mimic makes pods pull their images from a mirror" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /out/ /usr/local/bin/
USER 65532:65532
EXPOSE 8443 8081
ENTRYPOINT ["/usr/local/bin/mimic-server"]
