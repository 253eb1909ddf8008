"""What a source imports of Flyte's, and every place that refers to it, found in its concrete syntax tree by scope."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import libcst as cst
from libcst.helpers import get_full_name_for_node
from libcst.metadata import (
    Access,
    BaseAssignment,
    BuiltinAssignment,
    ImportAssignment,
    MetadataWrapper,
    ParentNodeProvider,
    PositionProvider,
    Scope,
    ScopeProvider,
)

from .imports import Entry, entries_of
from .lookup import Found, look_up
from .names import is_flyte, table_of

Statement = cst.Import | cst.ImportFrom
Dotted = cst.Name | cst.Attribute


@dataclass(frozen=True)
class Taken:
    """An attribute that is taken from what a call gives.

    Attributes:
        methods: The methods that are called in turn before.
        attribute: The attribute.
        line: The line.
    """

    methods: tuple[str, ...]
    attribute: str
    line: int


@dataclass(eq=False)
class Reference:
    """A place that refers to something imported.

    Attributes:
        chain: The name, and the attributes that are taken from it, each with what is before it; nothing if it is quoted.
        line: The line.
        found: What it stands for.
        attribute: The attribute that is taken from what it stands for; empty for none.
        arguments: The names of the arguments that what it stands for, or that attribute, is called with.
        call: The call of what it stands for, if it is called.
        taken: The attributes that are taken from what that call gives, there or under the name that it is given.
        is_base: Whether a class is derived from it.
        is_ambiguous: Whether it may stand for something else as well, because of an assignment or another import.
    """

    chain: list[Dotted]
    line: int
    found: Found
    attribute: str = ""
    arguments: frozenset[str] = frozenset()
    call: cst.Call | None = None
    taken: list[Taken] = field(default_factory=list)
    is_base: bool = False
    is_ambiguous: bool = False

    @property
    def is_quoted(self) -> bool:
        """Whether it is in an annotation that is a string."""
        return not self.chain


@dataclass(eq=False)
class Binding:
    """A name that an import of Flyte's binds.

    Attributes:
        statement: The import statement.
        entry: What is imported.
        parts: What the local name stands for: the parts of a name with its module.
        found: The same, looked up.
        line: The line of the statement.
        references: Where it is referred to.
    """

    statement: Statement
    entry: Entry
    parts: tuple[str, ...]
    found: Found
    line: int
    references: list[Reference] = field(default_factory=list)

    @property
    def local(self) -> str:
        """The local name."""
        return self.entry.local


@dataclass(eq=False)
class Bindings:
    """All of a source.

    Attributes:
        imported: What is imported by name.
        starred: What is used of Flyte's modules that are imported with a star.
        stars: The import statements with a star.
        owners: For each other name that the source binds or uses what it stands for: ``module:name`` for what is imported,
            and anything else otherwise.
    """

    imported: list[Binding]
    starred: list[Binding]
    stars: list[cst.ImportFrom]
    owners: dict[str, set[str]]


def bindings_of(wrapper: MetadataWrapper) -> Bindings:
    """Find what a source imports of Flyte's.

    Args:
        wrapper: The source, parsed.
    """
    return _Finder(wrapper).found()


class _Finder:
    def __init__(self, wrapper: MetadataWrapper) -> None:
        wrapper.resolve_many({ParentNodeProvider, PositionProvider, ScopeProvider})  # in one pass, where they can
        self.parents = wrapper.resolve(ParentNodeProvider)
        self.positions = wrapper.resolve(PositionProvider)
        scopes = wrapper.resolve(ScopeProvider).values()
        self.scopes: list[Scope] = list(dict.fromkeys(scope for scope in scopes if scope is not None))

    def found(self) -> Bindings:
        statements = self._statements()
        by_alias = {id(name): binding for name, binding in self._bindings(statements)}
        accesses: dict[int, tuple[Access, list[Binding]]] = {}
        for assignment in self._assignments():
            binding = by_alias.get(id(getattr(assignment, "as_name", None)))
            for access in assignment.references if binding else ():
                accesses.setdefault(id(access), (access, []))[1].append(binding)  # type: ignore[arg-type]  # not None
        for access, bindings in accesses.values():
            self._refer(access, list(dict.fromkeys(bindings)))
        stars = [
            statement
            for statement in statements
            if isinstance(statement, cst.ImportFrom) and isinstance(statement.names, cst.ImportStar)
        ]
        return Bindings(
            imported=list(by_alias.values()),
            starred=[binding for star in stars for binding in self._starred(star)],
            stars=stars,
            owners=self._owners(set(by_alias)),
        )

    def _statements(self) -> list[Statement]:
        """Return the statements that import something of Flyte's."""
        imports = (node for node in self.positions if isinstance(node, cst.Import | cst.ImportFrom))
        of_flyte = (node for node in imports if any(is_flyte(entry.module) for entry in entries_of(node)))
        return sorted(of_flyte, key=self._line)

    def _assignments(self) -> Iterator[BaseAssignment]:
        # The scope of the built-in names is nobody's node.
        for scope in {*self.scopes, *(scope.globals.parent for scope in self.scopes)}:
            yield from scope.assignments

    def _bindings(self, statements: Iterable[Statement]) -> Iterator[tuple[cst.CSTNode, Binding]]:
        for statement in statements:
            if isinstance(statement.names, cst.ImportStar):
                continue
            for alias, entry in zip(statement.names, entries_of(statement), strict=True):
                if not is_flyte(entry.module):
                    continue
                whole = [*entry.module.split("."), *filter(None, [entry.name])]
                parts = whole if entry.name or entry.alias else whole[:1]
                node = alias.asname.name if alias.asname else alias.name
                yield node, Binding(statement, entry, tuple(parts), look_up(parts, len(parts)), self._line(statement))

    def _line(self, node: cst.CSTNode) -> int:
        return self.positions[node].start.line

    def _refer(self, access: Access, bindings: list[Binding]) -> None:
        chain = self._chain(access.node)
        references = [self._reference(access, chain, binding.parts) for binding in bindings]
        others = [one for one in access.referents if not self._is_among(one, bindings)]
        is_ambiguous = bool(others) or len({reference.found for reference in references}) > 1
        for binding, reference in zip(bindings, references, strict=True):
            reference.is_ambiguous = is_ambiguous
            binding.references.append(reference)

    def _reference(self, access: Access, chain: list[Dotted], parts: tuple[str, ...]) -> Reference:
        """Return what a chain refers to.

        Args:
            access: Where it is.
            chain: The name, and the attributes taken from it.
            parts: What the name stands for.
        """
        attributes = [node.attr.value for node in chain if isinstance(node, cst.Attribute)]
        found = look_up((*parts, *attributes), len(parts))
        used = found.length - len(parts)
        attribute = attributes[used] if used < len(attributes) else ""
        called = chain[used + 1 if attribute else used] if used < len(chain) else None
        outer = self.parents.get(called) if called else None
        call = outer if isinstance(outer, cst.Call) and outer.func is called else None
        keywords = [argument.keyword for argument in call.args] if call else []
        return Reference(
            chain,
            self._line(access.node),
            found,
            attribute=attribute,
            arguments=frozenset(keyword.value for keyword in keywords if keyword),
            call=call if attribute in {"", "aio"} else None,
            taken=list(self._taken(call, access.scope)) if call and attribute in {"", "aio"} else [],
            is_base=not attribute and self._is_base(outer),
        )

    def _taken(self, call: cst.Call, scope: Scope) -> Iterator[Taken]:
        """Find the attributes that are taken from what a call gives."""
        methods: tuple[str, ...] = ()
        while attributes := self._attributes_of(call):
            name, *others = (node.attr.value for node in attributes)
            yield Taken(methods, name, self._line(attributes[0]))
            outer = self.parents.get(attributes[-1])
            if not isinstance(outer, cst.Call) or outer.func is not attributes[-1] or others not in ([], ["aio"]):
                return
            methods, call = (*methods, name), outer
        for access in self._uses_of_result(call, scope):
            for attribute in self._attributes_of(access.node)[:1]:
                yield Taken(methods, attribute.attr.value, self._line(attribute))

    def _attributes_of(self, node: cst.CSTNode) -> list[cst.Attribute]:
        """Return the attributes that are taken from an expression, from the inside out."""
        attributes: list[cst.Attribute] = []
        while isinstance(outer := self.parents.get(node), cst.Attribute) and outer.value is node:
            attributes.append(outer)
            node = outer
        return attributes

    def _uses_of_result(self, call: cst.Call, scope: Scope) -> Iterable[Access]:
        """Return where the only name is used that the result of a call is given, if nothing else is given that name."""
        outer = self.parents.get(call)
        if isinstance(outer, cst.Await):
            outer = self.parents.get(outer)
        if not isinstance(outer, cst.Assign) or len(outer.targets) > 1:
            return ()
        target = outer.targets[0].target
        assignments = scope[target.value] if isinstance(target, cst.Name) else set()
        return next(iter(assignments)).references if len(assignments) == 1 else ()

    def _is_base(self, node: cst.CSTNode | None) -> bool:
        """Tell whether a node, which a name is in, makes it the base of a class, as in ``class A(Name[int])``."""
        if isinstance(node, cst.Subscript):
            node = self.parents.get(node)
        return isinstance(node, cst.Arg) and isinstance(self.parents.get(node), cst.ClassDef)

    def _is_among(self, assignment: BaseAssignment, bindings: list[Binding]) -> bool:
        return isinstance(assignment, ImportAssignment) and any(
            assignment.node is binding.statement for binding in bindings
        )

    def _chain(self, node: cst.CSTNode) -> list[Dotted]:
        """Return a name, and the attributes taken from it, from the inside out; nothing for a string."""
        if not isinstance(node, cst.Name | cst.Attribute):
            return []
        chain: list[Dotted] = [node]
        while isinstance(inner := chain[0], cst.Attribute):
            if not isinstance(inner.value, cst.Name | cst.Attribute):
                return []
            chain.insert(0, inner.value)
        return [*chain, *self._attributes_of(chain[-1])]

    def _unbound(self) -> Iterator[Access]:
        for scope in self.scopes:
            for access in scope.accesses:
                if not access.referents:
                    yield access

    def _starred(self, statement: cst.ImportFrom) -> list[Binding]:
        """Return what is used of a module that is imported with a star."""
        module = entries_of(statement)[0].module
        table = table_of(module) or {}
        used: dict[str, Binding] = {}
        for access in self._unbound():
            chain = self._chain(access.node)
            if not chain or not isinstance(chain[0], cst.Name) or chain[0].value not in table:
                continue
            name = chain[0].value
            parts = (*module.split("."), name)
            if name not in used:
                used[name] = Binding(statement, Entry(module, name), parts, look_up(parts), self._line(statement))
            used[name].references.append(self._reference(access, chain, parts))
        return list(used.values())

    def _owners(self, aliases: set[int]) -> dict[str, set[str]]:
        owners: dict[str, set[str]] = defaultdict(set)
        for assignment in self._assignments():
            if isinstance(assignment, ImportAssignment):
                if id(assignment.as_name) not in aliases:
                    owners[assignment.name.partition(".")[0]].add(_imported(assignment))
            elif not isinstance(assignment, BuiltinAssignment) or assignment.references:
                owners[assignment.name].add("something else")
        for access in self._unbound():
            if chain := self._chain(access.node):
                owners[(get_full_name_for_node(chain[0]) or "").partition(".")[0]].add("something unbound")
        return owners


def _imported(assignment: ImportAssignment) -> str:
    if isinstance(assignment.node, cst.Import | cst.ImportFrom):
        for entry in entries_of(assignment.node):
            if entry.local == assignment.name.partition(".")[0]:
                return f"{entry.module}:{entry.name}"
    return "something else"
