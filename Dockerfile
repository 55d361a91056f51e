FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN scripts/build-release

FROM debian:bookworm-slim
# The authorities a database certificate is checked against, beside those in the binary.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
# The embedded store writes to /data; with a server database it stays empty.
COPY --from=build --chown=65532:65532 /source/dist/image/ /
COPY --from=build /source/dist/tekno-logger /usr/local/bin/tekno-logger
ENV APP_ENV=production DATA_DIR=/data
USER 65532:65532
# PORT comes from the host; without one it is the service's default.
ENTRYPOINT ["tekno-logger"]
CMD ["serve"]
