"""The whole story of a new user in one browser session: from signing in to a bucket's pictures as tasks and back out again."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.pages.hands import Hands, Keyboard, Mouse
from tests.e2e.pages.looking import EMAIL, PASSWORD, WIDTHS, Visitor, visiting
from tests.e2e.pages.places import PICTURES, Place, bucket, directory, volume
from tests.e2e.server import RunningServer, until

LOADED = "selector => { const all = [...document.querySelectorAll(selector)]; return all.length && all.every(one => one.naturalWidth > 1) }"


class Story:
    """One visitor, one place, one way to use the pages."""

    def __init__(self, visitor: Visitor, hands: Hands, place: Place, name: str) -> None:
        self.visitor, self.page, self.hands, self.place, self.name = visitor, visitor.page, hands, place, name

    def button(self, name: str) -> None:
        self.hands.press(self.page.get_by_role("button", name=name, exact=True))

    def link(self, name: str) -> None:
        self.hands.press(self.page.get_by_role("link", name=name, exact=True).first)

    def fill(self, values: dict[str, str]) -> None:
        for name, text in values.items():
            self.hands.write(self.page.locator(f"#id-{name}"), text)

    def sign_in(self) -> None:
        self.visitor.open("/")
        self.hands.write(self.page.get_by_label("Email"), EMAIL)
        self.hands.write(self.page.get_by_label("Password"), PASSWORD)
        self.button("Sign in")

    def create_project(self) -> int:
        self.link("New project")
        self.hands.write(self.page.get_by_label("Title"), f"Harbour {self.name}")
        self.button("Images")
        expect(self.page.locator("#config-check")).to_contain_text("Tasks need image")
        self.button("Create project")
        self.page.wait_for_url(re.compile(r"/projects/\d+/settings/storage$"))
        expect(self.page.get_by_role("heading", name="Add your first cloud storage")).to_be_visible()
        return int(self.page.url.split("/")[4])

    def connect(self, side: str, settings: dict[str, str]) -> None:
        """The steps up to a connection that was tested."""
        self.link(f"Add {side} Storage")
        self.hands.choose(self.page.get_by_role("radio", name=self.place.title, exact=True))
        self.button("Next")
        field, wrong, message = self.place.wrong
        self.fill({"title": f"{side} {self.name}"} | settings | {field: wrong})
        self.button("Test connection")
        expect(self.page.locator(f"#error-{field}")).to_contain_text(message)
        assert field == "path" or wrong not in self.page.content(), "a secret is in the page"
        self.visitor.glance(f"story-{self.name}-{side.lower()}-refused")
        self.fill({field: settings[field]})
        self.button("Test connection")
        expect(self.page.locator("#announce")).to_have_text("Connection verified.")
        self.visitor.glance(f"story-{self.name}-{side.lower()}-tested")
        self.button("Next")

    def preview(self) -> None:
        if self.place.prefix:
            self.fill({"prefix": self.place.prefix})
        self.button("Images")
        self.button("Load preview")
        expect(self.page.locator(".objects .key")).to_have_count(PICTURES)
        self.page.wait_for_function(LOADED, arg=".thumbnail img")
        expect(self.page.get_by_text(f"{PICTURES} new objects")).to_be_visible()
        self.visitor.glance(f"story-{self.name}-preview")
        self.button("Next")
        expect(self.page.get_by_text(f"{PICTURES} new objects")).to_be_visible()
        expect(self.page.locator("pre")).to_contain_text("00.png")

    def sync(self) -> None:
        """The card fills by itself; a place that can be made slow is seen half way."""
        self.button("Save & Sync")
        expect(self.page.get_by_text("its sync has begun")).to_be_visible()
        self.page.evaluate("window.same = true")
        card = self.page.get_by_role("article")
        if self.place.fake:
            expect(card.get_by_role("progressbar")).to_be_visible()
            listed = card.locator(".figures div", has_text="Listed").locator("dd")
            expect(listed).not_to_have_text(re.compile(f"^(0|{PICTURES})$"))
            self.visitor.glance(f"story-{self.name}-syncing")
            self.place.fake.heal()
        expect(card.locator(".badge")).to_have_text("Completed")
        expect(card).to_contain_text(f"{PICTURES} ({PICTURES} new)")
        assert self.page.evaluate("window.same"), "the page was loaded again"

    def see_tasks(self) -> int:
        """The table, and the page of its first task; the task's id."""
        self.link("Tasks")
        expect(self.page.locator("table.tasks tbody tr")).to_have_count(PICTURES)
        self.page.wait_for_function(LOADED, arg="table.tasks img")
        self.visitor.glance(f"story-{self.name}-tasks")
        task = int(self.page.locator("table.tasks td.id a").first.inner_text())
        self.link(str(task))
        expect(self.page.get_by_role("heading", level=1)).to_have_text(f"Task {task}")
        self.page.wait_for_function(LOADED, arg="figure img")
        expect(self.page.get_by_text("Nothing of this task was exported.")).to_be_visible()
        return task

    def export(self, task: int) -> None:
        """A target gets the annotation that a program makes, and the task's page tells of it."""
        self.link("Cloud Storage")
        self.connect("Target", self.place.target)
        expect(self.page.locator("#example .key")).to_contain_text("1")
        self.button("Save")
        expect(self.page.get_by_text(f"Target {self.name} is connected")).to_be_visible()
        made = self.visitor.api("POST", f"/api/tasks/{task}/annotations/", {"result": []})
        until(lambda: self.place.written(str(made["id"])), 15, "the annotation is in the target")
        self.link("Tasks")
        self.link(str(task))
        exports = self.page.get_by_role("region", name="Exports")
        expect(exports).to_contain_text(f"Annotation {made['id']}")
        expect(exports.get_by_role("link", name=f"Target {self.name}")).to_be_visible()
        self.visitor.glance(f"story-{self.name}-exported")

    def look_back(self) -> None:
        self.menu("History & issues")
        expect(self.page.get_by_role("heading", level=1)).to_have_text(f"Runs of Source {self.name}")
        expect(self.page.locator("tbody tr")).to_have_count(1)
        expect(self.page.locator("tbody tr")).to_contain_text("Completed")

    def delete(self) -> None:
        title = f"Source {self.name}"
        self.menu("Delete")
        self.hands.write(self.page.get_by_label("Enter the title of the storage to delete it"), title)
        self.button("Delete this storage")
        expect(self.page.get_by_text(re.compile(f"{title}.* was deleted"))).to_be_visible()

    def menu(self, name: str) -> None:
        """An entry of the source's menu."""
        self.link("Cloud Storage")
        self.hands.press(self.page.get_by_label(f"More actions for Source {self.name}"))
        self.link(name)


RUNS: dict[str, tuple[Callable[..., Any], type[Mouse] | type[Keyboard], str, str]] = {
    "bucket": (bucket, Mouse, "wide", "light"),
    "directory": (directory, Keyboard, "wide", "light"),
    "volume": (volume, Mouse, "narrow", "dark"),
}


@pytest.fixture(params=list(RUNS))
def story(request: pytest.FixtureRequest, service: RunningServer, browser: Browser) -> Iterator[Story]:
    connect, hands, width, scheme = RUNS[request.param]
    across, down = WIDTHS[width]
    with connect(service.files) as place:
        sized = {"viewport": {"width": across, "height": down}, "color_scheme": scheme}
        with visiting(service, browser, signed_in=False, **sized) as visitor:
            visitor.allowed_hosts.add(place.host)
            yield Story(visitor, hands(visitor.page), place, request.param)


def test_a_new_user_connects_a_place_and_sees_its_pictures(story: Story) -> None:
    begun = time.monotonic()
    story.sign_in()
    project = story.create_project()
    story.connect("Source", story.place.source)
    story.preview()
    if story.place.fake:
        story.place.fake.delay(1.5, match=story.place.slow)
    story.sync()
    task = story.see_tasks()
    print(f"{story.name}: pictures seen as tasks after {time.monotonic() - begun:.1f} s", end="")
    story.export(task)
    story.look_back()
    story.delete()
    print(f", all of it {time.monotonic() - begun:.1f} s", getattr(story.hands, "tabs", ""))
    assert story.visitor.api("GET", f"/api/tasks/?project={project}&page_size=1")["total"] == PICTURES, "tasks stay"
