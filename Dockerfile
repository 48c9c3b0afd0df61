# One image for web, worker and scheduler; docker-compose.yml says which command runs where.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    DJANGO_SETTINGS_MODULE=config.settings DATA_DIR=/data STATIC_ROOT=/app/static_root BIND=0.0.0.0 PORT=8080 \
    MALLOC_ARENA_MAX=2

WORKDIR /app
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY . .

# The keys made for this one step are thrown away with their directory.
RUN DATA_DIR=/tmp/build python manage.py collectstatic --noinput --verbosity 0 && rm -rf /tmp/build \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin quayside \
    && install -d -o quayside -g quayside -m 0700 /data

USER quayside
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/api/version/', timeout=4)"]
CMD ["gunicorn", "-c", "python:config.gunicorn", "config.wsgi:application"]
