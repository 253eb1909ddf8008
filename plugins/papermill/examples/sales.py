"""A notebook as a node of a workflow: ``alula run sales.py sales --least 3.5``."""

import pandas as pd

import alula
from alula_papermill import NotebookTask

summary = NotebookTask(
    name="summary",
    notebook_path="summary.ipynb",
    inputs={"sales": pd.DataFrame, "least": (float, 0.0)},
    outputs={"best": str, "total": float},
    report=True,
)


@alula.task
def load() -> pd.DataFrame:
    """Return what was sold."""
    return pd.DataFrame({"product": ["pen", "ink", "pen"], "amount": [3.0, 8.5, 4.0]})


@alula.workflow
def sales(least: float = 3.5) -> tuple[str, float]:
    """Find the best product, and the sum of all amounts from `least` on."""
    found = summary(sales=load(), least=least)
    return found.best, found.total
