# The image `mimic`: both binaries on a base that has nothing but a C library and CA certificates. Needs BuildKit (Docker's
# builder), buildah or podman:
#
#   docker build -t mimic:latest .
#
# docs/releasing.md builds it for several platforms, docs/decisions/0012-container-image.md says why it is made this way.

# Where these two registries cannot be reached: other images, by --build-arg.
# Has cargo with its home in /usr/local/cargo, a C compiler, perl and make. The version is that of rust-toolchain.toml.
ARG BUILDER=docker.io/library/rust:1.95.0-trixie
# Has glibc, no older than the builder's, libgcc and CA certificates.
ARG BASE=gcr.io/distroless/cc-debian13:nonroot

# Always runs on the machine that builds, and compiles for the platform asked for.
FROM --platform=$BUILDPLATFORM ${BUILDER} AS build

# Writes the list of crates into the binaries, where scanners of images look for it.
RUN cargo install --locked --root /usr/local cargo-auditable@0.7.7

ARG TARGETARCH
ENV CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=x86_64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
RUN case "$TARGETARCH" in \
      amd64) machine=x86_64 ;; \
      arm64) machine=aarch64 ;; \
      *) echo "the platform is '$TARGETARCH'; Mimic is built for amd64 and arm64" >&2; exit 1 ;; \
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
# What crates.io sent and what was compiled of it outlives the layer. Cargo tells by the time of a file whether it was compiled
# already, and sources may be older than what was compiled of others: so they are of now. OpenSSL writes down when it was compiled,
# unless it is told a time.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    set -ex; \
    find mimic-* examples -type f -exec touch {} +; \
    target=$(cat /target); \
    SOURCE_DATE_EPOCH=0 cargo auditable build --locked --release --target "$target" --bin mimic-server --bin mimic; \
    install -D -t /out "target/$target/release/mimic-server" "target/$target/release/mimic"

# Nothing is run in this stage, so it can be made for a platform that the builder's machine is not.
FROM ${BASE}
LABEL org.opencontainers.image.title="mimic" \
      org.opencontainers.image.description="Mimic makes pods pull their images from a mirror" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /out/ /usr/local/bin/
USER 65532:65532
EXPOSE 8443 8081
ENTRYPOINT ["/usr/local/bin/mimic-server"]
