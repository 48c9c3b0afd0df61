"""The colour scheme that a browser has chosen, for every template."""

from django.http import HttpRequest

SCHEMES = ("light", "dark")  # anything else: as the system is set


def theme(request: HttpRequest) -> dict[str, str]:
    """Context processor: ``theme`` is "light", "dark" or "auto", from the cookie that theme.js writes."""
    chosen = request.COOKIES.get("theme", "")
    return {"theme": chosen if chosen in SCHEMES else "auto"}
