"""How many silences there may be, and how long they may be."""

from datetime import timedelta

import pytest

from quietshift.alerts.api import LONG_SILENCE, AlertsApi, SilenceLimits
from quietshift.kernel.clock import rfc3339
from tests.alerts.conftest import DEFAULT, World
from tests.support.door import ask


@pytest.fixture
def world(tmp_path):
    made = World(f"sqlite:///{tmp_path}/quietshift.db", DEFAULT)
    yield made
    made.close()


def door(world, **limits):
    api = AlertsApi(lambda: world.config, world.clock, **limits)
    api.open(world.room.opened)
    return api


def post(api, world, comment="for a test", **more):
    now = world.clock.now()
    body = {
        "matchers": [{"name": "a", "value": "b", "isRegex": False}], "createdBy": "ana", "comment": comment,
        "startsAt": rfc3339(now), "endsAt": rfc3339(now + timedelta(hours=1)),
    }  # fmt: skip
    return ask(api, "/api/v2/silences", body | more, content_type="application/json")


def test_no_more_silences_than_are_allowed(world):
    api = door(world, limits=SilenceLimits(number=2))
    first = post(api, world).json["silenceID"]
    assert post(api, world).status == 200
    refused = post(api, world)
    assert (refused.status, refused.json) == (400, "there are 2 silences, expired ones among them, and no more are allowed")
    longer = rfc3339(world.clock.now() + timedelta(hours=2))
    assert post(api, world, id=first, endsAt=longer).json == {"silenceID": first}, "one that is there may be changed"


def test_no_silence_longer_than_is_allowed(world):
    assert post(door(world, limits=SilenceLimits(octets=1000)), world, "x" * 1000).status == 400
    assert post(door(world, limits=SilenceLimits(octets=2000)), world, "x" * 1000).status == 200
    assert post(door(world), world, "x" * LONG_SILENCE).status == 400, "where nothing is said"
    assert post(door(world, limits=SilenceLimits()), world, "x" * LONG_SILENCE).status == 200
