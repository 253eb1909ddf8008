"""The tree of a run: children are loaded when they are wanted, a page at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text
from textual.widgets import Tree

from alula_kernel.engine import ROOT_ACTION, Action

from .reading import FAILED, PAGE, Snapshot
from .shown import action_label, one_line

if TYPE_CHECKING:
    from textual.widgets.tree import TreeNode

_OPEN_AT_ONCE = 20
_MOST_OPEN_AT_ONCE = 200


class Entry(NamedTuple):
    """What a node of the tree stands for.

    Attributes:
        action: Id of the action; that of the parent for a group and for what is not shown yet; empty before there is one.
        kind: ``action``, ``group`` or ``more``.
    """

    action: str
    kind: str = "action"


class RunTree(Tree[Entry]):
    """The actions of a run.

    Small branches are open at first; a map, and what has many children, is opened by the user.

    Attributes:
        shown: For each action whose children are shown, at most how many.
    """

    def __init__(self) -> None:
        super().__init__("...", Entry(ROOT_ACTION), id="tree")
        self.shown: dict[str, int] = {}
        self._by_action: dict[str, TreeNode[Entry]] = {ROOT_ACTION: self.root}
        self._by_group: dict[tuple[str, str], TreeNode[Entry]] = {}
        self._rest_of: dict[str, TreeNode[Entry]] = {}
        self._known: dict[str, Action] = {}
        self._children: Mapping[str, Mapping[str, int]] = {}

    def update_from(self, snapshot: Snapshot) -> bool:
        """Show a run as it is now.

        Returns:
            Whether more children are to be shown now, so that it is worth reading again at once.
        """
        self._children = snapshot.counts
        self._known.update((action.id, action) for action in snapshot.children[""])
        for parent, children in snapshot.children.items():
            if parent in self._by_action:
                self._show_children(parent, children)
        opened = [action for action in list(self._by_action) if self._opens_at_once(action)]
        for action in opened:
            self.show_children_of(action)
            self._by_action[action].expand()
        self.refresh_labels(everything=True)
        return bool(opened)

    def show_children_of(self, action: str) -> None:
        """Show children of an action from the next look on."""
        self.shown.setdefault(action, PAGE)

    def show_more_of(self, action: str) -> None:
        """Show another page of children of an action from the next look on."""
        self.shown[action] = self.shown.get(action, 0) + PAGE

    def refresh_labels(self, *, everything: bool = False) -> None:
        """Show how long what runs has taken; with `everything`, what has ended too."""
        now = time.time()
        for action_id, action in self._known.items():
            if everything or not action.final:
                node = self._by_action[action_id]
                counts = self._children.get(action_id, {})
                label = action_label(action, counts, now)
                # Without a label of another length or color nothing is drawn again.
                if label != node.label:
                    node.set_label(label)
                node.allow_expand = bool(counts)

    def _opens_at_once(self, action: str) -> bool:
        counts = self._children.get(action)
        if counts is None or action in self.shown or len(self._by_action) > _MOST_OPEN_AT_ONCE:
            return False
        return action == ROOT_ACTION or (self._known[action].kind != "map" and sum(counts.values()) <= _OPEN_AT_ONCE)

    def _show_children(self, parent: str, children: list[Action]) -> None:
        new = [child for child in children if child.id not in self._by_action]
        self._known.update((child.id, child) for child in children)
        total = sum(self._children.get(parent, {}).values())
        rest = total - len(children)
        if (new or rest <= 0) and parent in self._rest_of:
            self._rest_of.pop(parent).remove()  # it stays the last one
        for child in new:
            place = self._place_of(child, child.group or ("failed" if rest > 0 and child.phase in FAILED else ""))
            self._by_action[child.id] = place.add("", Entry(child.id), allow_expand=child.id in self._children)
        if rest > 0:
            label = Text(f"... {rest:,} more (enter)", style="italic dim")
            if parent in self._rest_of:
                self._rest_of[parent].set_label(label)
            else:
                self._rest_of[parent] = self._by_action[parent].add_leaf(label, Entry(parent, "more"))

    def _place_of(self, child: Action, group: str) -> TreeNode[Entry]:
        parent = self._by_action[child.parent]
        if not group:
            return parent
        key = child.parent, group
        if key not in self._by_group:
            label = Text(f"▪ {one_line(group)}", style="bold")
            before = None if child.group or not parent.children else 0
            self._by_group[key] = parent.add(label, Entry(child.parent, "group"), expand=True, before=before)
        return self._by_group[key]
