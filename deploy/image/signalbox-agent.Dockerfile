# The agent's image, for endpoints that are containers themselves. It has no shell: an image for terminals and handlers is made FROM this one.
FROM scratch
ARG TARGETARCH
ADD signalbox-agent-${TARGETARCH}.tar /
ARG VERSION=devel
LABEL org.opencontainers.image.title="signalbox-agent" org.opencontainers.image.version="${VERSION}"
USER 65532:65532
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/bin/signalbox-agent", "status", "--config", "/etc/signalbox-agent/agent.yaml"]
ENTRYPOINT ["/usr/bin/signalbox-agent"]
CMD ["run", "--config", "/etc/signalbox-agent/agent.yaml"]
