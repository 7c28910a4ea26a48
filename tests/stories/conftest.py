"""Every story runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stories.world import World
from tests.support.webhook import WebhookServer


@pytest.fixture
def world(tmp_path: Path, database_url: str, webhook_server: WebhookServer) -> Iterator[World]:
    made = World(tmp_path, database_url, webhook_server)
    yield made
    made.close()
