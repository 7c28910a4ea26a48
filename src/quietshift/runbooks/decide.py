"""Which runbook answers an alert, and how far it has been worked through for an incident."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from quietshift.runbooks.model import Runbook, Runbooks, Step, Tick


@dataclass(frozen=True)
class Named:
    """The runbook of an incident: ours, or a page outside (`url`), or both; and why this one."""

    runbook: Runbook | None
    url: str
    reason: str


def runbook_for(runbooks: Runbooks, *, alertname: str, runbook_url: str = "", component: str = "") -> Named | None:
    """The runbook that an alert leads to; None where there is none yet.

    runbook_url: the alert's annotation: a name or path (`runbooks/X.md`), or a URL. One that ends in the path of a file of the
    directory is that file. An outside page is shown as a link, beside `runbooks/<alertname>.md` where the team wrote one.
    component: the full reference of the service; its annotation counts where the alert leads to nothing.
    """
    own = in_directory(runbook_url, runbooks) if runbook_url else None
    if own is not None:
        return Named(own, "", "runbook_url of the alert")
    outside = runbook_url if is_outside(runbook_url) else ""
    by_name = runbooks.for_alert(alertname) if alertname else None
    if by_name is not None:
        return Named(by_name, outside, f"named like the alert {alertname}")
    if outside:
        return Named(None, outside, "runbook_url of the alert")
    of_component = runbooks.of_component.get(component, "")
    if of_component in runbooks.by_name:
        return Named(runbooks.by_name[of_component], "", f"runbook of {component}")
    return None


def is_outside(text: str) -> bool:
    """A web address: anything else that is not ours is not made a link."""
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def in_directory(text: str, runbooks: Runbooks) -> Runbook | None:
    """The runbook of a name (`DiskWillFill`), a path (`runbooks/DiskWillFill.md`), or a URL that ends in such a path."""
    try:
        path = unquote(urlsplit(text.strip()).path)
    except ValueError:
        return None
    outside = is_outside(text)
    if outside and not path.endswith(".md"):
        return None
    pieces = path.removesuffix(".md").strip("/").split("/")
    if not outside:
        name = "/".join(piece for piece in pieces if piece != ".")
        if name in runbooks.by_name:
            return runbooks.by_name[name]
    for index, piece in enumerate(pieces):
        name = "/".join(pieces[index + 1 :])
        if piece == "runbooks" and name in runbooks.by_name:
            return runbooks.by_name[name]
    return None


def progress(steps: Iterable[Step], ticks: Iterable[Tick]) -> Mapping[int, Tick]:
    """The latest tick of each step, by its number; ticks oldest first. A step that is not in the answer is open.

    A tick belongs to the step it was set on, known by its words: where the runbook was changed since, a step that moved keeps
    its tick, and another step in its place is open. Of steps with the same words the number decides.
    """
    steps = list(steps)
    titles = [step.title for step in steps]
    latest: dict[int, Tick] = {}
    for tick in ticks:
        same = [step.number for step in steps if step.title == tick.title]
        if len(same) == 1:
            latest[same[0]] = tick
        elif tick.step in same and titles.count(tick.title) > 1:
            latest[tick.step] = tick
    return latest
