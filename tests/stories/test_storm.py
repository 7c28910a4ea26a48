"""A storm, from alerts to phones: few messages, none lost, through a crash; what is urgent elsewhere is not held up."""

from tests.stories.world import World


def test_a_storm_rings_a_phone_twice_loses_none_through_a_crash_and_holds_up_nobody_else(world: World) -> None:
    world.on_shift("storage", primary="ana", secondary="bo")
    world.on_shift("web", primary="dee")
    world.at("02:00")
    for number in range(40):
        world.alert(f"DiskFull{number}", service="gitaly")
    world.expect_page("ana").expect_no_more_pages()
    world.at("02:00:05").alert("SiteDown", service="web-service").expect_page("dee").ack("dee")
    world.restart().at("02:00:09").expect_no_more_pages()
    world.expect_page("ana", within="1s")
    assert world.received[-1].body["bundle"]["count"] == 39
    first = next(one for one in world.incidents if one.alertname == "DiskFull0")
    world.ack("ana", first)
    world.until(world.now).at("02:04:59").expect_no_more_pages()
    world.expect_page("bo", within="1s").expect_page("bo", within="10s")
    assert world.received[-2].body["incident"]["id"] != first.ref
    assert world.received[-1].body["bundle"]["count"] == 38


def test_the_story_of_an_incident_says_that_it_was_told_with_others(world: World) -> None:
    world.on_shift("storage", primary="ana")
    world.at("02:00")
    for number in range(4):
        world.alert(f"DiskFull{number}", service="gitaly")
    world.at("02:01")
    told = world.story()
    assert "ana is told by webhook with others at 02:00:10 UTC (told of policy storage less than 10s before)" in told
    assert told.count("webhook to ana, in one message with 2 others: accepted") == 3
