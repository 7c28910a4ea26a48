"""Where alerts go, remembered: alerts of one kind agree in the few labels that the routing tree looks at."""

from __future__ import annotations

import msgspec

from quietshift.alerts import decide, store
from quietshift.alerts.labels import Labels
from quietshift.alerts.model import Route

REMEMBERED = 10_000  # label values for which the way is known


class Place(msgspec.Struct, frozen=True, gc=False):
    """A group that takes an alert: the labels that it stands for, below its route. digest: of both."""

    route: Route
    labels: Labels
    digest: int


class Router:
    """The routing tree, asked. Its answers are those of `decide.match` and `decide.group_labels`."""

    def __init__(self, root: Route) -> None:
        self._root = root
        routes = list(root.walk())
        names = {m.name for route in routes for m in route.matchers} | {name for route in routes for name in route.group_by}
        self._names = tuple(sorted(names))
        self._routes: dict[tuple[str | None, ...], tuple[Route, ...]] = {}
        self._places: dict[tuple[str | None, ...], tuple[Place, ...]] = {}

    def _key(self, labels: Labels) -> tuple[str | None, ...]:
        return tuple(map(labels.get, self._names))

    def routes(self, labels: Labels) -> tuple[Route, ...]:
        """The routes that take an alert."""
        key = self._key(labels)
        found = self._routes.get(key)
        if found is None:
            found = tuple(decide.match(self._root, labels))
            if len(self._routes) >= REMEMBERED:
                self._routes.clear()
            self._routes[key] = found
        return found

    def places(self, labels: Labels) -> tuple[Place, ...]:
        """The groups that take an alert."""
        key = self._key(labels)
        found = self._places.get(key)
        if found is None:
            routes = self.routes(labels)
            found = tuple(_place(route, decide.group_labels(route, labels)) for route in routes)
            if not any(route.group_by_all for route in routes):
                if len(self._places) >= REMEMBERED:
                    self._places.clear()
                self._places[key] = found
        return found


def _place(route: Route, of: Labels) -> Place:
    return Place(route, of, store.group_digest(route.path, of))
