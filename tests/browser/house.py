"""A real server with real mail, and browsers that visit it: what goes wrong on any page they open is counted."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response

from tests.support.mail import Mail, MailServer
from tests.support.server import Server
from tests.support.talk import ask, eventually

EXAMPLE = Path(__file__).parents[2] / "src/quietshift/app/example"
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
BY_LOOKS = ("color-contrast", "target-size", "scrollable-region-focusable", "aria-hidden-focus")  # what size and scheme decide
SIZES = {"desktop": (1440, 900), "phone": (375, 667)}
PASSWORD = "correct horse battery"
Scheme = Literal["light", "dark"]


def write_ops(folder: Path, mail: MailServer) -> Path:
    """The example of `quietshift init`, in which Ana is always first for Payments and Bo second; nothing waits."""
    ops = folder / "ops"
    shutil.copytree(EXAMPLE, ops)
    for file, changes in {
        "quietshift.yaml": {
            "smtp_smarthost: mail.example.org:587": f"smtp_smarthost: 127.0.0.1:{mail.port}\nsmtp_tls: none",
            "smtp_from: quiet": "bundle: {window: 0s}\nsmtp_from: quiet",
        },
        "alertmanager.yml": {"group_wait: 10s": "group_wait: 0s", "group_interval: 1m": "group_interval: 1s"},
        "oncall/payments.yaml": {"users: [ana, bo]": "users: [ana]", "users: [bo, ana]": "users: [bo]"},
        "oncall/contacts.yaml": {'    - {after: 1m, via: "ntfys://ntfy.example.org/ana"}': "    #"},
    }.items():
        text = (ops / file).read_text()
        for before, after in changes.items():
            assert before in text, f"the example's {file} is not what this test knows"
            text = text.replace(before, after)
        (ops / file).write_text(text)
    return ops


@dataclass
class Visit:
    """A page, and what went wrong on it since it was opened."""

    page: Page
    url: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    policies: set[str] = field(default_factory=set)
    expected: tuple[str, ...] = ()  # parts of console errors that a test brings about itself

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._request)
        self.page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.url + "/", "data:")):
            self.foreign.append(request.url)

    def _response(self, response: Response) -> None:
        if response.request.resource_type == "document":
            self.policies.add(response.headers.get("content-security-policy", "none"))

    def open(self, path: str) -> None:
        self.page.goto(path if path.startswith("http") else self.url + path)

    def violations(self, *rules: str) -> list[str]:
        """What axe finds wrong: by the rules of WCAG 2.2 AA and its own, or by these alone."""
        only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": RULES}
        given = {"runOnly": only, "resultTypes": ["violations"]}
        found: dict[str, Any] = self.page.evaluate("async (given) => await axe.run(given)", given)
        return [f"{v['id']}: {n['target']} {n['failureSummary']}" for v in found["violations"] for n in v["nodes"]]

    def sideways(self) -> int:
        """By how many pixels the page is wider than the window."""
        wide: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return wide

    def check(self) -> None:
        """Nothing was complained about, nothing was fetched from elsewhere, and the policy was strict throughout."""
        errors = [error for error in self.errors if not any(part in error for part in self.expected)]
        assert not errors, f"on {self.page.url}: {errors}"
        assert not self.foreign, f"from elsewhere: {self.foreign}"
        for policy in self.policies:
            allowed = dict(part.strip().split(" ", 1) for part in policy.split(";"))
            assert allowed["default-src"] == "'none'"
            assert (allowed["script-src"], allowed["style-src"], allowed["connect-src"]) == ("'self'", "'self'", "'self'")
            assert (allowed["frame-ancestors"], allowed["base-uri"], allowed["form-action"]) == ("'none'", "'none'", "'self'")


class House:
    """The server, its mail, and who visits. One browser context for each person, size, scheme, and with or without a script."""

    def __init__(self, server: Server, mail: MailServer, browser: Browser) -> None:
        self.server, self.mail, self.browser = server, mail, browser
        self._contexts: dict[tuple[object, ...], BrowserContext] = {}
        self._cookies: dict[str, str] = {}
        self._visits: list[Visit] = []

    @property
    def url(self) -> str:
        return self.server.url

    # -- who visits --------------------------------------------------------------------------------------------------------

    def visit(self, who: str | None = "ana", size: str = "desktop", scheme: Scheme = "light", *, script: bool = True) -> Visit:
        """A new page of somebody who is signed in (None: who is not)."""
        key = (who, size, scheme, script)
        if key not in self._contexts:
            width, height = SIZES[size]
            context = self.browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=script
            )
            if script:
                context.add_init_script(AXE)  # evaluated by the browser itself, so the page's policy stays as strict as it is
            if who is not None:
                name, value = self._cookie(who).split("=", 1)
                context.add_cookies([{"name": name, "value": value, "url": self.url}])
            self._contexts[key] = context
        found = Visit(self._contexts[key].new_page(), self.url)
        self._visits.append(found)
        return found

    def leave(self) -> None:
        """Close every page that was opened, and hold each to its promises."""
        visits, self._visits = self._visits, []
        for one in visits:
            one.page.close()
        for one in visits:
            one.check()

    def close(self) -> None:
        for context in self._contexts.values():
            context.close()

    def _cookie(self, who: str) -> str:
        """Of a session of this account, which is made if there is none."""
        if who not in self._cookies:
            made = self.api("POST", "/api/v1/accounts", {"name": who, "role": "admin" if who == "ana" else "responder"})
            form = urlencode({"user": who, "password": PASSWORD, "again": PASSWORD}).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.url, "Accept": "text/html"}
            answer = ask(made["url"], "POST", form, headers)
            assert answer.status == 303, answer.text
            self._cookies[who] = answer.headers["set-cookie"].split(";", 1)[0]
        return self._cookies[who]

    # -- what happens ------------------------------------------------------------------------------------------------------

    def api(self, method: str, path: str, body: Any = None) -> Any:
        answer = ask(self.url + path, method, json_body=body, token=self.server.token)
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.text}"
        return answer.json if answer.body else None

    def alert(self, name: str, summary: str = "", *, service: str = "checkout", severity: str = "critical", **labels: str) -> str:
        """It fires; gives the incident that it opened."""
        labels = {"alertname": name, "service": service, "severity": severity, **labels}
        self.api("POST", "/api/v2/alerts", [{"labels": labels, "annotations": {"summary": summary} if summary else {}}])
        found = eventually(
            lambda: [i for i in self.api("GET", "/api/v1/incidents") if i["alertname"] == name],
            bool,
            what=f"an incident of {name}",
        )
        return f"INC-{found[0]['id']}" if isinstance(found[0]["id"], int) else str(found[0]["id"])

    def page_of(self, incident: str, user: str = "ana") -> Mail:
        """The mail that pages somebody for an incident."""
        return self.mail.wait_for(to=f"{user}@example.org", where=lambda mail: incident in mail.subject)[0]

    def ack_link(self, incident: str, user: str = "ana") -> str:
        return next(word for word in self.page_of(incident, user).text.split() if "/p/" in word)
