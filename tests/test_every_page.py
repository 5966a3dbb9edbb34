"""Every page that a person reaches by links: answers, fits, makes no complaint, passes axe."""

from collections.abc import Iterator

import pytest

from tests.every_page import PEOPLE, walk_demo
from tests.stack import Stack, running

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(400)]

AT_LEAST = {"agency": 15, "harbour": 18, "fellside": 20}
"""Kinds of pages on a host; fewer means that a link is missing, and the walk proves little."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The demo with a few days of history."""
    with running(tmp_path_factory.mktemp("pages") / "var", demo=True) as stack:
        stack.start_web()
        stack.wait_until_web_answers()
        yield stack


@pytest.mark.parametrize(("host", "email"), PEOPLE)
def test_every_page_is_whole_accessible_and_fits_a_phone(stack, chromium, host, email):
    pages = walk_demo(chromium, stack.port, host, email, None)
    wrong = [f"{page.path}: {problem}" for page in pages for problem in page.problems]
    assert not wrong, "\n".join(wrong)
    assert len(pages) >= AT_LEAST[host], [page.path for page in pages]
