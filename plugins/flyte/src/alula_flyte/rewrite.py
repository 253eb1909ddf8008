"""One source of Flyte's, rewritten to Alula's own names."""

from __future__ import annotations

import ast
import warnings
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider

from .arguments import needless_arguments, told, without
from .bindings import Dotted, Statement, bindings_of
from .image_steps import needless_settings, needless_steps, told_of_steps
from .imports import WIDTH, Entry, entries_of, is_exploded, lines_of
from .plan import Change, Note, Plan, Planner
from .retries import retries_of, with_retry_on
from .scan import unbound_names
from .untyped import pickled_values

_Line = cst.SimpleStatementLine
_Block = cst.Module | cst.IndentedBlock


@dataclass(frozen=True)
class Rewritten:
    """A source after the rewrite.

    Attributes:
        code: The code, in the same encoding.
        names: Flyte's names that are Alula's now.
        notes: What differs although the name is Alula's now.
        left: What is left, and why.
    """

    code: bytes
    names: frozenset[str]
    notes: list[Note]
    left: list[Note]


def rewrite(code: bytes, bound: Iterable[str] = ()) -> Rewritten:
    """Rewrite the imports of Flyte's in a source, and all that refers to them.

    Args:
        code: The source.
        bound: Local names that must stay bound, because other sources import them from this one.

    Raises:
        libcst.ParserSyntaxError: This is no Python.
        SyntaxError: This is no Python of the running version.
        ValueError: It cannot be decoded, or nothing good came out.
        RecursionError: It is nested too deeply.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Python has to say about the source is not asked for here
        unbound = unbound_names(code)
        keep = {*bound, *_exported(code)}
        while True:
            result = _rewritten(code, keep)
            # A name whose uses could not all be found stays bound.
            lost = unbound_names(result.code) - unbound - keep
            if not lost:
                return result
            keep |= lost


def _exported(code: bytes) -> set[str]:
    """Return what is in ``__all__``."""
    found: set[str] = set()
    for node in ast.parse(code).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            found |= {
                part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
            }
    return found


def _rewritten(code: bytes, keep: set[str]) -> Rewritten:
    wrapper = MetadataWrapper(cst.parse_module(code))
    bindings = bindings_of(wrapper)
    plan = Planner(bindings, keep).planned()
    positions = wrapper.resolve(PositionProvider)
    retries = retries_of(plan, bindings.owners, positions)
    for statement, entry in retries.imports.items():
        plan.changes.setdefault(statement, Change(entries_of(statement))).new.append(entry)
    needless = needless_arguments(plan, positions)
    steps, settings = needless_steps(plan, positions), needless_settings(plan, positions)
    module = wrapper.module.visit(_Transformer(wrapper, plan, retries.calls, {**needless, **settings}, steps))
    return Rewritten(
        code=_encoded(module, code) if plan.changes else code,
        names=frozenset(plan.renamed),
        notes=sorted(
            {
                *plan.notes,
                *retries.notes,
                *told(needless, plan, positions),
                *told_of_steps(steps, settings, positions),
            }
        ),
        left=sorted({*plan.left, *retries.left, *(pickled_values(positions) if plan.changes else ())}),
    )


def _encoded(module: cst.Module, before: bytes) -> bytes:
    mark = b"\xef\xbb\xbf"
    after = module.bytes
    return mark + after if before.startswith(mark) and not after.startswith(mark) else after


class _Transformer(cst.CSTTransformer):
    """Puts a plan into effect."""

    def __init__(
        self,
        wrapper: MetadataWrapper,
        plan: Plan,
        retries: dict[cst.Call, str],
        needless: dict[cst.Call, list[cst.Arg]],
        steps: set[cst.Call],
    ) -> None:
        super().__init__()
        self.plan = plan
        self.retries = retries
        self.needless = needless
        self.steps = steps
        self.module = wrapper.module
        self.newline = wrapper.module.default_newline
        self.lines: dict[_Line, list[_Line]] = {}
        self.inline: dict[Statement, list[str]] = {}
        self._lay_out(wrapper)

    # The import statements of a block are put together where the first of them is.

    def _lay_out(self, wrapper: MetadataWrapper) -> None:
        parents = wrapper.resolve(ParentNodeProvider)
        blocks: dict[cst.CSTNode, list[tuple[_Line, Statement]]] = defaultdict(list)
        for statement, change in self.plan.changes.items():
            line = parents[statement]
            if isinstance(line, _Line) and len(line.body) == 1 and isinstance(parents[line], _Block):
                blocks[parents[line]].append((line, statement))
            else:
                self.inline[statement] = lines_of([*change.kept, *change.new], width=10_000)
        for block, lines in blocks.items():
            order = list(block.body) if isinstance(block, _Block) else []
            self._lay_out_block(sorted(lines, key=lambda pair: order.index(pair[0])))

    def _lay_out_block(self, lines: list[tuple[_Line, Statement]]) -> None:
        first, *others = lines
        merged = [
            pair for pair in others if not _has_comments(pair[0]) and not _is_star(self.plan.changes[pair[1]].kept)
        ]
        gathered = [entry for _, statement in [first, *merged] for entry in self.plan.changes[statement].new]
        exploded = any(is_exploded(statement) for _, statement in [first, *merged])
        done = {entry.key for entry in gathered}
        for line, statement in lines:
            kept = self.plan.changes[statement].kept
            new: list[Entry] = []
            if line is first[0]:
                new = gathered
            elif (line, statement) not in merged:
                new = [entry for entry in self.plan.changes[statement].new if entry.key not in done]
                done |= {entry.key for entry in new}
            self.lines[line] = self._lines(line, statement, kept, new, exploded=exploded or is_exploded(statement))

    def _lines(
        self, line: _Line, statement: Statement, kept: list[Entry], new: list[Entry], *, exploded: bool
    ) -> list[_Line]:
        width = max(WIDTH, len(self.module.code_for_node(statement).split("\n", maxsplit=1)[0]))
        style = {"width": width, "newline": self.newline, "indent": self.module.default_indent}
        old = lines_of(kept, exploded=is_exploded(statement), **style)  # type: ignore[arg-type]  # one dictionary of all
        own = lines_of(new, exploded=exploded, **style)  # type: ignore[arg-type]
        texts = [*old, *own] if _is_star(kept) else [*own, *old]
        made = [self._parsed(text) for text in texts]
        if made:
            made[0] = made[0].with_changes(leading_lines=line.leading_lines)
            if line.trailing_whitespace.comment and not made[-1].trailing_whitespace.comment:
                made[-1] = made[-1].with_changes(trailing_whitespace=line.trailing_whitespace)
        return made

    def _parsed(self, text: str) -> _Line:
        return cst.ensure_type(cst.parse_statement(text, config=self.module.config_for_parsing), _Line)

    # What is put in the place of nodes; those inside a node are done before it.

    def on_leave(self, original_node: cst.CSTNode, updated_node: cst.CSTNode) -> Any:
        """Return what stands in the place of a node."""
        if isinstance(original_node, _Line) and original_node in self.lines:
            made = self.lines[original_node]
            return cst.FlattenSentinel(made) if made else cst.RemoveFromParent()
        if isinstance(original_node, Statement) and original_node in self.inline:
            return self._in_line(original_node)
        if isinstance(original_node, Dotted) and original_node in self.plan.names:
            name = cst.parse_expression(self.plan.names[original_node])
            return name.with_changes(lpar=original_node.lpar, rpar=original_node.rpar)
        if isinstance(original_node, cst.Call) and original_node in self.retries:
            return with_retry_on(cst.ensure_type(updated_node, cst.Call), self.retries[original_node])
        if isinstance(original_node, cst.Call) and original_node in self.steps:
            return cst.ensure_type(cst.ensure_type(updated_node, cst.Call).func, cst.Attribute).value
        if isinstance(original_node, cst.Call) and original_node in self.needless:
            return without(cst.ensure_type(updated_node, cst.Call), original_node, self.needless[original_node])
        return super().on_leave(original_node, updated_node)

    def _in_line(self, original: Statement) -> cst.FlattenSentinel[Any]:
        """Return the statements in the place of one that shares its line with others."""
        made = [self._parsed(text).body[0] for text in self.inline[original]]
        between = cst.Semicolon(whitespace_after=cst.SimpleWhitespace(" "))
        ends = [*(between for _ in made[1:]), original.semicolon]
        return cst.FlattenSentinel([one.with_changes(semicolon=end) for one, end in zip(made, ends, strict=True)])


def _is_star(entries: Iterable[Entry]) -> bool:
    return any(entry.name == "*" for entry in entries)


def _has_comments(line: _Line) -> bool:
    return bool(line.trailing_whitespace.comment) or any(above.comment for above in line.leading_lines)
