"""Who is who by brute force: the rules of identity as they are written, one row after another."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

TYPES = ("user_id", "email", "phone", "contact_id", "anonymous_id", "device_id", "click_id")
PEOPLE = TYPES[:4]
DEVICES = TYPES[4:6]

Identifier = tuple[str, str]


class Groups:
    """Disjoint sets."""

    def __init__(self, items):
        self.of = {item: {item} for item in items}

    def join(self, one, other):
        if self.of[one] is not self.of[other]:
            self.of[one] |= self.of[other]
            for item in self.of[other]:
                self.of[item] = self.of[one]


class Reference:
    """Who is who, from rows of (place, moment, identifiers), by the rules as they are written."""

    def __init__(self, rows, vetoes=(), max_people=10, max_identifiers=500):
        self.max_people, self.max_identifiers = max_people, max_identifiers
        self.order: dict[Identifier, tuple] = {}
        self.count: Counter = Counter()
        self.first_seen: dict[tuple[Identifier, Identifier], tuple] = {}
        self.logins = defaultdict(set)
        for place, moment, found in rows:
            for kind, value in found.items():
                node = (kind, value)
                mine = (*place, TYPES.index(kind))
                self.order[node] = min(self.order.get(node, mine), mine)
            for pair in itertools.combinations(sorted(found.items(), key=_rank), 2):
                self.count[pair] += 1
                seen = (moment is None, moment)
                self.first_seen[pair] = min(self.first_seen.get(pair, seen), seen)
            people = {kind: value for kind, value in found.items() if kind in PEOPLE}
            for kind in DEVICES:
                if kind in found and people:
                    self.logins[kind, found[kind]].add((moment, tuple(sorted(people.items()))))
        self.neighbours = defaultdict(set)
        for one, other in self.count:
            self.neighbours[one].add(other)
            self.neighbours[other].add(one)
        known = (frozenset(pair) for pair in vetoes if set(pair) <= self.order.keys())
        self.vetoes = {pair for pair in known if len(pair) == 2}
        self.unlinked = {node: "too many people" for node in self.order if self.crowded(node)}
        for node in self.order:
            if node[0] == "email" and node[1].startswith("info@"):
                self.unlinked[node] = "shared mailbox"
        known = Groups(node for node in self.order if node[0] in PEOPLE)
        for one, other in self.count:
            if {one[0], other[0]} <= set(PEOPLE) and not {one, other} & self.unlinked.keys():
                known.join(one, other)
        shared = [node for node in self.order if node[0] in DEVICES and self.shared(node, known)]
        self.unlinked |= {node: "shared device" for node in shared}
        self.links = [pair for pair in self.count if not set(pair) & self.unlinked.keys()]
        whole = Groups(self.order)
        for pair in self.links:
            whole.join(*pair)
        self.part, self.cut = dict(whole.of), set()
        for group in {id(group): group for group in whole.of.values()}.values():
            if not self.allowed(group):
                self.cut |= group
                self.part |= self.kruskal(group)
        self.person = {node: min(self.part[node], key=self.order.get) for node in self.order}
        for node in self.unlinked:
            if node[0] not in PEOPLE:
                self.person[node] = self.owner(node)

    def crowded(self, node):
        kinds = Counter(kind for kind, _ in self.neighbours[node])
        if node[0] == "click_id":
            return max(kinds.values(), default=0) > 1
        people = max((kinds[kind] for kind in PEOPLE), default=0)
        return node[0] in PEOPLE and people > self.max_people

    def shared(self, device, known):
        people = [n for n in self.neighbours[device] if n[0] in PEOPLE and n not in self.unlinked]
        groups = {id(known.of[node]): known.of[node] for node in people}
        kinds = Counter(kind for group in groups.values() for kind in {kind for kind, _ in group})
        return max(kinds.values(), default=0) > 1

    def allowed(self, group):
        counted = sum(kind != "click_id" for kind, _ in group)
        vetoed = any(veto <= group for veto in self.vetoes)
        return counted <= self.max_identifiers and not vetoed

    def kruskal(self, group):
        """Links from the strongest to the weakest, as long as what they join is allowed."""
        parts = Groups(group)

        def strength(pair):
            orders = sorted(self.order[node] for node in pair)
            return (pair[1][0] not in PEOPLE, -self.count[pair], orders)

        for one, other in sorted((p for p in self.links if set(p) <= group), key=strength):
            if self.allowed(parts.of[one] | parts.of[other]):
                parts.join(one, other)
        return parts.of

    def owner(self, node):
        pairs = defaultdict(list)
        for pair in self.count:
            if pair[1] == node and pair[0] not in self.unlinked:
                pairs[self.person[pair[0]]].append(pair)
        if not pairs:
            return node

        def strength(person):
            seen = pairs[person]
            return (
                -sum(self.count[pair] for pair in seen),
                min(self.first_seen[pair] for pair in seen),
                min("|".join(pair[0]) for pair in seen),
            )

        return min(pairs, key=strength)

    def login_person(self, people):
        """The person of a login: by its strongest identifier, those of many people last."""
        nodes = sorted(people, key=_rank)
        return self.person[([n for n in nodes if n not in self.unlinked] or nodes)[0]]


def _rank(item: Identifier) -> int:
    return TYPES.index(item[0])
