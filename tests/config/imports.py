"""Who may import whom, as a table of rules over the source files of a tree; reads syntax only, imports nothing."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

LAYERS = ("users", "projects", "tasks", "storages", "config")  # each may import itself and those before it
FOR_ALL = ("config.env", "config.crypto")
CLOUD_SDKS = ("boto3", "botocore", "s3transfer", "google", "azure", "msal", "pyarrow", "databricks")
SOCKETS = ("socket", "urllib3", "requests", "http.client", "urllib.request", "httpx", "aiohttp")
REGISTRY = ("storages.backends.BACKENDS", "storages.backends.schemes")


class Import(NamedTuple):
    """One imported name, dotted; ``eager``: at module level, so that importing the file imports it too."""

    name: str
    line: int
    eager: bool

    def within(self, packages: tuple[str, ...]) -> bool:
        return any(self.name == package or self.name.startswith(f"{package}.") for package in packages)


class Rule(NamedTuple):
    """Files in ``places`` ("/" at the end: a folder), without ``exempt`` ones, must have no import that ``breaks`` it."""

    name: str
    places: tuple[str, ...]
    breaks: Callable[[str, Import], bool]
    exempt: tuple[str, ...] = ()


def never(*packages: str) -> Callable[[str, Import], bool]:
    return lambda path, found: found.within(packages)


def never_eagerly(*packages: str) -> Callable[[str, Import], bool]:
    return lambda path, found: found.eager and found.within(packages)


def of_storages_only(*modules: str) -> Callable[[str, Import], bool]:
    """Of the storages app nothing but these modules."""
    allowed = tuple(f"storages.{module}" for module in modules)
    return lambda path, found: found.name.startswith("storages.") and not found.within(allowed)


def upwards(path: str, found: Import) -> bool:
    """An app that comes later in LAYERS."""
    later = LAYERS[LAYERS.index(path.split("/")[0]) + 1 :]
    return found.within(later) and not found.within(FOR_ALL)


def a_backend(path: str, found: Import) -> bool:
    """A module inside storages.backends, not just a name that the registry offers."""
    return found.name.startswith("storages.backends.") and found.name not in REGISTRY


CONTRACT = ("client", "objects", "meter", "errors")  # what engine and providers agree on
PROVIDER_USERS = ("storages/backends/", "storages/providers/")
APPS = tuple(f"{layer}/" for layer in LAYERS)
RULES = (
    Rule("an app imports only the apps below it", APPS, upwards),
    Rule("only the registry names a backend", APPS, a_backend, exempt=("storages/backends/",)),
    Rule(
        "a backend knows the contract, not who uses it",
        ("storages/backends/",),
        of_storages_only("backends", "providers", "base", "serializers", "checks", "client", "fields", "egress", "errors"),
    ),
    Rule(
        "a provider knows the contract, neither columns nor users",
        ("storages/providers/",),
        of_storages_only("providers", "checks", "egress", "budget", "watchdog", *CONTRACT),
    ),
    Rule(
        "a provider is free of models and API", ("storages/providers/",), never("django.db", "rest_framework", "rq", "django_rq")
    ),
    Rule("only backends know how a vendor is spoken to", APPS, never("storages.providers"), exempt=PROVIDER_USERS),
    Rule("the engine is free of framework and queue", ("storages/sync/",), never("django", "rest_framework", "rq", "django_rq")),
    Rule("the engine knows only the client contract", ("storages/sync/",), of_storages_only("sync", "client", "errors")),
    Rule(
        "the contract is free of framework",
        (*(f"storages/{module}.py" for module in CONTRACT), "storages/media/ranges.py"),
        never("django", "rest_framework"),
    ),
    Rule("errors know nothing", ("storages/errors.py",), of_storages_only("errors")),
    Rule("the contract knows only errors", ("storages/client.py", "storages/objects.py"), of_storages_only(*CONTRACT)),
    Rule("models know neither routes nor jobs", ("storages/base.py",), never("storages.api", "storages.pages", "storages.jobs")),
    Rule("the API knows no page", ("storages/api/",), never("storages.pages")),
    Rule("media knows neither API nor sync", ("storages/media/",), never("storages.api", "storages.pages", "storages.sync")),
    Rule("jobs know neither API nor pages", ("storages/jobs.py",), never("storages.api", "storages.pages", "storages.media")),
    Rule("the service starts without any cloud SDK", APPS, never_eagerly(*CLOUD_SDKS)),
    Rule(
        "only the egress guard opens connections",
        APPS,
        never_eagerly(*SOCKETS),
        # budget.py and watchdog.py end connections and make none; config/ports.py: loopback ports of our own processes
        # sockets.py is a part of the egress guard
        exempt=(
            *("storages/egress.py", "storages/sockets.py"),
            *("storages/budget.py", "storages/watchdog.py", "config/ports.py"),
        ),
    ),
)
JOB_BOUNDARY = "storages/jobs.py"  # the one place that may catch everything


def offences(root: Path) -> list[str]:
    """Every broken rule in the apps below ``root``, as ``path:line: rule (name)``."""
    found = []
    for file in sorted(file for layer in LAYERS for file in (root / layer).rglob("*.py")):
        path, tree = file.relative_to(root).as_posix(), ast.parse(file.read_text(encoding="utf-8"))
        rules = [rule for rule in RULES if _lies_in(path, rule.places) and not _lies_in(path, rule.exempt)]
        for item in imports(tree, path):
            found += [f"{path}:{item.line}: {rule.name} ({item.name})" for rule in rules if rule.breaks(path, item)]
        if path != JOB_BOUNDARY:
            found += [f"{path}:{line}: a fault is caught by its own class (broad except)" for line in broad_excepts(tree)]
    return found


def _lies_in(path: str, places: tuple[str, ...]) -> bool:
    return any(path == place or (place.endswith("/") and path.startswith(place)) for place in places)


def imports(tree: ast.Module, path: str) -> Iterator[Import]:
    """Every name the file imports, ``from a import b`` as ``a.b``; relative ones resolved against ``path``."""
    package = path.split("/")[:-1]
    for node, eager in _statements(tree.body, True):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, eager) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            yield from (Import(f"{module}.{alias.name}", node.lineno, eager) for alias in node.names)


def _statements(nodes: list[ast.AST], eager: bool) -> Iterator[tuple[ast.AST, bool]]:
    """All nodes, with whether they run when the module is imported; TYPE_CHECKING blocks and functions do not."""
    for node in nodes:
        yield node, eager
        lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        lazy = lazy or (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"))
        yield from _statements(list(ast.iter_child_nodes(node)), eager and not lazy)


def broad_excepts(tree: ast.Module) -> Iterator[int]:
    """Lines of ``except:``, ``except Exception`` or BaseException, alone or in a tuple, and of such a ``suppress``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            kinds = node.args
        else:
            continue
        if any(kind is None or ast.unparse(kind) in ("Exception", "BaseException") for kind in kinds):
            yield node.lineno
