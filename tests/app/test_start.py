"""Start is a feature: what is imported before the door listens."""

import subprocess
import sys

from quietshift.app import early

PROBE = """
import sys
from pathlib import Path
import quietshift.app.server
from quietshift.alerts.api import AlertsApi
from quietshift.app.alertmanager import _load
loaded, problems = _load(Path(sys.argv[1]))
assert not problems.found, problems.found
print(" ".join(sorted({"sqlalchemy", "psycopg", "httpx2", "fastapi", "jinja2", "alembic"} & sys.modules.keys())))
"""


def test_neither_database_nor_web_stack_nor_http_client_is_loaded_with_the_configuration(tmp_path):
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'http://127.0.0.1:9/'}]}]\n")
    done = subprocess.run([sys.executable, "-c", PROBE, config], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_it_listens_before_click_is_imported():
    """Who asks early is kept until there is an answer, instead of coming again half a second later."""
    probe = """
import sys
sys.argv = ["quietshift", "alertmanager", "--web.listen-address", "127.0.0.1:0", "-web.listen-address=nowhere"]
from quietshift.app import early
assert not {"click", "asyncio", "uvicorn", "quietshift.app.cli"} & sys.modules.keys()
import socket
(address,) = early.taken
socket.create_connection(early.taken[address].getsockname(), timeout=5).close()
"""
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_nothing_else_listens_early():
    given = ["--config.file=a", "--web.listen-address", ":1", "-web.listen-address=b:2", "--web.listen-address"]
    assert early.addresses(given) == [":1", "b:2"]
    before = dict(early.taken)
    early.listen(["quietshift", "serve", "--web.listen-address=127.0.0.1:0"])
    early.listen(["quietshift", "alertmanager", "--help", "--web.listen-address=127.0.0.1:0"])
    assert early.taken == before
