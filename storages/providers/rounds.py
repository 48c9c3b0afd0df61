"""Notices a listing that goes in circles by the tokens of its pages, however long the circle; knows no provider."""

from storages.errors import Unavailable


class Rounds:
    """Told every token of one listing in turn; keeps one of them, moved on at ever longer intervals.

    R. P. Brent, "An improved Monte Carlo factorization algorithm" (1980), section 3: a circle is noticed within three
    times the pages before its first repetition.
    """

    def __init__(self, what: str) -> None:
        """``what``: whose token repeats, for the message."""
        self.what = what
        self._kept: object = None
        self._left = self._steps = 1

    def pass_by(self, token: object) -> None:
        """Raises Unavailable if ``token`` has led here before."""
        if token == self._kept:
            raise Unavailable(f"the listing does not go on: {self.what} repeats")
        self._left -= 1
        if self._left == 0:
            self._kept, self._steps = token, self._steps * 2
            self._left = self._steps
