# Mirante on a CPU. The steps are those of ./run: `./run setup` installs Debian's packages and the
# locked Python packages. Build: docker build -t mirante .
FROM debian:12-slim

# Public models are kept in a volume, so that they are fetched once. The image has our own, and those of
# the defaults where the build could fetch them: a new volume begins with these.
ENV PATH=/app/.venv/bin:$PATH MIRANTE_HOME=/home/mirante/.mirante
WORKDIR /app
COPY . .
RUN ./run setup && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 mirante \
 && mkdir -p $MIRANTE_HOME && chown -R mirante /home/mirante

USER mirante
VOLUME /home/mirante/.mirante
EXPOSE 9464 8600
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9464/livez', timeout=2)"]
ENTRYPOINT ["mirante"]
CMD ["up", "/etc/mirante/config.yaml"]
