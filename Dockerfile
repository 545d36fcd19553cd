# The image of the controller and the command line: one static binary, no shell, not root.
#
# The toolchain is that of rust-toolchain.toml; tests/deploy.rs compares them.
FROM docker.io/library/rust:1.95.0-alpine AS build
# `ring` compiles a little C.
RUN apk add --no-cache musl-dev
# The image's own toolchain, without the components for development that rust-toolchain.toml asks for.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /source
COPY . .
RUN cargo build --release --locked --bin fairlead

# Root certificates and time zones, a user 65532, nothing to run.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /source/target/release/fairlead /usr/local/bin/fairlead
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/fairlead"]
CMD ["controller"]
