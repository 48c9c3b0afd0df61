"""Two ways to use a page: with a mouse, or with nothing but the keys of a keyboard, from wherever the focus is."""

from typing import Protocol

from playwright.sync_api import Locator, Page

MOST_TABS = 160  # to go round the longest page once


class Hands(Protocol):
    """What both can do with a control."""

    page: Page

    def press(self, control: Locator) -> None:
        """Uses a button, a link, or what opens a menu."""

    def write(self, control: Locator, text: str) -> None:
        """Replaces what a text field holds."""

    def choose(self, radio: Locator) -> None: ...

    def switch(self, control: Locator) -> None: ...


class Mouse:
    """Points and clicks; fills fields as if pasted."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, control: Locator) -> None:
        control.click()

    def write(self, control: Locator, text: str) -> None:
        control.click()
        control.fill(text)

    def choose(self, radio: Locator) -> None:
        radio.check()

    def switch(self, control: Locator) -> None:
        control.click()


class Keyboard:
    """Tab, Enter, Space, arrows and letters; ``tabs`` counts the steps that it took to get about."""

    def __init__(self, page: Page) -> None:
        self.page, self.tabs = page, 0

    def press(self, control: Locator) -> None:
        self._reach(control)
        self.page.keyboard.press("Enter")

    def write(self, control: Locator, text: str) -> None:
        self._reach(control)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)

    def choose(self, radio: Locator) -> None:
        self._reach(self.page.locator("input[type=radio]:checked"))
        for _ in range(MOST_TABS):
            if radio.is_checked():
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"the arrow keys do not get to {radio}")

    def switch(self, control: Locator) -> None:
        self._reach(control)
        self.page.keyboard.press("Space")

    def _reach(self, control: Locator) -> None:
        """Tabs until the control has the focus, which must then be seen."""
        control.wait_for()
        for _ in range(MOST_TABS):
            if control.evaluate("element => element === document.activeElement"):
                assert control.evaluate("element => element.matches(':focus-visible')"), f"no one sees the focus on {control}"
                return
            self.page.keyboard.press("Tab")
            self.tabs += 1
        raise AssertionError(f"Tab does not get to {control}")
