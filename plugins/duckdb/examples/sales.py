"""Monthly totals from a folder of Parquet files: `alula run sales.py monthly --least 100`.

The files are read where they lie, the table of shops is a data frame in memory, and the totals go on to a Python task.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import alula
from alula import Directory, task, workflow
from alula_duckdb import DuckDBQuery

totals = DuckDBQuery(
    name="totals",
    query="""
        SELECT shops.city, date_trunc('month', sales.day)::DATE AS month, sum(sales.amount) AS total
        FROM sales JOIN shops USING (shop)
        GROUP BY ALL
        HAVING total >= $least
        ORDER BY city, month
    """,
    inputs={"sales": Directory, "shops": pd.DataFrame, "least": float},
    output_type=pd.DataFrame,
    memory_limit="256MB",
    cache=True,
)


@task
def record(days: int) -> Directory:
    """Write one Parquet file for each of two shops."""
    folder = Path(alula.current_context().working_directory) / "sales"
    folder.mkdir()
    for shop in (1, 2):
        dates = pd.date_range("2026-01-01", periods=days)
        sales = pd.DataFrame({"shop": shop, "day": dates, "amount": [shop * 10.0] * days})
        sales.to_parquet(folder / f"shop{shop}.parquet")
    return Directory(str(folder))


@task
def shops() -> pd.DataFrame:
    """Return the shops."""
    return pd.DataFrame({"shop": [1, 2], "city": ["Bonn", "Oslo"]})


@task
def describe(totals: pd.DataFrame) -> str:
    """Say which city sold most in a month."""
    best = totals.loc[totals["total"].idxmax()]
    return f"{best['city']} sold {best['total']:.0f} in {best['month']:%B %Y}"


@workflow
def monthly(days: int = 45, least: float = 100.0) -> str:
    """Say which city sold most in a month.

    Args:
        days: Days of sales.
        least: Smallest total that counts.
    """
    return describe(totals=totals(sales=record(days=days), shops=shops(), least=least))


if __name__ == "__main__":
    print(monthly())  # noqa: T201
