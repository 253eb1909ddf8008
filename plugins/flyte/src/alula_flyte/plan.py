"""What a rewrite changes in one source, decided from what the source imports and refers to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import libcst as cst
import msgspec

from .bindings import Binding, Bindings, Dotted, Reference, Statement
from .imports import Entry, entries_of
from .lookup import Found
from .needless import nodes_within, refused_arguments
from .own_names import differs, home_of, lacks, lacks_in_result, name_in, root_of, shortest
from .rows import Row


class Note(msgspec.Struct, frozen=True, order=True):
    """Something to know, or to do by hand.

    Attributes:
        line: The line, before the rewrite.
        text: What it is.
    """

    line: int
    text: str


@dataclass
class Change:
    """What becomes of an import statement.

    Attributes:
        kept: What it still imports.
        new: What is imported in its place.
    """

    kept: list[Entry]
    new: list[Entry] = field(default_factory=list)


@dataclass
class Plan:
    """What a rewrite changes.

    Attributes:
        changes: The import statements that change.
        names: The names and attributes that are replaced, and what by.
        meanings: For each name that is replaced, or stays because it has the right name already: what it stood for, and
            how an own name of Alula's can be written in its place.
        notes: What differs although the name is Alula's now.
        left: What is left, and why.
        renamed: How many imported names are Alula's now.
    """

    changes: dict[Statement, Change] = field(default_factory=dict)
    names: dict[Dotted, str] = field(default_factory=dict)
    meanings: dict[Dotted, Meaning] = field(default_factory=dict)
    notes: set[Note] = field(default_factory=set)
    left: set[Note] = field(default_factory=set)
    renamed: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Meaning:
    """What a name of Flyte's stood for that is Alula's now.

    Attributes:
        name: Flyte's name, with its module.
        own: Alula's, as rows have it.
        root: How Alula's module is reached there; empty if names are imported from it.
        statement: The import statement.
    """

    name: str
    own: str
    root: str
    statement: Statement


class Planner:
    """Decides for one source.

    Args:
        bindings: What the source imports and refers to.
        bound: Local names that must stay bound, because others import them from here.
    """

    def __init__(self, bindings: Bindings, bound: Iterable[str] = ()) -> None:
        self.bindings = bindings
        self.bound = frozenset(bound)
        self.owners = bindings.owners
        self.plan = Plan()
        self.moved: dict[Statement, set[Entry]] = defaultdict(set)
        self.added: dict[Statement, list[Entry]] = defaultdict(list)

    def planned(self) -> Plan:
        """Return the plan; to be called once."""
        imported = self.bindings.imported
        self._forget_needless([*imported, *self.bindings.starred])
        named = [binding for binding in imported if not self._is_module(binding)]
        modules = [binding for binding in imported if self._is_module(binding)]
        movable = [binding for binding in [*named, *self.bindings.starred] if self._is_movable(binding)]
        # Those that keep their names first, so that none takes the name of another.
        for binding in movable:
            if binding.local == _short(binding):
                self.owners.setdefault(binding.local, set()).add(_row(binding.found).own)
        for binding in movable:
            self._move(binding, self._local_name(binding, movable))
        for local in dict.fromkeys(binding.local for binding in modules):
            self._move_modules([binding for binding in modules if binding.local == local])
        self._move_stars()
        self._make_changes()
        return self.plan

    def _forget_needless(self, bindings: list[Binding]) -> None:
        """Forget what is referred to in arguments that are taken out."""
        gone: set[cst.CSTNode] = set()
        for reference in (reference for binding in bindings for reference in binding.references):
            row = reference.found.row
            if reference.call and row and row.own:
                refused = refused_arguments(reference.call, shortest(row.own))
                gone.update(node for argument in refused for node in nodes_within(argument))
        for binding in bindings:
            binding.references = [one for one in binding.references if not gone.intersection(one.chain)]

    def _is_module(self, binding: Binding) -> bool:
        return binding.found.is_module or not binding.entry.name

    # What is imported by name.

    def _is_movable(self, binding: Binding) -> bool:
        if binding.found.row is None or not binding.found.row.own:
            self._leave(binding)
            return False
        row = _row(binding.found)
        if not all(self._is_served(reference) for reference in binding.references):
            return False
        if differs(row, is_base=False):
            self.plan.left.add(Note(binding.line, _anew(binding.found, row)))
            return False
        if "." in row.own.partition(":")[2] and self._must_keep(binding):
            self.plan.left.add(Note(binding.line, f"{binding.found.name} is {_written(row)}, which cannot be imported"))
            return False
        return True

    def _must_keep(self, binding: Binding) -> bool:
        """Tell whether the local name must stay, because not all that refers to it can be rewritten."""
        return (
            bool(binding.entry.alias)
            or binding.local in self.bound
            or any(reference.is_quoted or reference.is_ambiguous for reference in binding.references)
        )

    def _local_name(self, binding: Binding, movable: list[Binding]) -> str:
        """Return the name by which the source will call what it imports."""
        row, short = _row(binding.found), _short(binding)
        alike = [other for other in movable if other.local == binding.local]
        if any(self._must_keep(other) or _row(other.found).own != row.own for other in alike):
            return binding.local
        if self.owners.get(short, set()) - {row.own}:
            return binding.local
        self.owners.setdefault(short, set()).add(row.own)
        return short

    def _move(self, binding: Binding, local: str) -> None:
        row = _row(binding.found)
        module, _, name = row.own.partition(":")
        first, *rest = name.split(".")
        if not first:
            module, _, first = module.rpartition(".")
        entry = binding.entry
        new = Entry(module, first, "" if local == first else local, entry.before, entry.after)
        if not module:
            new = Entry(first, "", "" if local == first else local)
        self.moved[binding.statement].add(entry)
        self.added[binding.statement].append(new)
        written = ".".join([local, *rest])
        for reference in binding.references:
            if not reference.is_quoted:
                if written != binding.local or _is_constructor(reference):
                    self.plan.names[_replaced(reference, 0)] = written
                self.plan.meanings[reference.chain[0]] = Meaning(binding.found.name, row.own, "", binding.statement)
        self._tell(binding.found, binding.line)

    # What is imported as a module.

    def _move_modules(self, alike: list[Binding]) -> None:
        """Decide for the imports of modules that bind one local name."""
        pairs = [(binding, reference) for binding in alike for reference in binding.references]
        movable = []
        for binding, reference in pairs:
            if not self._is_replaceable(reference):
                self._leave_reference(reference, binding)
            elif self._is_served(reference):
                movable.append((binding, reference))
        stays = len(movable) < len(pairs) or alike[0].local in self.bound
        home = "" if stays else self._kept_home(alike)
        if not home and self.owners.get("alula", set()) - {"alula:"}:
            for binding in alike:
                self.plan.left.add(Note(binding.line, "the name alula stands for something else here"))
            return
        for binding, reference in movable:
            self._replace(reference, binding, home)
        for binding in () if stays else alike:
            self.moved[binding.statement].add(binding.entry)
            self.plan.renamed.add(binding.found.name)
            if home:
                self.added[binding.statement].append(_imported_home(home, binding.local))
            elif not binding.references:
                self.added[binding.statement].append(Entry("alula"))

    def _is_replaceable(self, reference: Reference) -> bool:
        row = reference.found.row
        is_clear = not (reference.is_quoted or reference.is_ambiguous or reference.found.is_module)
        return is_clear and row is not None and ":" in row.own

    def _kept_home(self, alike: list[Binding]) -> str:
        """Return the module of Alula's that the local name can stand for, so that it stays; empty if there is none."""
        has_chosen_name = bool(alike[0].entry.alias or alike[0].entry.name)
        is_taken = bool(self.owners.get("alula", set()) - {"alula:"})
        homes = {home_of(binding.parts) for binding in alike}
        if len(homes) > 1 or not (has_chosen_name or is_taken):
            return ""
        home = homes.pop()
        rows = [_row(reference.found) for binding in alike for reference in binding.references]
        return home if all(name_in(home, row) for row in rows) else ""

    def _replace(self, reference: Reference, binding: Binding, home: str) -> None:
        row = _row(reference.found)
        position = reference.found.length - len(binding.parts)
        near = home_of(tuple(reference.found.name.split(".")[:-1]))
        if home:
            module, written = binding.local if home == "alula" else "", f"{binding.local}.{name_in(home, row)}"
        else:
            near = near if name_in(near, row) else row.own.partition(":")[0]
            module, written = root_of(near), f"{near}.{name_in(near, row)}"
            self.added[binding.statement].append(Entry(module))
        self.plan.names[_replaced(reference, position)] = written
        root = module if home or module == "alula" else ""
        self.plan.meanings[reference.chain[position]] = Meaning(reference.found.name, row.own, root, binding.statement)
        self._tell(reference.found, reference.line)

    def _leave_reference(self, reference: Reference, binding: Binding) -> None:
        if reference.is_quoted:
            text = f"an annotation that is a string refers to {binding.entry.text}"
        elif reference.is_ambiguous:
            text = f"{binding.local} may stand for something else here"
        else:
            text = _why(reference.found)
        self.plan.left.add(Note(reference.line, text))

    # What is imported with a star.

    def _move_stars(self) -> None:
        for star in self.bindings.stars:
            used = [binding for binding in self.bindings.starred if binding.statement is star]
            if used and "*" not in self.bound and all(binding.entry in self.moved[star] for binding in used):
                self.moved[star].add(entries_of(star)[0])

    # What is told, and what changes.

    def _is_served(self, reference: Reference) -> bool:
        """Tell whether Alula's object has what a reference needs, and say what it lacks."""
        row = _row(reference.found)
        if differs(row, is_base=reference.is_base):
            self.plan.left.add(Note(reference.line, _anew(reference.found, row, is_base=reference.is_base)))
            return False
        attribute = "" if _is_constructor(reference) else reference.attribute
        wanting = lacks(row, attribute, reference.arguments)
        self.plan.left |= {Note(reference.line, f"{text}; {reference.found.name} does") for text in wanting}
        for taken in reference.taken:
            if text := lacks_in_result(row.own, taken.methods, taken.attribute):
                self.plan.left.add(Note(taken.line, f"{text}; what {reference.found.name} gives does"))
                wanting.append(text)
        return not wanting

    def _tell(self, found: Found, line: int) -> None:
        row = _row(found)
        self.plan.renamed.add(found.name)
        if row.status == "adapted" and row.note:
            self.plan.notes.add(Note(line, f"{found.name} is {_written(row)} now, without what is adapted: {row.note}"))

    def _leave(self, binding: Binding) -> None:
        lines = {binding.line, *(reference.line for reference in binding.references)}
        self.plan.left |= {Note(line, _why(binding.found)) for line in lines}

    def _make_changes(self) -> None:
        for statement in {*self.moved, *self.added}:
            kept = [entry for entry in entries_of(statement) if entry not in self.moved[statement]]
            if self.moved[statement] or self.added[statement]:
                self.plan.changes[statement] = Change(kept, list(dict.fromkeys(self.added[statement])))


def _is_constructor(reference: Reference) -> bool:
    """Tell whether the attribute that is taken from a class is called as the own class is."""
    return reference.attribute in _row(reference.found).constructors


def _replaced(reference: Reference, position: int) -> Dotted:
    """Return what the own name takes the place of: the name at a position of the chain, and a constructor behind it."""
    return reference.chain[position + _is_constructor(reference)]


def _row(found: Found) -> Row:
    """Return the row of a name that has one, with the shortest own name."""
    assert found.row is not None
    return msgspec.structs.replace(found.row, own=shortest(found.row.own))


def _short(binding: Binding) -> str:
    """Return the name that an import of Alula's own name binds."""
    module, _, name = _row(binding.found).own.partition(":")
    return name.partition(".")[0] or module.rpartition(".")[2]


def _written(row: Row) -> str:
    return row.own.replace(":", ".")


def _imported_home(home: str, local: str) -> Entry:
    module, _, name = home.rpartition(".")
    if not module:
        return Entry(home, "", "" if local == home else local)
    return Entry(module, name, "" if local == name else local)


def _anew(found: Found, row: Row, *, is_base: bool = False) -> str:
    what = "a subclass of" if is_base else "what uses"
    text = f"{what} {found.name} must be written anew for {_written(row)}"
    return f"{text}: {row.note}" if row.note else text


def _why(found: Found) -> str:
    row = found.row
    if found.is_module:
        return f"the module {found.name} is used as a value"
    if row is None:
        return f"alula-flyte does not know {found.name}"
    if row.status == "missing":
        return ". ".join(line.strip() for line in row.message(found.name).split("\n"))
    return f"{found.name} has no name of Alula's own{': ' if row.note else ''}{row.note}"
