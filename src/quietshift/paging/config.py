"""Reads `kind: EscalationPolicy` and `kind: Contacts` (`ops/oncall/**/*.yaml`), with `file:line` for what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from quietshift.catalog.model import Catalog, Ref, is_name
from quietshift.channels.parse import parse_via
from quietshift.kernel.config import Node
from quietshift.kernel.errors import Problems
from quietshift.kernel.ops import Loaded, OpsFiles
from quietshift.oncall.config import written_name
from quietshift.oncall.model import Oncall
from quietshift.paging.model import MAX_RULES, Ladder, PagingConfig, Policy, Rule, Step, Target, TargetKind
from quietshift.paging.storm import HOUR, Bundling

API_VERSION = "quietshift.dev/v1"
MAX_REPEAT = 100
MAX_AFTER = timedelta(days=7)
MAX_NAMED = 100  # incidents that one message lists


def part(files: OpsFiles, loaded: Loaded, problems: Problems) -> PagingConfig:
    """The escalation policies and contacts of the ops directory; needs the catalog's part and the schedules'."""
    policies, contacts = files.of(API_VERSION, "EscalationPolicy"), files.of(API_VERSION, "Contacts")
    rules = loaded.get(Bundling) if loaded.has(Bundling) else None
    return load(policies, contacts, problems, loaded.get(Catalog), loaded.get(Oncall), rules)


def bundling(node: Node | None) -> Bundling:
    """`bundle:` of quietshift.yaml; what is left out is as by default."""
    rules = Bundling()
    if node is None or node.missing:
        return rules
    f = node.fields("window", "longest", "per_hour", "named")
    window, longest = f["window"].duration(rules.window), f["longest"].duration(rules.longest)
    for name, span in (("window", window), ("longest", longest)):
        off = name == "window" and not span
        if not off and not timedelta(seconds=1) <= span <= HOUR:
            f[name].error("has to be between 1s and 1h" + (", or 0s for none" if name == "window" else ""))
            return rules
    if longest < window:
        (f["window"] if f["longest"].missing else f["longest"]).error("the longest window is shorter than the first one")
    per_hour, named = f["per_hour"].integer(rules.per_hour, minimum=1), f["named"].integer(rules.named, minimum=1)
    if named > MAX_NAMED:
        f["named"].error(f"has to be {MAX_NAMED} or less, not {named}")
    return Bundling(window, longest, per_hour, min(named, MAX_NAMED))


def load(
    policy_documents: Sequence[Node], contact_documents: Sequence[Node], problems: Problems, catalog: Catalog, oncall: Oncall,
    rules: Bundling | None = None,
) -> PagingConfig:
    """What these documents say. What is wrong goes to `problems`, with its place."""
    policies: dict[str, Policy] = {}
    broken: set[str] = set()
    for document in policy_documents:
        policy = _policy(document, catalog, oncall)
        if policy is not None and policy.name in policies:
            first = policies[policy.name]
            problems.add(
                document.file, document.line,
                f"escalation policy {policy.name} is written twice, first at {first.file}:{first.line}",
            )  # fmt: skip
        elif policy is not None:
            policies[policy.name] = policy
        else:
            broken.add(written_name(document))
    contacts: dict[str, Ladder] = {}
    for document in contact_documents:
        user, ladder = _contacts(document, catalog)
        if user in contacts:
            document.error(f"the contacts of {user} are written twice")
        elif user:
            contacts[user] = ladder
    for person in catalog.users:  # who has no Contacts has the address that the catalog gives
        if person.email and person.id not in contacts:
            contacts[person.id] = (Rule(timedelta(), f"mailto:{person.email}"),)
    config = PagingConfig(MappingProxyType(policies), MappingProxyType(contacts), rules or Bundling(), frozenset(broken - {""}))
    _reachable(config, problems, catalog, oncall)
    return config


def _reachable(config: PagingConfig, problems: Problems, catalog: Catalog, oncall: Oncall) -> None:
    """Warn of people whom a policy may call and who have no Contacts here: only their own in the web interface reach them."""
    for policy in config.policies.values():
        targets = [target for step in policy.steps for target in step.targets] + list(policy.last_resort)
        people = {person for target in targets for person in _people(target, catalog, oncall)}
        if silent := sorted(people - set(config.contacts)):
            problems.add(
                policy.file, policy.line,
                f"escalation policy {policy.name} may call {', '.join(silent)}: without Contacts in oncall/ and profile.email in "
                "the catalog, one is reached only by contacts of one's own", "warning",
            )  # fmt: skip


def _people(target: Target, catalog: Catalog, oncall: Oncall) -> set[str]:
    if target.kind is TargetKind.USER:
        return {target.name}
    if target.kind is TargetKind.SCHEDULE:
        if target.name in oncall.broken:
            return set()
        schedule = oncall.get(target.name)
        rotating = {user for layer in schedule.layers for user in layer.users}
        return rotating | {override.user for override in schedule.overrides}
    group = catalog.group(target.name)
    return {user.id for user in catalog.members(group)} if group is not None else set()



def _top(document: Node) -> tuple[Node, Node, str]:
    """spec, the name's place, and what it says."""
    top = document.fields("apiVersion", "kind", "metadata", "spec")
    meta = top["metadata"].fields("name", "description", "labels", "annotations")
    if top["spec"].missing:
        top["spec"].error("is required")
    return top["spec"], meta["name"], meta["name"].required()


def _policy(document: Node, catalog: Catalog, oncall: Oncall) -> Policy | None:
    spec, place, name = _top(document)
    if name and not is_name(name):
        place.error(f"{name!r} is no name: letters, digits and -_. between them, at most 63 characters")
    if spec.missing:
        return None
    fields = spec.fields("owner", "repeat", "steps", "fallback")
    owner = _owner(fields["owner"], catalog)
    repeat = fields["repeat"].integer(0, minimum=0)
    if repeat > MAX_REPEAT:
        fields["repeat"].error(f"has to be {MAX_REPEAT} or less, not {repeat}")
    if not fields["steps"].items():
        fields["steps"].error("a policy needs steps: nobody would ever be called")
    steps = [_step(node, catalog, oncall) for node in fields["steps"].items()]
    fallback = targets(fields["fallback"], catalog, oncall)
    if not fields["fallback"].missing and not fields["fallback"].items():
        fields["fallback"].error("is empty: leave it out to have everybody of the owner called")
    whole = [step for step in steps if step is not None]
    if not name or owner is None or not whole:
        return None
    policy = Policy(name, owner, tuple(whole), min(repeat, MAX_REPEAT), fallback)
    return replace(policy, description=_description(document), file=document.file, line=document.line)


def _description(document: Node) -> str:
    return document.entries()["metadata"].fields("name", "description", "labels", "annotations")["description"].text()


def _owner(node: Node, catalog: Catalog) -> Ref | None:
    if not node.required():
        return None
    ref = node.parsed(lambda text: Ref.parse(text, "group"), None)
    if ref is None:
        return None
    if ref.kind not in ("group", "user"):
        node.error(f"has to be a Group or a User, not {ref}")
        return None
    if catalog.find(ref) is None:
        node.error(f"{ref} is not in the catalog")
    return ref


def _step(node: Node, catalog: Catalog, oncall: Oncall) -> Step | None:
    fields = node.fields("after", "targets")
    after = fields["after"].duration()
    if after > MAX_AFTER:
        fields["after"].error("is longer than a week: nobody waits so long for a page")
    if not fields["targets"].items():
        fields["targets"].error("a step needs targets: user:NAME, schedule:NAME or group:NAME")
    found = targets(fields["targets"], catalog, oncall)
    return Step(after, found) if found else None


def targets(node: Node, catalog: Catalog, oncall: Oncall) -> tuple[Target, ...]:
    """A list of targets that lead somewhere; one that is written twice, or leads nowhere, is an error."""
    found: list[Target] = []
    for item in node.items():
        target = _target(item, catalog, oncall)
        if target in found:
            item.error(f"{target} is there already")
        elif target is not None:
            found.append(target)
    return tuple(found)


def _target(node: Node, catalog: Catalog, oncall: Oncall) -> Target | None:
    if not node.required():
        return None
    target = node.parsed(Target.parse, None)
    if target is None:
        return None
    known = find(target, catalog, oncall)
    if known is None:
        node.error(missing(target, oncall))
    return known


def find(target: Target, catalog: Catalog, oncall: Oncall) -> Target | None:
    """The target under the name that the catalog or the schedules give it; None where they do not know it."""
    if target.kind is TargetKind.SCHEDULE:  # what is wrong with a broken one was told where it stands
        return target if target.name in oncall.schedules or target.name in oncall.broken else None
    entity = catalog.user(target.name) if target.kind is TargetKind.USER else catalog.group(target.name)
    return Target(target.kind, entity.id) if entity else None


def missing(target: Target, oncall: Oncall) -> str:
    """Why a target that `find` does not find is none."""
    if target.kind is not TargetKind.SCHEDULE:
        return f"{target} is not in the catalog"
    known = ", ".join(sorted(oncall.schedules)) or "none"
    return f"there is no schedule {target.name!r} (schedules: {known})"


def _contacts(document: Node, catalog: Catalog) -> tuple[str, Ladder]:
    spec, place, name = _top(document)
    user = catalog.user(name) if name else None
    if name and user is None:
        place.error(f"the catalog has no User {name!r}")
    rules = spec.fields("rules")["rules"] if not spec.missing else spec
    if not spec.missing and not rules.items():
        rules.error("contacts need rules: {after: 0s, via: ...}")
    if len(rules.items()) > MAX_RULES:
        rules.error(f"at most {MAX_RULES} rules")
    found = [_rule(node) for node in rules.items()]
    return (user.id if user else ""), ladder([rule for rule in found if rule is not None])


def _rule(node: Node) -> Rule | None:
    fields = node.fields("after", "via")
    after = fields["after"].duration()
    if after > MAX_AFTER:
        fields["after"].error("is longer than a week")
    via = fields["via"].parsed(parse_via, None) if fields["via"].required() else None
    return Rule(after, via.url) if via else None


def ladder(rules: Sequence[Rule]) -> Ladder:
    """The rungs in the order of their time; those of the same time as written."""
    return tuple(sorted(rules, key=lambda rule: rule.after))
