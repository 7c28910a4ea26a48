"""One server and one set of browser contexts for all tests of real pages."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.house import House, write_ops
from tests.support.mail import MailServer
from tests.support.server import Server


@pytest.fixture(scope="module")
def standing_house(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    mail = MailServer()
    mail.start()
    server = Server(folder, write_ops(folder, mail)).start()
    found = House(server, mail, browser)
    yield found
    found.close()
    log = server.log.read_text(errors="replace")
    server.kill9()
    mail.stop()
    assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:6000]


@pytest.fixture
def house(standing_house: House) -> Iterator[House]:
    """The server of this file; after each test its pages are closed and held to their promises: no console error, no
    foreign request, a strict policy."""
    yield standing_house
    standing_house.leave()
