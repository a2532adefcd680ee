# syntax=docker/dockerfile:1
# The one image: `comptoir serve orders`, `comptoir check`, … For both architectures:
#   docker buildx build --platform linux/amd64,linux/arm64 --tag registry.example.com/comptoir:0.1.0 --push .

FROM rust:1.95-slim-bookworm AS tools
RUN cargo install cargo-chef --version 0.1.78 --locked
WORKDIR /src

# What the dependencies are: changes with Cargo.toml and Cargo.lock, not with the sources.
FROM tools AS recipe
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

# The dependencies are a layer of their own, built again only when the recipe changes.
FROM tools AS build
COPY --from=recipe /src/recipe.json .
RUN cargo chef cook --release --locked --package comptoir --recipe-path recipe.json
COPY . .
RUN cargo build --release --locked --package comptoir \
    && strip --strip-debug target/release/comptoir \
    # A volume that is mounted here belongs to who writes it, see compose.yaml.
    && mkdir /secrets

FROM debian:bookworm-slim
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/target/release/comptoir /usr/local/bin/
COPY --from=build --chown=10001:10001 /secrets /secrets
USER 10001:10001
ENTRYPOINT ["comptoir"]
CMD ["--help"]
