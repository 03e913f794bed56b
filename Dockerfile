# Mirante in an image. The steps are those of ./run: `./run setup` installs Debian's packages and the
# locked Python packages.
#   docker build -t mirante .                                on a CPU, amd64 or arm64
#   docker build -t mirante:tensorrt --target tensorrt .     with TensorRT, for NVIDIA GPUs, amd64
#   docker build -t mirante:bridges --target bridges .       what `mirante bridge` needs besides
#   docker build -t mirante:fleet --target fleet .           what `mirante fleet up` needs besides
#   docker buildx bake l4t                                   for Jetson; docs/jetson.md
#   docker buildx bake                                       as docker-bake.hcl says
ARG SYSTEM=debian:12-slim
FROM ${SYSTEM} AS base

# Public models are kept in a volume, so that they are fetched once. The image has our own, and those of
# the defaults where the build could fetch them: a new volume begins with these. /tmp is all else that
# is written, so the rest may be read-only.
ENV PATH=/app/.venv/bin:$PATH MIRANTE_HOME=/home/mirante/.mirante \
    XDG_RUNTIME_DIR=/tmp XDG_CACHE_HOME=/tmp
WORKDIR /app
COPY . .
RUN ./run setup && rm -rf /var/lib/apt/lists/* \
 && groupadd --system --gid 10001 mirante \
 && useradd --system --uid 10001 --gid mirante --home-dir /home/mirante mirante \
 && mkdir -p $MIRANTE_HOME && chown -R mirante:mirante /home/mirante

VOLUME /home/mirante/.mirante
EXPOSE 9464 8600
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9464/livez', timeout=2)"]
ENTRYPOINT ["mirante"]
CMD ["up", "/etc/mirante/config.yaml"]

# NVIDIA's package of the library fetches it from NVIDIA's own index while it is installed.
FROM base AS tensorrt
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility,video
RUN ./run setup tensorrt
USER 10001:10001

# JetPack 7, on Ubuntu 24.04: NVIDIA's plug-ins there are made for that one's GStreamer.
FROM tensorrt AS l4t
ENV NVIDIA_DRIVER_CAPABILITIES=all

# What carries results to MQTT, webhooks …
FROM base AS bridges
RUN ./run setup bridges
USER 10001:10001

# Ray, which places workers on many machines. KubeRay before 1.4 starts it by a login shell, which has
# a PATH of its own.
FROM base AS fleet
RUN ./run setup fleet && ln -s /app/.venv/bin/ray /usr/local/bin/
USER 10001:10001

FROM base AS cpu
USER 10001:10001
