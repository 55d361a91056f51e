FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN scripts/build-release

FROM debian:bookworm-slim
# The authorities a database certificate is checked against, beside those in the binary.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /source/dist/tekno-logger /usr/local/bin/tekno-logger
# The embedded database and its secrets; with a server database, the spool. It has to outlive the container.
RUN install -d -o 65532 -g 65532 -m 750 /data
VOLUME /data
ENV APP_ENV=production DATA_DIR=/data
USER 65532:65532
# PORT comes from the host; without one it is the service's default.
EXPOSE 3000
# There is no curl here; bash opens the connection itself. It says nothing about the database, which a restart would not mend.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["bash", "-c", \
    "exec 3<>\"/dev/tcp/127.0.0.1/${PORT:-3000}\" && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
ENTRYPOINT ["tekno-logger"]
CMD ["serve"]
