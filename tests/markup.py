"""What a page's HTML may not hold under a policy that allows neither inline code nor inline style, read with a parser of its own."""

from html.parser import HTMLParser

DATA = ("application/json", "application/ld+json")  # types of script elements that no browser runs
ADDRESSES = {"href", "src", "action", "formaction", "hx-get", "hx-post", "hx-put", "hx-patch", "hx-delete", "poster", "data"}
OURS = ("/", "?", "#", "data:image/")
EVALUATED = ("hx-on", "hx-vars")  # htmx would evaluate them


class Markup(HTMLParser):
    """Collects ``faults`` while it is fed; ``forms`` counts those that post, ``text`` is what a reader sees."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.forms, self.text, self._unguarded = 0, "", ""
        self.feed(page)
        self.close()
        self._end_form()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        said = self.get_starttag_text() or tag
        if tag == "script" and "src" not in given and given.get("type") not in DATA:
            self.faults.append(f"inline script: {said}")
        if tag in ("style", "base", "object", "embed", "applet"):
            self.faults.append(f"forbidden element: {said}")
        for name, value in given.items():
            self._look(tag, name, value.strip(), said)
        if tag == "form":
            self._end_form()
            if given.get("method", "").lower() == "post":
                self.forms, self._unguarded = self.forms + 1, said
        if tag == "input" and given.get("name") == "csrfmiddlewaretoken" and len(given.get("value", "")) > 30:
            self._unguarded = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._end_form()

    def handle_data(self, data: str) -> None:
        self.text += data

    def _look(self, tag: str, name: str, value: str, said: str) -> None:
        if name == "style" or name.startswith("on") or name.startswith(EVALUATED):
            self.faults.append(f"inline {name}: {said}")
        if name == "hx-vals" and value.startswith(("js:", "javascript:")):
            self.faults.append(f"evaluated {name}: {said}")
        if name == "hx-trigger" and "[" in value:
            self.faults.append(f"evaluated {name}: {said}")
        links = tag == "a" and value.startswith(("https://", "http://"))
        if name in ADDRESSES and value and not links and (not value.startswith(OURS) or value.startswith(("//", "/\\"))):
            self.faults.append(f"address elsewhere in {name}: {said}")

    def _end_form(self) -> None:
        if self._unguarded:
            self.faults.append(f"form without a token: {self._unguarded}")
        self._unguarded = ""
