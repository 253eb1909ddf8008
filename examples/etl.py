"""Extract, transform, load: read many CSV files, clean them one by one, and publish what passes a check.

    alula run examples/etl.py etl --shops 6

Each shop hands in its orders as a CSV file. They are cleaned side by side (a map), added up for each region that turns
out to be in them (a dynamic task), and published as Parquet if few enough rows were bad, or else set aside with a list
of what was wrong (a conditional).
"""

import dataclasses
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from alula import File, conditional, current_context, dynamic, file_types, map_task, run, task, workflow

REGIONS = ("north", "south", "west")


class Cleaned(NamedTuple):
    """The orders of one shop, and how many rows were left out."""

    orders: pd.DataFrame
    bad_rows: int


@dataclasses.dataclass
class Total:
    """What was sold in a region: one value, where a named tuple would be three outputs."""

    region: str
    orders: int
    amount: float


class Result(NamedTuple):
    """A Parquet file with the orders, or a text that says why there is none; and what was sold in each region."""

    file: File
    totals: list[Total]


# --- extract ----------------------------------------------------------------------------------------------------------


@task
def hand_in(shops: int, mistakes: int) -> list[file_types.CSVFile]:
    """Write what the shops would hand in: 100 orders each, of which every shop has got some wrong."""
    folder = Path(current_context().working_directory)
    files = []
    for shop in range(shops):
        rows = pd.DataFrame({"order": range(100), "region": REGIONS[shop % len(REGIONS)]})
        rows["amount"] = (rows["order"] * 7 + shop) % 50 + 0.5
        rows.loc[: mistakes - 1, "amount"] = -1.0
        path = folder / f"shop-{shop}.csv"
        rows.to_csv(path, index=False)
        files.append(file_types.CSVFile(path))
    return files


# --- transform --------------------------------------------------------------------------------------------------------


@task(cache=True)
def clean(file: file_types.CSVFile) -> Cleaned:
    """Leave out the rows that cannot be right. A file with the same content is not read a second time."""
    rows = pd.read_csv(file)
    good = rows[rows["amount"] > 0]
    return Cleaned(good, len(rows) - len(good))


@task
def join(parts: list[pd.DataFrame]) -> pa.Table:
    """Put the shops together. The frames arrive as pandas, and leave as an Arrow table, as the annotations say."""
    return pa.Table.from_pandas(pd.concat(parts, ignore_index=True), preserve_index=False)


@task
def share_of_bad_rows(orders: pa.Table, bad_rows: list[int]) -> float:
    bad = sum(bad_rows)
    return float(bad / (orders.num_rows + bad))


@task
def add_up(orders: pa.Table, region: str) -> Total:
    own = orders.filter(pc.equal(orders["region"], region))
    return Total(region, own.num_rows, round(pc.sum(own["amount"]).as_py(), 2))


@dynamic
def add_up_regions(orders: pa.Table) -> list[Total]:
    """Add up every region. Which there are is known only now, so this task makes the nodes of the graph while it runs."""
    return [add_up(orders=orders, region=region) for region in sorted(pc.unique(orders["region"]).to_pylist())]


# --- load -------------------------------------------------------------------------------------------------------------


@task
def publish(orders: pa.Table) -> File:
    """Stream the orders to a new file, which appears when it is complete."""
    published = File.new_remote_file("orders.parquet")
    with published.open("wb") as stream:
        pq.write_table(orders, stream)
    return published


@task
def set_aside(bad_share: float) -> File:
    report = File.new_remote_file("rejected.txt")
    with report.open("w") as stream:
        stream.write(f"{bad_share:.0%} of the rows are bad; nothing was published\n")
    return report


@workflow
def etl(shops: int = 6, mistakes: int = 2, tolerance: float = 0.05) -> Result:
    """Clean the orders of all shops and publish them, unless too many rows are bad.

    Args:
        shops: How many shops there are.
        mistakes: How many of its 100 rows each shop has got wrong.
        tolerance: Share of bad rows up to which the rest is published.
    """
    cleaned = map_task(clean, concurrency=4)(file=hand_in(shops=shops, mistakes=mistakes))
    orders = join(parts=cleaned.orders)
    bad_share = share_of_bad_rows(orders=orders, bad_rows=cleaned.bad_rows)
    outcome = (
        conditional("good enough?")
        .if_(bad_share <= tolerance)
        .then(publish(orders=orders))
        .else_()
        .then(set_aside(bad_share=bad_share))
    )
    return Result(file=outcome, totals=add_up_regions(orders=orders))


if __name__ == "__main__":
    finished = run(etl)
    print(finished.tree())
    file, totals = finished.result
    print(f"{file.name}: {pq.read_table(file).num_rows} rows")
    for total in totals:
        print(f"{total.region}: {total.orders} orders, {total.amount}")
