# The image of the controller and the command line: one binary, no shell, not root.
#
# It is linked with glibc, as everything that is tested is: with musl, whose allocator is slow, charts take twice as long to render.
# The toolchain is that of rust-toolchain.toml; tests/deploy.rs compares them.
FROM docker.io/library/rust:1.95.0-bookworm AS build
# The image's own toolchain, without the components for development that rust-toolchain.toml asks for.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /source
COPY . .
RUN cargo build --release --locked --bin fairlead

# The C library of the same Debian, root certificates, a user 65532, nothing to run.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /source/target/release/fairlead /usr/local/bin/fairlead
# The size that glibc begins with, said aloud: otherwise it rises with the first large chart, and what is freed afterwards stays in a
# process that lives long (with 500 releases a quarter of its memory).
ENV GLIBC_TUNABLES=glibc.malloc.mmap_threshold=131072
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/fairlead"]
CMD ["controller"]
