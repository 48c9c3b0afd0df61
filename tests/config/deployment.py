"""What is wrong with a compose file, a Dockerfile or an nginx configuration; reads text, starts nothing."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SECRET = re.compile(r"PASSWORD|SECRET|KEY|TOKEN")
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(:?[-?])?([^}]*)\}")


def settings_names(config: Path) -> set[str]:
    """Every environment variable that the code below ``config`` reads through config.env, under all its spellings."""
    names = set()
    for file in config.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            called = isinstance(node, ast.Call) and ast.unparse(node.func).startswith("env_") and node.args
            if called and isinstance(node.args[0], ast.Constant):
                name = str(node.args[0].value)
                names |= {name, f"LABEL_STUDIO_{name}", f"{name}_FILE", f"LABEL_STUDIO_{name}_FILE"}
    return names


def bad_images(services: dict[str, Any]) -> list[str]:
    """Services whose image can change under the same name."""
    images = {name: service.get("image", "") for name, service in services.items()}
    return [name for name, image in images.items() if not re.search(r":[\w.-]+$", image) or image.endswith(":latest")]


def bad_secrets(text: str) -> list[str]:
    """Secrets that have a value in the file, or that are taken from the environment with a default."""
    found = []
    for name, kind, rest in VARIABLE.findall(text):
        if SECRET.search(name) and not (kind == ":?" or (kind == ":-" and not rest)):
            found.append(name)
    for line in text.splitlines():
        match = re.match(r"\s+(\w+): (.*)", line)
        if match and SECRET.search(match[1]) and match[1].isupper() and "${" not in match[2]:
            found.append(match[1])
    return found


def bad_dependencies(services: dict[str, Any]) -> list[str]:
    """Waits for a service that is not there, or for the health of one that is never checked."""
    found = []
    for name, service in services.items():
        for other, wait in service.get("depends_on", {}).items():
            target = services.get(other)
            checked = (
                target and (target.get("healthcheck") or "build" in target) and not target.get("healthcheck", {}).get("disable")
            )
            if target is None or (wait["condition"] == "service_healthy" and not checked):
                found.append(f"{name} waits for {other}")
    return found


def locations(nginx: str) -> Iterator[tuple[str, str, str]]:
    """(modifier, path, body) of every location block; blocks inside a location are not looked for."""
    for match in re.finditer(r"location\s+(=|~\*?|\^~)?\s*(\S+)\s*\{([^{}]*)\}", re.sub(r"#.*", "", nginx)):
        yield match[1] or "", match[2], match[3]


def off_by_slash(nginx: str) -> list[str]:
    """Locations whose alias or proxy_pass path ends in a slash while they do not, or the other way round.

    ``location /i { alias /w/images/; }`` serves /w/images/../secret for /i../secret.
    """
    found = []
    for modifier, path, body in locations(nginx):
        for target in re.findall(r"alias\s+(\S+?);", body) + re.findall(r"proxy_pass\s+\w+://[^/;]+(/\S*?);", body):
            if modifier != "=" and (path.endswith("/") != target.endswith("/") or modifier.startswith("~")):
                found.append(path)
    return found


def body_for(nginx: str, path: str) -> str:
    """The location block that serves ``path``: a matching regular expression, else the longest prefix (nginx docs, location)."""
    blocks = list(locations(nginx))
    for modifier, pattern, body in blocks:
        if modifier.startswith("~") and re.search(pattern, path):
            return body
    return max((block for block in blocks if path.startswith(block[1])), key=lambda block: len(block[1]))[2]
