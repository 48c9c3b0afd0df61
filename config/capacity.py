"""How many requests one web process works on at once; read by its server and by the settings.

The kernel spreads connections over the processes as it likes, so each must be able to hold all streams that come at once.
"""

from config.env import env_int

STREAMS = env_int("RESOLVER_PROXY_STREAMS", 64, minimum=1, maximum=512)
THREADS = STREAMS + env_int("WEB_THREADS", 32, minimum=1, maximum=256)  # streams never take those of the API
