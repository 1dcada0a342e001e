# The server's image: a static program and nothing else. `make image` builds it out of bin/image; nothing is pulled, and nothing runs while it is built.
FROM scratch
ARG TARGETARCH
ADD signalbox-${TARGETARCH}.tar /
ARG VERSION=devel
LABEL org.opencontainers.image.title="signalbox" org.opencontainers.image.version="${VERSION}"
# Nobody's user. The program may open ports below 1024 all the same: its file has that one capability, which works under host networking, too, where the user alone has none.
# So it wants NET_BIND_SERVICE among the container's capabilities, and "no new privileges" off.
USER 65532:65532
EXPOSE 443/tcp 5222/tcp 3478/tcp 3478/udp
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/bin/signalbox", "health"]
ENTRYPOINT ["/usr/bin/signalbox"]
CMD ["serve"]
