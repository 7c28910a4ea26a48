"""Messages to people by chat and push services, as those services get them: by TLS, for no `via` of theirs is without."""

import pytest

from quietshift.channels.chat import Said, tell
from quietshift.channels.parse import parse_via
from tests.support.webhook import Scripted

SAID = Said(
    "[INC-7] Disk <full> *now*", "gitaly, critical", [("I have it", "https://q/p/tok"), ("Open", "https://q/i/7")], priority=5
)
ACCEPTED = {
    "slack": Scripted(200, b"ok"), "telegram": Scripted(200, b'{"ok": true}'), "pushover": Scripted(), "discord": Scripted(204),
    "msteams": Scripted(202),
}  # fmt: skip


PATHS = ("/services/s3cret", "/api/webhooks/1/s3cret", "/workflows/s3cret", "/1/messages.json", "/bot1:s3cret/sendMessage")


def vias(port: int) -> dict[str, str]:
    return {
        "slack": f"slack://127.0.0.1:{port}/services/s3cret", "discord": f"discord://127.0.0.1:{port}/api/webhooks/1/s3cret",
        "msteams": f"msteams://127.0.0.1:{port}/workflows/s3cret", "pushover": f"pushover://us3cret:ts3cret@127.0.0.1:{port}",
        "telegram": f"telegram://1:s3cret@127.0.0.1:{port}/-5",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ACCEPTED)
def test_it_arrives_with_its_links(trusted, kind):
    via = parse_via(vias(trusted.port)[kind])
    for path in PATHS:
        trusted.always(path, ACCEPTED[kind])
    answer = tell(via, SAID)
    assert answer.outcome == "accepted", answer
    [post] = trusted.posts()
    everything = post.body.decode() + post.query
    assert "INC-7" in everything
    assert "https://q/p/tok" in everything or "https%3A%2F%2Fq%2Fp%2Ftok" in everything
    if kind == "slack":
        assert post.json["text"] == (
            "*[INC-7] Disk &lt;full&gt; *now**\ngitaly, critical\n<https://q/p/tok|I have it>  <https://q/i/7|Open>"
        )
    if kind == "discord":
        assert post.json["allowed_mentions"] == {"parse": []}
        assert post.json["embeds"][0]["title"] == r"\[INC-7\] Disk <full\> \*now\*"
    if kind == "telegram":
        assert post.json["chat_id"] == "-5"
        assert "parse_mode" not in post.json
    if kind == "pushover":
        assert {"user=us3cret", "token=ts3cret", "priority=1", "url_title=I+have+it"} <= set(post.query.split("&"))
    if kind == "msteams":
        assert [a["url"] for a in post.json["attachments"][0]["content"]["actions"]] == ["https://q/p/tok", "https://q/i/7"]


@pytest.mark.parametrize(("status", "outcome"), [(429, "temporary"), (500, "temporary"), (404, "permanent")])
@pytest.mark.parametrize("kind", ACCEPTED)
def test_a_refusal_shows_no_secret(trusted, kind, status, outcome):
    echo = Scripted(status, b"no such thing: " + vias(trusted.port)[kind].encode())
    for path in PATHS:
        trusted.always(path, echo)
    via = parse_via(vias(trusted.port)[kind])
    answer = tell(via, SAID)
    assert answer.outcome == ("temporary" if kind == "telegram" else outcome)
    assert "s3cret" not in answer.text
    assert "s3cret" not in f"{via} {via!r}"
